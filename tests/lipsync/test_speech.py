from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_lipsync.loudness import LoudnessMeter
from kuchipaku_lipsync.speech import dc_offset, prepare_speech, without_dc_offset
from kuchipaku_media.audio import AudioClip

RATE = 16_000


def _noise(seconds: float, amplitude: float) -> NDArray[np.float32]:
    generator = np.random.default_rng(1)
    return np.asarray(generator.normal(0, amplitude, int(seconds * RATE)), np.float32)


def test_speech_is_found_where_it_is(hello_clip: AudioClip) -> None:
    segments = prepare_speech(hello_clip).segments
    # Three sentences, the pauses between them longer than 0.3 s.
    assert len(segments) >= 3
    assert 0.1 < segments[0].start_cs / 100 < 0.3
    assert 6.0 < segments[-1].end_cs / 100 < 6.38
    silent = [(0.0, 0.12), (0.9, 1.1), (2.8, 3.0)]
    for start, end in silent:
        for segment in segments:
            assert segment.end_cs <= start * 100 + 3 or segment.start_cs >= end * 100 - 3


def test_silence_and_room_tone_hold_no_speech() -> None:
    for amplitude in (0.0, 0.0005):
        speech = prepare_speech(AudioClip(_noise(3, amplitude), RATE))
        assert speech.segments == ()
        assert not speech.boosted


def test_quiet_speech_is_raised_and_found(hello_clip: AudioClip) -> None:
    quiet = AudioClip(np.asarray(hello_clip.samples * 0.01, np.float32), hello_clip.sample_rate)
    speech = prepare_speech(quiet)
    assert speech.boosted
    expected = prepare_speech(hello_clip).segments
    assert speech.segments[0].start_cs == pytest.approx(expected[0].start_cs, abs=5)
    assert speech.segments[-1].end_cs == pytest.approx(expected[-1].end_cs, abs=12)


def test_clipping_is_noticed(hello_clip: AudioClip) -> None:
    loud = np.clip(hello_clip.samples * 20, -1, 1)
    assert prepare_speech(AudioClip(loud, RATE)).clipped
    assert not prepare_speech(hello_clip).clipped


@pytest.mark.parametrize("seconds", [1, 10])
def test_dc_offset_is_removed(seconds: float) -> None:
    shifted = _noise(seconds, 0.1) + np.float32(0.3)
    centred = without_dc_offset(shifted, RATE)
    assert abs(dc_offset(centred, RATE)) < 0.005
    assert np.abs(centred).max() <= 1


def test_other_rates_are_resampled(hello_clip: AudioClip) -> None:
    half = AudioClip(np.ascontiguousarray(hello_clip.samples[::2]), RATE // 2)
    speech = prepare_speech(half)
    assert speech.duration_cs == pytest.approx(hello_clip.duration_s * 100, abs=1)
    assert speech.segments


def test_loudness_follows_the_speech(hello_clip: AudioClip) -> None:
    speech = prepare_speech(hello_clip)
    meter = LoudnessMeter(speech)
    first = speech.segments[0]
    assert meter.over(first.start_cs, first.end_cs) > 0.3
    assert meter.over(0, 8) < 0.05
    assert meter.over(10_000, 10_010) == 0
    assert all(0 <= meter.over(start, start + 7) <= 1 for start in range(0, speech.duration_cs, 7))


def test_loudness_does_not_depend_on_the_gain(hello_clip: AudioClip) -> None:
    half = AudioClip(np.asarray(hello_clip.samples * 0.5, np.float32), RATE)
    loud, soft = prepare_speech(hello_clip), prepare_speech(half)
    assert LoudnessMeter(soft).over(120, 140) == pytest.approx(
        LoudnessMeter(loud).over(120, 140), abs=0.05
    )
