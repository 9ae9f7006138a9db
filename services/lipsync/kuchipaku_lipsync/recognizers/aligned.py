"""The text is known: its words are found in the audio, phone by phone."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final

from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.recognizers.base import Utterance, WordSegment, with_noise
from kuchipaku_lipsync.recognizers.decoder import (
    ScoredSpan,
    align_phones,
    aligning_decoder,
    dithered,
    find_words,
)
from kuchipaku_lipsync.recognizers.g2p import pronunciation
from kuchipaku_lipsync.recognizers.text import SpokenToken, spoken_tokens
from kuchipaku_lipsync.recognizers.windows import plan_windows, word_range
from kuchipaku_lipsync.recognizers.words import SILENCE_PHONE, is_spoken, phone_segments
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, SEGMENT_PADDING_CS, Speech
from kuchipaku_lipsync.vad import Segment

# An alignment is believed when its phones score about as well as phones of the right words do.
# Scores are logarithms per frame against the best sound of the model: over the test recordings
# right texts reach -10 to -41 and wrong ones mostly -45 to -100.
MIN_MEDIAN_SCORE: Final = -45.0
MIN_MEAN_SCORE: Final = -45.0
# Share of the detected speech that may be left without a phone.
MAX_UNCOVERED: Final = 0.35
# The acoustic model has three states to a phone, one frame each at least.
_MIN_PHONE_CS: Final = 3
# An unknown word is tried as a compound of known words of at least this many letters.
_MIN_COMPOUND_PART: Final = 4
# Words that were added to the dictionary stay in it: it is read anew after this many.
_MAX_ADDED_WORDS: Final = 5_000


class AlignmentError(Exception):
    """The text cannot be found in the audio. `reason` is UPPER_SNAKE_CASE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class TextAligner:
    """Finds known words by pocketsphinx's forced alignment. One call at a time."""

    def __init__(self) -> None:
        self._decoder: Any = aligning_decoder()
        self._added: set[str] = set()

    def align(self, speech: Speech, text: str) -> list[Utterance]:
        """The utterances of `speech` with phones and words of `text`.

        Raises AlignmentError when the text has no words that can be spoken in English or does
        not match the audio.
        """
        tokens = spoken_tokens(text, self._is_known)
        if not tokens:
            raise AlignmentError(
                "TEXT_NOT_UNDERSTOOD", "The text has no words in Latin letters to align."
            )
        if not speech.segments:
            return []
        words, phones = self._aligned(speech, [word for token in tokens for word in token.words])
        segments = phone_segments(phones)
        _check_match(phones, segments, speech.segments)
        return _by_segment(speech.segments, segments, _token_times(tokens, words))

    def _is_known(self, word: str) -> bool:
        return self._decoder.lookup_word(word) is not None

    def _aligned(
        self, speech: Speech, words: Sequence[str]
    ) -> tuple[list[ScoredSpan], list[ScoredSpan]]:
        """Spoken words and all phones, in centiseconds from the start of the clip."""
        self._learn(words)
        found: list[ScoredSpan] = []
        phones: list[ScoredSpan] = []
        windows = plan_windows(speech.segments, speech.duration_cs)
        for index, window in enumerate(windows):
            rest = words[len(found) :]
            fewest = most = len(rest)
            if index < len(windows) - 1:
                fewest, most = word_range(speech.segments, window, len(rest))
            new_words, new_phones = self._align_window(speech, window, rest[:most], fewest)
            found.extend(word for word in new_words if is_spoken(word.name))
            phones.extend(new_phones)
        if len(found) != len(words):
            raise _mismatch("some of its words were not found")
        return found, phones

    def _align_window(
        self, speech: Speech, window: Segment, words: Sequence[str], fewest: int
    ) -> tuple[list[ScoredSpan], list[ScoredSpan]]:
        # Every phone takes at least three frames: no need to search for what cannot fit.
        if not words or fewest * _MIN_PHONE_CS > window.duration_cs:
            raise _mismatch("its length differs too much from that of the audio")
        first, last = (time * SAMPLES_PER_CS for time in (window.start_cs, window.end_cs))
        audio = dithered(speech.samples[first:last])
        try:
            if not find_words(self._decoder, audio, words, fewest):
                raise _mismatch("no way through its words was found")
            found, phones = align_phones(self._decoder, audio)
        except RuntimeError as error:
            raise _mismatch("no way through its words was found") from error
        return (
            [_shifted(span, window.start_cs) for span in found],
            [_shifted(span, window.start_cs) for span in phones],
        )

    def _learn(self, words: Sequence[str]) -> None:
        """Adds a pronunciation by rule for each word that the dictionary lacks."""
        if len(self._added) > _MAX_ADDED_WORDS:
            self._decoder = aligning_decoder()
            self._added = set()
        for word in dict.fromkeys(words):
            if not self._is_known(word):
                self._decoder.add_word(word, self._guessed(word), False)
                self._added.add(word)

    def _guessed(self, word: str) -> str:
        """Phones of an unknown word: those of a possessive, of two known words, or by rule."""
        if word.endswith("'s"):
            stem = word[:-2]
            return f"{self._decoder.lookup_word(stem) or self._guessed(stem)} Z"
        for split in range(len(word) - _MIN_COMPOUND_PART, _MIN_COMPOUND_PART - 1, -1):
            first = self._decoder.lookup_word(word[:split])
            second = self._decoder.lookup_word(word[split:])
            if first and second:
                return f"{first} {second}"
        # Some rules find a few letters silent; a word has to sound at least.
        return " ".join(pronunciation(word)) or "AH"


