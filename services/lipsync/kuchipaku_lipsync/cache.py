"""Lines heard before: the same audio with the same options gets the same answer at once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from kuchipaku_lipsync.intake import Audio, EncodedAudio
from kuchipaku_lipsync.recognise import Outcome, RecognitionOptions, Step

# What one cue, phone or word takes, about.
_ITEM_BYTES: Final = 160
_STEP_BYTES: Final = 300

Answer = Sequence[Step | Outcome]


def answer_key(audio: Audio, options: RecognitionOptions) -> str:
    """Digest of everything that an answer depends on."""
    digest = hashlib.sha256()
    for text in (
        type(audio).__name__,
        options.recognizer,
        "".join(sorted(options.shapes)),
        options.language,
        options.content,
        options.text,
    ):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    digest.update(audio.data if isinstance(audio, EncodedAudio) else audio.samples.tobytes())
    return digest.hexdigest()


class AnswerCache:
    """The answers used last, within a number of bytes. For one event loop."""

    def __init__(self, limit_bytes: int) -> None:
        """Hold at most ``limit_bytes``; 0 holds nothing."""
        self._limit = limit_bytes
        self._answers: OrderedDict[str, tuple[int, Answer]] = OrderedDict()
        self.used_bytes = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> Answer | None:
        """The answer kept under ``key``."""
        entry = self._answers.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._answers.move_to_end(key)
        return entry[1]

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; what was not used for longest makes room."""
        size = _size(answer)
        if size > self._limit:
            return
        self.used_bytes += size - self._answers.pop(key, (0, ()))[0]
        self._answers[key] = (size, answer)
        while self.used_bytes > self._limit:
            _, (freed, _) = self._answers.popitem(last=False)
            self.used_bytes -= freed


def _size(answer: Answer) -> int:
    items = sum(
        len(part.cues) + len(part.phones) + len(part.words)
        for part in answer
        if isinstance(part, Step)
    )
    return items * _ITEM_BYTES + len(answer) * _STEP_BYTES
