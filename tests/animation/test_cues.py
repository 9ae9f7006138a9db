from __future__ import annotations

import math

import pytest
from hypothesis import given

from kuchipaku_animation import MouthCue, MouthShape, validate_cues
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from tests.animation.strategies import timelines

A, D = MouthShape.A, MouthShape.D


@given(timelines())
def test_sorted_cues_with_gaps_are_valid(cues):
    validate_cues(cues)


def test_no_cues_are_valid():
    validate_cues([])


@pytest.mark.parametrize(
    ("cue", "field", "reason"),
    [
        (MouthCue(math.nan, 1.0, D), "cues[1].start", "CUE_TIME_INVALID"),
        (MouthCue(-0.1, 1.0, D), "cues[1].start", "CUE_TIME_INVALID"),
        (MouthCue(0.5, math.inf, D), "cues[1].end", "CUE_TIME_INVALID"),
        (MouthCue(0.5, 0.5, D), "cues[1].end", "CUE_TIME_INVALID"),
        (MouthCue(0.5, 0.4, D), "cues[1].end", "CUE_TIME_INVALID"),
        (MouthCue(0.5, LIMITS.max_audio_duration_s + 1, D), "cues[1].end", "CUE_TIME_INVALID"),
        (MouthCue(0.4, 1.0, D), "cues[1].start", "CUES_OVERLAP"),
        (MouthCue(0.5, 1.0, D, 1.1), "cues[1].loudness", "CUE_LOUDNESS_INVALID"),
        (MouthCue(0.5, 1.0, D, math.nan), "cues[1].loudness", "CUE_LOUDNESS_INVALID"),
    ],
)
def test_a_bad_cue_is_refused_by_name(cue, field, reason):
    with pytest.raises(InvalidArgumentError) as refusal:
        validate_cues([MouthCue(0.0, 0.5, A), cue])
    assert (refusal.value.field, refusal.value.reason) == (field, reason)


def test_rounding_is_not_an_overlap():
    validate_cues([MouthCue(0.0, 0.3 + 1e-9, A), MouthCue(0.3, 0.4, D)])


def test_too_many_cues_are_refused():
    cues = [MouthCue(0.0, 1.0, A)] * (LIMITS.max_cues + 1)
    with pytest.raises(InvalidArgumentError, match="at most") as refusal:
        validate_cues(cues, field="request.cues")
    assert refusal.value.field == "request.cues"