def _mismatch(why: str) -> AlignmentError:
    return AlignmentError("TEXT_DOES_NOT_MATCH", f"The text does not match the audio: {why}.")


def _shifted(span: ScoredSpan, offset: int) -> ScoredSpan:
    return ScoredSpan(span.name, span.start + offset, span.end + offset, span.score)


def _check_match(
    spans: Sequence[ScoredSpan], phones: Sequence[PhoneSegment], segments: Sequence[Segment]
) -> None:
    spoken = [span for span in spans if span.name != SILENCE_PHONE]
    if not spoken:
        raise _mismatch("none of it was heard")
    median = statistics.median(span.score / (span.end - span.start) for span in spoken)
    mean = sum(span.score for span in spans) / sum(span.end - span.start for span in spans)
    if median < MIN_MEDIAN_SCORE or mean < MIN_MEAN_SCORE:
        raise _mismatch("its words sound different")
    if _uncovered(phones, segments) > MAX_UNCOVERED:
        raise _mismatch("much of the speech is not in it")


def _uncovered(phones: Sequence[PhoneSegment], segments: Sequence[Segment]) -> float:
    """Share of the segments' time that no phone covers."""
    speaking = sum(segment.duration_cs for segment in segments)
    covered = sum(
        max(0, min(phone.end_cs, segment.end_cs) - max(phone.start_cs, segment.start_cs))
        for segment in segments
        for phone in phones
        if phone.start_cs < segment.end_cs and phone.end_cs > segment.start_cs
    )
    return 1.0 - covered / speaking


def _token_times(tokens: Sequence[SpokenToken], words: Sequence[ScoredSpan]) -> list[WordSegment]:
    spans = iter(words)
    result = []
    for token in tokens:
        parts = [next(spans) for _ in token.words]
        result.append(WordSegment(parts[0].start, parts[-1].end, token.text))
    return result


def _by_segment(
    segments: Sequence[Segment], phones: Sequence[PhoneSegment], words: Sequence[WordSegment]
) -> list[Utterance]:
    """Phones and words dealt out to the segment in which, or before which, they start."""
    utterances = []
    for index, segment in enumerate(segments):
        lower = segment.start_cs - SEGMENT_PADDING_CS if index else 0
        upper = None
        if index + 1 < len(segments):
            upper = segments[index + 1].start_cs - SEGMENT_PADDING_CS
        own_phones = [p for p in phones if _starts_within(p.start_cs, lower, upper)]
        own_words = tuple(w for w in words if _starts_within(w.start_cs, lower, upper))
        utterances.append(Utterance(segment, with_noise(own_phones, segment), own_words))
    return utterances


def _starts_within(start: int, lower: int, upper: int | None) -> bool:
    return lower <= start and (upper is None or start < upper)
