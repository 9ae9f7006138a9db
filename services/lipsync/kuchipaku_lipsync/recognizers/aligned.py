"""The text is known: its words are found in the audio, phone by phone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.recognizers.base import Utterance, WordSegment, with_noise
from kuchipaku_lipsync.recognizers.decoder import (
    ScoredSpan,
    align_phones,
    aligning_decoder,
    dithered,
    find_words,
)
from kuchipaku_lipsync.recognizers.lexicon import Lexicon
from kuchipaku_lipsync.recognizers.reading import (
    FOREIGN_MARK,
    Language,
    Reading,
    UnreadableTextError,
    read_text,
)
from kuchipaku_lipsync.recognizers.stress import with_stress
from kuchipaku_lipsync.recognizers.text import SpokenToken
from kuchipaku_lipsync.recognizers.windows import plan_windows, word_range
from kuchipaku_lipsync.recognizers.words import (
    SILENCE_PHONE,
    is_spoken,
    phone_segments,
    spelling,
)
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, SEGMENT_PADDING_CS, Speech
from kuchipaku_lipsync.vad import Segment

# An alignment is believed when its phones score about as well as phones of the right words do.
# Scores are logarithms per frame against the best sound of the model: over the test recordings
# right texts reach -10 to -41 and wrong ones mostly -45 to -100.
MIN_SCORE: Final = -45.0
# Phones of another language fit the English model less: right texts reach -38 to -53 there.
MIN_FOREIGN_SCORE: Final = -58.0
# Synthetic voices fit the model less than people: eSpeak's right texts reach -46. Wrong texts that
# come near that leave a quarter of the speech without a phone, right ones an eighth at most.
_BENEFIT_OF_DOUBT: Final = 4.0
_COVERED_WELL: Final = 0.15
# A window with fewer phones is judged together with what is before it.
_MIN_PHONES_TO_JUDGE: Final = 25
# Share of the detected speech that may be left without a phone.
MAX_UNCOVERED: Final = 0.35
# The same in a short first window, which has to be right about where its text ends.
MAX_EARLY_UNCOVERED: Final = 0.15
# The acoustic model has three states to a phone, one frame each at least.
_MIN_PHONE_CS: Final = 3
# Words that were added to the dictionary stay in it: it is read anew after this many.
_MAX_ADDED_WORDS: Final = 5_000


# Words and phones of a window.
_Found = tuple[list[ScoredSpan], list[ScoredSpan]]


class AlignmentError(Exception):
    """The text cannot be found in the audio. `reason` is UPPER_SNAKE_CASE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class TextAligner:
    """Finds known words by pocketsphinx's forced alignment. One call at a time."""

    def __init__(self) -> None:
        self._renew()

    def align(self, speech: Speech, text: str, language: str = "") -> Iterator[Utterance]:
        """The utterances of `speech` with phones and words of `text`, as they are found.

        `language` is a tag such as "de"; empty, it is guessed. Raises AlignmentError when the text
        cannot be read or does not match the audio: most often before the first utterance, but
        later too, where the text goes wrong later.
        """
        try:
            reading = read_text(text, language, self._lexicon.is_known)
        except UnreadableTextError as error:
            raise AlignmentError(error.reason, error.message) from error
        if not speech.segments:
            return
        words = [word for token in reading.tokens for word in token.words]
        self._learn(words, reading)
        english = reading.language is Language.ENGLISH
        lowest = MIN_SCORE if english else MIN_FOREIGN_SCORE
        dealer = _Dealer(speech.segments, reading.tokens)
        spans: list[ScoredSpan] = []
        phones: list[PhoneSegment] = []
        since_cs = 0
        for window, found, heard in self._windows(speech, words):
            segments = _stressed(found, phone_segments(heard))
            if len(segments) < _MIN_PHONES_TO_JUDGE:
                # Too few to be judged by themselves: together with those before.
                spans, phones = spans + heard, phones + segments
            else:
                spans, phones, since_cs = heard, segments, window.start_cs
            stretch = _within(speech.segments, since_cs, window.end_cs)
            _check_match(spans, phones, stretch, lowest)
            yield from dealer.deal(segments, found, window.end_cs)
        yield from dealer.rest()

    def _windows(
        self, speech: Speech, words: Sequence[str]
    ) -> Iterator[tuple[Segment, list[ScoredSpan], list[ScoredSpan]]]:
        """Each window with its spoken words and all its phones, in centiseconds of the clip."""
        count = 0
        windows = plan_windows(speech.segments, speech.duration_cs, early=False)
        early_windows = plan_windows(speech.segments, speech.duration_cs)
        early = None
        if early_windows != windows:
            early = self._early_window(speech, early_windows[0], words)
            windows = early_windows if early else windows
        for index, window in enumerate(windows):
            found, phones = early or self._align_window(
                speech, window, words[count:], last=index == len(windows) - 1
            )
            early = None
            count += len(found)
            if index == len(windows) - 1 and count != len(words):
                raise _mismatch("some of its words were not found")
            yield window, found, phones

    def _early_window(self, speech: Speech, window: Segment, words: Sequence[str]) -> _Found | None:
        """What a short first window holds; None where that is not convincing.

        Where a text is cut is easily mistaken in a short stretch: sounds are left over then.
        """
        try:
            found, phones = self._align_window(speech, window, words, last=False)
        except AlignmentError:
            return None
        heard = phone_segments(phones)
        uncovered = _uncovered(heard, _within(speech.segments, 0, window.end_cs))
        return (found, phones) if uncovered <= MAX_EARLY_UNCOVERED else None

    def _align_window(
        self, speech: Speech, window: Segment, rest: Sequence[str], *, last: bool
    ) -> _Found:
        """Spoken words and all phones of a window: all of `rest` in the last one."""
        fewest = most = len(rest)
        if not last:
            fewest, most = word_range(speech.segments, window, len(rest))
        # Every phone takes at least three frames: no need to search for what cannot fit.
        if not rest or fewest * _MIN_PHONE_CS > window.duration_cs:
            raise _mismatch("its length differs too much from that of the audio")
        begin, end = (time * SAMPLES_PER_CS for time in (window.start_cs, window.end_cs))
        audio = dithered(speech.samples[begin:end])
        try:
            if not find_words(self._decoder, audio, rest[:most], fewest):
                raise _mismatch("no way through its words was found")
            found, phones = align_phones(self._decoder, audio)
        except RuntimeError as error:
            raise _mismatch("no way through its words was found") from error
        spoken = [_shifted(span, window.start_cs) for span in found if is_spoken(span.name)]
        return spoken, [_shifted(span, window.start_cs) for span in phones]

    def _renew(self) -> None:
        self._decoder: Any = aligning_decoder()
        self._lexicon = Lexicon(self._decoder)
        self._added: set[str] = set()

    def _learn(self, words: Sequence[str], reading: Reading) -> None:
        """Adds the words that the dictionary lacks: as they are read, else as rules say."""
        if len(self._added) > _MAX_ADDED_WORDS:
            self._renew()
        for word in dict.fromkeys(words):
            if self._lexicon.is_known(word):
                continue
            ways = reading.pronunciations.get(word)
            sounds = [" ".join(way) for way in ways] if ways else [self._lexicon.sounds(word)]
            for number, phones in enumerate(sounds, start=1):
                name = word if number == 1 else f"{word}({number})"
                self._decoder.add_word(name, phones, False)
            self._added.add(word)


