"""Faces that stand still."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    BLINK_STEPS,
    EXPRESSIONS,
    PARAMETER_INDEX,
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthShape,
    Still,
    animate,
    least_pictures,
    still_poses,
)
from kuchipaku_animation.poses import pose_maximum, pose_minimum

NAMES = sorted(EXPRESSIONS)
LIDS = ("eye_wink", "eye_happy_wink", "eye_relaxed")


@pytest.mark.parametrize("shape", list(MouthShape))
@pytest.mark.parametrize("expression", ["neutral", "happy", "smug", "sad"])
def test_a_still_is_where_a_long_cue_arrives(shape: MouthShape, expression: str) -> None:
    track = animate(
        [MouthCue(0.0, 1.0, shape)],
        [ExpressionKey(0.0, expression, fade=0.0)],
        options=AnimationOptions(motion="none"),
    )
    still = still_poses([Still(expression, shape=shape)])[0]
    np.testing.assert_allclose(track.poses[12], still, atol=1e-6)


@given(
    expression=st.sampled_from(NAMES),
    strength=st.floats(0.0, 1.0),
    shape=st.sampled_from(list(MouthShape)),
    closed=st.floats(0.0, 1.0),
)
def test_stills_are_within_the_ranges_and_close_eyes_once(
    expression: str, strength: float, shape: MouthShape, closed: float
) -> None:
    pose = still_poses([Still(expression, strength, shape, closed)])[0]
    assert (pose >= pose_minimum()).all()
    assert (pose <= pose_maximum()).all()
    for side in ("left", "right"):
        shut = sum(pose[PARAMETER_INDEX[f"{lid}_{side}"]] for lid in LIDS)
        assert shut <= 1.0 + 1e-6
        assert shut >= closed - 1e-6


def test_a_blink_shuts_the_eyes_and_is_as_long_as_an_animated_one() -> None:
    assert max(step.eyes_closed for step in BLINK_STEPS) == 1.0
    assert sum(step.duration_s for step in BLINK_STEPS) == pytest.approx(0.165)
    assert len({step.eyes_closed for step in BLINK_STEPS}) == len(BLINK_STEPS)


def test_an_unknown_expression_is_an_error() -> None:
    with pytest.raises(KeyError):
        still_poses([Still("hungry")])


def test_no_stills_are_no_poses() -> None:
    assert still_poses([]).shape == (0, 45)


def test_faces_that_may_look_alike_are_counted_once() -> None:
    shapes = [Still("happy", shape=shape) for shape in MouthShape]
    blinks = [Still("happy", eyes_closed=step.eyes_closed) for step in BLINK_STEPS]
    shut = [Still("joyful", eyes_closed=step.eyes_closed) for step in BLINK_STEPS]
    assert least_pictures(blinks) == len(blinks)
    # A happy wink shuts the eyes already.
    assert least_pictures(shut) == 1
    assert least_pictures(blinks + blinks + shut) == len(blinks) + 1
    assert 5 < least_pictures(shapes) < len(shapes)
    assert least_pictures([]) == 0
