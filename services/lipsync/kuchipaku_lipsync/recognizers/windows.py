"""Long recordings in pieces, cut in pauses: aligning costs memory by the square of the length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from kuchipaku_lipsync.speech import SEGMENT_PADDING_CS
from kuchipaku_lipsync.vad import Segment

MIN_WINDOW_CS: Final = 1_200
MAX_WINDOW_CS: Final = 3_000
# What is left at the end joins the last window up to this length.
MAX_LAST_CS: Final = 4_500

# The first window may be shorter, for early cues, where a pause is so long that most cues before it
# are final.
MIN_FIRST_WINDOW_CS: Final = 150
EARLY_PAUSE_CS: Final = 25

# How far the share of the words that fall into a window may be off its share of the speech.
_SLACK: Final = 0.5
_SLACK_WORDS: Final = 12


def plan_windows(
    segments: Sequence[Segment], duration_cs: int, *, early: bool = True
) -> list[Segment]:
    """Windows that cover all segments (at least one), in order, each cut in its longest pause.

    With `early` the first one ends in the first long pause, so that cues come early. Speech
    without any pause for `MAX_WINDOW_CS` is cut all the same.
    """
    start = max(segments[0].start_cs - SEGMENT_PADDING_CS, 0)
    end = min(segments[-1].end_cs + SEGMENT_PADDING_CS, duration_cs)
    pauses = [
        (after.start_cs - before.end_cs, (before.end_cs + after.start_cs) // 2)
        for before, after in pairwise(segments)
    ]
    windows = []
    first = _early_cut(pauses, start, end) if early else None
    if first is not None:
        windows.append(Segment(start, first))
        start = first
    while end - start > MAX_LAST_CS:
        within = [
            (length, middle)
            for length, middle in pauses
            if MIN_WINDOW_CS <= middle - start <= MAX_WINDOW_CS
        ]
        cut = max(within)[1] if within else start + MAX_WINDOW_CS
        windows.append(Segment(start, cut))
        start = cut
    windows.append(Segment(start, end))
    return windows


def _early_cut(pauses: Sequence[tuple[int, int]], start_cs: int, end_cs: int) -> int | None:
    """Where the first window may end; `pauses` have a length and a middle each."""
    for length, middle in pauses:
        first, rest = middle - start_cs, end_cs - middle
        if length >= EARLY_PAUSE_CS and min(first, rest) >= MIN_FIRST_WINDOW_CS:
            return middle if first <= MIN_WINDOW_CS else None
    return None


def speech_within(segments: Sequence[Segment], start_cs: int, end_cs: int | None = None) -> int:
    """Centiseconds of speech from `start_cs` on, up to `end_cs` or the end."""
    return sum(
        max(0, (s.end_cs if end_cs is None else min(s.end_cs, end_cs)) - max(s.start_cs, start_cs))
        for s in segments
    )


def word_range(
    segments: Sequence[Segment], window: Segment, remaining_words: int
) -> tuple[int, int]:
    """Fewest and most of the remaining words that may fall into a window."""
    rest = speech_within(segments, window.start_cs)
    share = speech_within(segments, window.start_cs, window.end_cs) / max(rest, 1)
    expected = share * remaining_words
    fewest = int(expected * (1 - _SLACK)) - _SLACK_WORDS
    most = int(expected * (1 + _SLACK)) + _SLACK_WORDS
    return min(max(fewest, 1), remaining_words), min(most, remaining_words)