class _Dealer:
    """Deals phones and words out to the segment in which, or before which, they start."""

    def __init__(self, segments: Sequence[Segment], tokens: Sequence[SpokenToken]) -> None:
        self._segments = segments
        self._tokens = iter(tokens)
        self._token = next(self._tokens, None)
        self._parts: list[ScoredSpan] = []
        self._phones: list[PhoneSegment] = []
        self._words: list[WordSegment] = []
        self._dealt = 0

    def deal(
        self, phones: Sequence[PhoneSegment], words: Sequence[ScoredSpan], end_cs: int
    ) -> Iterator[Utterance]:
        """Takes what was found up to `end_cs`; gives the segments that are complete."""
        self._phones.extend(phones)
        for word in words:
            self._add_word(word)
        while (
            self._dealt < len(self._segments) - 1 and self._segments[self._dealt].end_cs <= end_cs
        ):
            yield self._next(self._segments[self._dealt + 1].start_cs - SEGMENT_PADDING_CS)

    def rest(self) -> Iterator[Utterance]:
        """The segments that are left; nothing more will be found."""
        while self._dealt < len(self._segments) - 1:
            yield self._next(self._segments[self._dealt + 1].start_cs - SEGMENT_PADDING_CS)
        if self._dealt < len(self._segments):
            yield self._next(None)

    def _add_word(self, word: ScoredSpan) -> None:
        self._parts.append(word)
        if self._token is not None and len(self._parts) == len(self._token.words):
            first, last = self._parts[0], self._parts[-1]
            self._words.append(WordSegment(first.start, last.end, self._token.text))
            self._parts = []
            self._token = next(self._tokens, None)

    def _next(self, upper_cs: int | None) -> Utterance:
        segment = self._segments[self._dealt]
        self._dealt += 1
        phones = [p for p in self._phones if upper_cs is None or p.start_cs < upper_cs]
        words = [w for w in self._words if upper_cs is None or w.start_cs < upper_cs]
        self._phones = self._phones[len(phones) :]
        self._words = self._words[len(words) :]
        return Utterance(segment, with_noise(phones, segment), tuple(words))


