"""Random poses stay in range, and mirroring is its own inverse."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation.poses import PARAMETER_INDEX, PARAMETER_NAMES, pose_from
from kuchipaku_training.pose import sampling

_SIGNED = ("iris_rotation", "head_", "neck_", "body_")


@given(st.integers(0, 2**32 - 1))
def test_sampled_poses_lie_in_their_ranges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    face_kind, face = sampling.sample_face(rng)
    head_kind, head = sampling.sample_head(rng)
    assert face_kind in sampling.FACE_KINDS
    assert head_kind in sampling.HEAD_KINDS
    pose = np.concatenate([face, head])
    assert pose.shape == (len(PARAMETER_NAMES),)
    lowest = np.array([-1.0 if name.startswith(_SIGNED) else 0.0 for name in PARAMETER_NAMES])
    assert np.all(pose >= lowest)
    assert np.all(pose <= 1.0)


def test_all_parameters_are_sampled() -> None:
    rng = np.random.default_rng(0)
    draws = [
        np.concatenate([sampling.sample_face(rng)[1], sampling.sample_head(rng)[1]])
        for _ in range(3000)
    ]
    assert np.all(np.any(np.stack(draws) != 0.0, axis=0))


def test_mirroring_swaps_sides_and_negates_turns() -> None:
    pose = pose_from({"eye_wink_left": 0.7, "head_y": 0.5, "head_x": 0.25, "mouth_aaa": 0.3})
    mirrored = sampling.mirror(pose)
    assert mirrored[PARAMETER_INDEX["eye_wink_right"]] == np.float32(0.7)
    assert mirrored[PARAMETER_INDEX["eye_wink_left"]] == 0.0
    assert mirrored[PARAMETER_INDEX["head_y"]] == -0.5
    assert mirrored[PARAMETER_INDEX["head_x"]] == 0.25
    np.testing.assert_array_equal(sampling.mirror(mirrored), pose)


def test_a_smirk_cannot_be_mirrored() -> None:
    assert sampling.can_mirror(pose_from({"mouth_aaa": 1.0}))
    assert not sampling.can_mirror(pose_from({"mouth_smirk": 0.1}))
