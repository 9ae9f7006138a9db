from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    EXPRESSIONS,
    PARAMETER_INDEX,
    PARAMETER_RANGES,
    VOWEL_SLICE,
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthShape,
    PoseTrack,
    animate,
    expression_pose,
)
from kuchipaku_animation.poses import PoseArray
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from tests.animation.strategies import expression_keys, timelines

STILL = AnimationOptions(motion="none")


def face(track: PoseTrack, name: str) -> PoseArray:
    return track.poses[:, PARAMETER_INDEX[name]]


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_every_expression_is_within_ranges_and_leaves_vowels_and_head_alone(name):
    pose = expression_pose(name)
    low, high = np.array(PARAMETER_RANGES).T
    assert ((pose >= low) & (pose <= high)).all()
    assert not pose[VOWEL_SLICE].any()
    assert not pose[39:].any()


def test_expressions_differ_from_each_other():
    poses = np.stack([expression_pose(name) for name in EXPRESSIONS])
    distances = np.abs(poses[:, None] - poses[None]).sum(axis=2)
    assert distances[~np.eye(len(poses), dtype=bool)].min() > 0.5


def test_the_named_set_is_complete():
    assert set(EXPRESSIONS) >= {
        "neutral",
        "happy",
        "angry",
        "sad",
        "surprised",
        "relaxed",
        "troubled",
        "smug",
        "embarrassed",
    }


def test_a_key_without_fade_begins_with_the_expression():
    track = animate([], [ExpressionKey(0.0, "happy", fade=0.0)], 0.2, STILL)
    np.testing.assert_allclose(
        track.poses, np.tile(expression_pose("happy"), (5, 1)), rtol=0, atol=1e-6
    )


def test_a_fade_is_eased_and_keeps_its_strength():
    keys = [ExpressionKey(0.2, "surprised", strength=0.5, fade=0.4)]
    raised = face(animate([], keys, 1.0, STILL), "eyebrow_raised_left")
    assert not raised[:6].any()
    assert (np.diff(raised) >= -1e-7).all()
    assert np.diff(raised)[5] < np.diff(raised)[9]
    np.testing.assert_allclose(raised[15:], 0.5)


def test_a_change_in_mid_fade_starts_from_the_face_of_that_moment():
    keys = [ExpressionKey(0.0, "angry", fade=1.0), ExpressionKey(0.5, "sad", fade=1.0)]
    track = animate([], keys, 2.0, AnimationOptions(fps=60.0, motion="none"))
    assert np.abs(np.diff(track.poses, axis=0)).max() < 0.04
    assert 0.2 < face(track, "eyebrow_angry_left").max() < 0.9
    assert not face(track, "eyebrow_angry_left")[-20:].any()


@given(timelines(), expression_keys())
def test_faces_stay_within_ranges(cues, keys):
    poses = animate(cues, keys, 7.0).poses
    low, high = np.array(PARAMETER_RANGES).T
    assert np.isfinite(poses).all()
    assert ((poses >= low) & (poses <= high)).all()


@given(timelines(), st.sampled_from(sorted(EXPRESSIONS)))
def test_speech_owns_the_vowels_whatever_the_expression(cues, name):
    spoken = animate(cues, (), options=STILL).poses[:, VOWEL_SLICE]
    both = animate(cues, [ExpressionKey(0.0, name, fade=0.0)], options=STILL)
    assert both.poses[:, VOWEL_SLICE].tolist() == spoken.tolist()


def test_corners_stay_raised_and_never_hang_from_an_open_mouth():
    cues = [MouthCue(0.4, 0.8, MouthShape.D)]

    def corner(expression: str, name: str) -> tuple[float, float]:
        key = ExpressionKey(0.0, expression, fade=0.0)
        values = face(animate(cues, [key], 1.2, STILL), name)
        return values[0], values[15]

    raised = corner("happy", "mouth_raised_corner_left")
    assert raised[0] == pytest.approx(0.9)
    assert 0.2 < raised[1] < raised[0]
    for expression, name in [("sad", "mouth_lowered_corner_right"), ("smug", "mouth_smirk")]:
        shut, wide = corner(expression, name)
        assert shut >= 0.9
        assert wide == 0.0


@pytest.mark.parametrize(
    ("key", "field", "reason"),
    [
        (ExpressionKey(1.0, "hungry"), "expressions[1].name", "EXPRESSION_UNKNOWN"),
        (ExpressionKey(math.nan, "sad"), "expressions[1].time", "EXPRESSION_KEY_INVALID"),
        (ExpressionKey(-1.0, "sad"), "expressions[1].time", "EXPRESSION_KEY_INVALID"),
        (ExpressionKey(0.4, "sad"), "expressions[1].time", "EXPRESSIONS_NOT_SORTED"),
        (ExpressionKey(1.0, "sad", 1.5), "expressions[1].strength", "EXPRESSION_KEY_INVALID"),
        (ExpressionKey(1.0, "sad", 1.0, -0.1), "expressions[1].fade", "EXPRESSION_KEY_INVALID"),
        (
            ExpressionKey(1.0, "sad", 1.0, LIMITS.max_expression_fade_s + 1),
            "expressions[1].fade",
            "EXPRESSION_KEY_INVALID",
        ),
    ],
)
def test_a_bad_key_is_refused_by_name(key, field, reason):
    with pytest.raises(InvalidArgumentError) as refusal:
        animate([], [ExpressionKey(0.5, "happy"), key], 2.0)
    assert (refusal.value.field, refusal.value.reason) == (field, reason)


def test_too_many_keys_are_refused():
    keys = [ExpressionKey(1.0, "sad")] * (LIMITS.max_expressions + 1)
    with pytest.raises(InvalidArgumentError) as refusal:
        animate([], keys, 2.0)
    assert refusal.value.reason == "TOO_MANY_EXPRESSIONS"
