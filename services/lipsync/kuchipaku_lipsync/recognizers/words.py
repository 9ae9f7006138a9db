"""English words: recognised with a general language model, then aligned phone by phone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.phones import Phone, PhoneSegment, recognised_phone
from kuchipaku_lipsync.recognizers.base import (
    RecognizerName,
    Utterance,
    WordSegment,
    with_noise,
)
from kuchipaku_lipsync.recognizers.decoder import (
    ScoredSpan,
    align_phones,
    decode,
    dithered,
    heard,
    word_decoder,
)
from kuchipaku_lipsync.speech import Speech

SILENCE_PHONE = "SIL"
_DEFAULT_SEARCH = "_default"
_VARIANT = re.compile(r"\(\d+\)$")


def is_spoken(word: str) -> bool:
    """False for silences, sentence marks and fillers such as `<sil>` and `[NOISE]`."""
    return word[:1] not in "<[+"


def spelling(word: str) -> str:
    """The word without the number of its variant: `the(2)` is `the`."""
    return _VARIANT.sub("", word)


def phone_segments(spans: Sequence[ScoredSpan], start_cs: int = 0) -> list[PhoneSegment]:
    """Phones of an alignment, silences left out, moved by `start_cs`."""
    return [
        recognised_phone(span.name, start_cs + span.start, start_cs + span.end)
        for span in spans
        if span.name != SILENCE_PHONE
    ]


class WordRecognizer:
    """Hears English words by pocketsphinx's n-gram search."""

    name = RecognizerName.WORDS

    def __init__(self) -> None:
        self._decoder = word_decoder()

    def listen(self, speech: Speech) -> Iterator[Utterance]:
        for segment in speech.segments:
            start, samples = speech.padded(segment)
            words, phones = self._recognise(samples)
            if phones:
                segments = phone_segments(phones, start)
            else:
                end = start + len(samples) // 160
                segments = [PhoneSegment(start, end, Phone.NOISE)]
            yield Utterance(
                segment,
                with_noise(segments, segment),
                tuple(
                    WordSegment(start + word.start, start + word.end, spelling(word.name))
                    for word in words
                    if is_spoken(word.name)
                ),
            )

    def _recognise(self, samples: NDArray[np.int16]) -> tuple[list[ScoredSpan], list[ScoredSpan]]:
        """Words and phones; none where nothing is recognised or the alignment fails."""
        audio = dithered(samples)
        self._decoder.activate_search(_DEFAULT_SEARCH)
        try:
            decode(self._decoder, audio)
            if not any(heard(self._decoder)):
                return [], []
            return align_phones(self._decoder, audio)
        except RuntimeError:
            return [], []