def _mismatch(why: str) -> AlignmentError:
    return AlignmentError("TEXT_DOES_NOT_MATCH", f"The text does not match the audio: {why}.")


def _shifted(span: ScoredSpan, offset: int) -> ScoredSpan:
    return ScoredSpan(span.name, span.start + offset, span.end + offset, span.score)


def _within(segments: Sequence[Segment], start_cs: int, end_cs: int) -> list[Segment]:
    """The segments of a stretch of time, cut to it."""
    return [
        Segment(max(segment.start_cs, start_cs), min(segment.end_cs, end_cs))
        for segment in segments
        if segment.start_cs < end_cs and segment.end_cs > start_cs
    ]


def _check_match(
    spans: Sequence[ScoredSpan],
    phones: Sequence[PhoneSegment],
    segments: Sequence[Segment],
    lowest: float,
) -> None:
    spoken = [span for span in spans if span.name != SILENCE_PHONE]
    if not spoken:
        raise _mismatch("none of it was heard")
    median = statistics.median(span.score / (span.end - span.start) for span in spoken)
    mean = sum(span.score for span in spans) / sum(span.end - span.start for span in spans)
    uncovered = _uncovered(phones, segments)
    doubt = _BENEFIT_OF_DOUBT if uncovered <= _COVERED_WELL else 0.0
    if min(median, mean) < lowest - doubt:
        raise _mismatch("its words sound different")
    if uncovered > MAX_UNCOVERED:
        raise _mismatch("much of the speech is not in it")


def _stressed(words: Sequence[ScoredSpan], phones: Sequence[PhoneSegment]) -> list[PhoneSegment]:
    """The phones, in order, with the vowels of each English word told apart by its spelling."""
    result: list[PhoneSegment] = []
    own: list[PhoneSegment] = []
    ahead = iter(words)
    word = next(ahead, None)
    for phone in phones:
        while word is not None and phone.start_cs >= word.end:
            result += _of_word(word, own)
            own, word = [], next(ahead, None)
        own.append(phone)
    return result + (own if word is None else _of_word(word, own))


def _of_word(word: ScoredSpan, phones: list[PhoneSegment]) -> list[PhoneSegment]:
    return phones if FOREIGN_MARK in word.name else with_stress(spelling(word.name), phones)


def _uncovered(phones: Sequence[PhoneSegment], segments: Sequence[Segment]) -> float:
    """Share of the segments' time that no phone covers."""
    speech = _covering(segments)
    phonetic = _covering(phones)
    both = np.count_nonzero(speech[: len(phonetic)] & phonetic[: len(speech)])
    return 1.0 - both / max(int(np.count_nonzero(speech)), 1)


def _covering(spans: Sequence[Segment] | Sequence[PhoneSegment]) -> NDArray[np.bool_]:
    """Which centiseconds from the start of the clip on lie within the spans."""
    flags = np.zeros(max((span.end_cs for span in spans), default=0), np.bool_)
    for span in spans:
        flags[max(span.start_cs, 0) : span.end_cs] = True
    return flags
