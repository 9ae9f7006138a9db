from __future__ import annotations

import numpy as np
import pytest

from kuchipaku_contract.errors import InvalidArgumentError, ResourceExhaustedError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.intake import AudioLayout, ByteBudget, intake_for
from kuchipaku_media.pcm import PcmFormat


def test_raw_samples_are_kept_at_16_khz_and_mono() -> None:
    intake = intake_for(AudioLayout(PcmFormat.S16LE, 48_000, 2), "format")
    stereo = np.zeros((48_000, 2), "<i2")
    stereo[:, 0] = 16_384
    data = stereo.tobytes()
    kept = sum(intake.push(data[start : start + 9_999]) for start in range(0, len(data), 9_999))
    clip = intake.finish().clip()
    assert kept <= len(clip.samples) * 4
    assert (clip.sample_rate, len(clip.samples)) == (16_000, 16_000)
    assert clip.samples[4_000:12_000] == pytest.approx(0.25, abs=0.01)


def test_duration_is_limited_while_samples_come_in() -> None:
    intake = intake_for(AudioLayout(PcmFormat.S16LE, 4_000), "format")
    minute = bytes(2 * 4_000 * 60)
    for _ in range(int(LIMITS.max_audio_duration_s) // 60):
        intake.push(minute)
    with pytest.raises(InvalidArgumentError) as caught:
        intake.push(minute)
    assert caught.value.reason == "AUDIO_TOO_LONG"


def test_budget_gives_what_is_left_and_no_more() -> None:
    budget = ByteBudget(10)
    budget.take(10)
    with pytest.raises(ResourceExhaustedError):
        budget.take(1)
    budget.give_back(4)
    budget.take(4)
    assert budget.used == 10
