from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_lipsync.recognise import Recognizers, align_text
from kuchipaku_lipsync.recognizers.windows import (
    MAX_LAST_CS,
    MAX_WINDOW_CS,
    plan_windows,
    word_range,
)
from kuchipaku_lipsync.vad import MAX_SEGMENT_CS, VAD_SAMPLE_RATE, Segment, detect_speech
from kuchipaku_media.audio import AudioClip


@st.composite
def _segments(draw: st.DrawFn) -> list[Segment]:
    segments = []
    cursor = 0
    for pause, length in draw(
        st.lists(st.tuples(st.integers(11, 300), st.integers(5, 4000)), min_size=1, max_size=30)
    ):
        segments.append(Segment(cursor + pause, cursor + pause + length))
        cursor += pause + length
    return segments


@given(_segments(), st.integers(1, 5000))
def test_windows_cover_the_speech_in_bounded_pieces(segments: list[Segment], words: int) -> None:
    duration = segments[-1].end_cs + 10
    windows = plan_windows(segments, duration)
    assert windows[0].start_cs <= segments[0].start_cs
    assert segments[-1].end_cs <= windows[-1].end_cs <= duration
    assert all(before.end_cs == after.start_cs for before, after in pairwise(windows))
    assert all(0 < window.duration_cs <= MAX_LAST_CS for window in windows)
    for window in windows[:-1]:
        assert window.duration_cs <= MAX_WINDOW_CS
        fewest, most = word_range(segments, window, words)
        assert 1 <= fewest <= most <= words


def test_windows_are_cut_in_the_longest_pause() -> None:
    segments = [Segment(0, 1400), Segment(1450, 2000), Segment(2100, 2900), Segment(2920, 6000)]
    assert plan_windows(segments, 6000)[0].end_cs == 2050


def test_a_long_recording_is_aligned_in_windows(
    hello_clip: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    times = 9
    clip = AudioClip(np.tile(hello_clip.samples, times), hello_clip.sample_rate)
    result = align_text(clip, hello_text * times, recognizers)
    starts = [word.start for word in result.words if word.text == "Kuchipaku"]
    assert len(starts) == times
    for index, start in enumerate(starts):
        assert start == pytest.approx(1.74 + index * hello_clip.duration_s, abs=0.1)


def test_endless_sound_is_cut_where_it_is_quietest() -> None:
    generator = np.random.default_rng(5)
    sound = generator.normal(0, 3000, VAD_SAMPLE_RATE * 100)
    quiet = 52
    sound[quiet * VAD_SAMPLE_RATE : quiet * VAD_SAMPLE_RATE + 400] *= 0.5
    segments = detect_speech(sound.astype(np.int16))
    assert all(segment.duration_cs <= MAX_SEGMENT_CS for segment in segments)
    assert segments[0].end_cs == pytest.approx(quiet * 100, abs=12)
    assert segments[0].end_cs == segments[1].start_cs
