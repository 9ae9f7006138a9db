from __future__ import annotations

import numpy as np
import pytest

from kuchipaku_animation import (
    EYEBROW_SLICE,
    FACE_SLICE,
    PARAMETER_NAMES,
    PARAMETER_RANGES,
    POSE_SIZE,
    ROTATION_SLICE,
    VOWEL_NAMES,
    VOWEL_SLICE,
    mouth_opening,
    neutral_pose,
    pose_from,
)
from kuchipaku_animation.poses import pose_maximum, pose_minimum


def test_the_order_is_that_of_talking_head_anime():
    assert POSE_SIZE == len(set(PARAMETER_NAMES)) == len(PARAMETER_RANGES) == 45
    assert PARAMETER_NAMES[0] == "eyebrow_troubled_left"
    assert PARAMETER_NAMES[EYEBROW_SLICE][-1] == "eyebrow_serious_right"
    assert PARAMETER_NAMES[FACE_SLICE][0] == "eye_wink_left"
    assert PARAMETER_NAMES[FACE_SLICE][-1] == "iris_rotation_y"
    assert PARAMETER_NAMES[VOWEL_SLICE] == VOWEL_NAMES
    assert PARAMETER_NAMES[ROTATION_SLICE] == (
        "head_x",
        "head_y",
        "neck_z",
        "body_y",
        "body_z",
        "breathing",
    )


def test_the_bounds_are_made_once_and_nobody_changes_them():
    assert pose_minimum() is pose_minimum()
    assert list(zip(pose_minimum(), pose_maximum(), strict=True)) == list(PARAMETER_RANGES)
    with pytest.raises(ValueError, match="read-only"):
        pose_maximum()[0] = 2.0


def test_rotations_are_signed_and_everything_else_is_not():
    signed = {n for n, (low, _) in zip(PARAMETER_NAMES, PARAMETER_RANGES, strict=True) if low < 0}
    assert signed == {
        "iris_rotation_x",
        "iris_rotation_y",
        "head_x",
        "head_y",
        "neck_z",
        "body_y",
        "body_z",
    }


def test_neutral_is_zero_and_named_values_land_in_place():
    assert not neutral_pose().any()
    assert neutral_pose().dtype == np.float32
    pose = pose_from({"mouth_aaa": 0.5, "mouth_ooo": 0.25, "head_y": -1.0})
    assert pose[[26, 30, 40]].tolist() == [0.5, 0.25, -1.0]
    assert mouth_opening(np.stack([pose, neutral_pose()])).tolist() == [0.75, 0.0]


def test_an_unknown_parameter_is_refused():
    with pytest.raises(KeyError):
        pose_from({"mouth_x": 1.0})
