"""Hands of other artists draw the same character otherwise, and every hand poses its features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_animation.poses import pose_from
from kuchipaku_imagegen.illustrator import Character, Style, random_attributes, random_style

SEEDS = (3, 17, 40, 58, 71)
FACE = (slice(60, 216), slice(170, 342))
"""Rows and columns that hold eyes, brows and mouth, whoever draws."""


def drawn(seed: int, style: Style, **pose: float) -> np.ndarray:
    """The character of a seed, (512, 512, 4)."""
    character = Character(random_attributes(seed), style)
    return character.render(pose_from(pose)).astype(float)


@settings(max_examples=25, deadline=None)
@given(st.integers())
def test_a_seed_has_one_hand(seed: int) -> None:
    assert random_style(seed) == random_style(seed)
    assert random_style(seed) != random_style(seed + 1)


def test_the_default_is_the_illustrators_own_hand() -> None:
    attributes = random_attributes(8)
    assert Character(attributes, Style()).svg() == Character(attributes).svg()


@pytest.mark.parametrize("seed", SEEDS)
def test_hands_differ(seed: int) -> None:
    own, other = drawn(seed, Style()), drawn(seed, random_style(seed))
    changed = np.abs(own - other).max(-1) > 20
    assert changed[FACE].mean() > 0.02


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "pose", [{"eye_wink": 1.0}, {"mouth_aaa": 1.0}, {"iris_rotation_y": 1.0}], ids=str
)
def test_every_hand_poses_eyes_and_mouth_and_leaves_the_rest(
    seed: int, pose: dict[str, float]
) -> None:
    style = random_style(seed)
    change = np.abs(drawn(seed, style, **pose) - drawn(seed, style)).max(-1) > 20
    assert change.sum() > 40
    change[FACE] = False
    assert not change.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bare_face_of_every_hand_has_no_features(seed: int) -> None:
    character = Character(random_attributes(seed), random_style(seed))
    bare, whole = character.render(bare=True), character.render()
    gone = np.abs(bare.astype(float) - whole).max(-1) > 20
    assert gone[FACE].sum() > 200
    gone[FACE] = False
    assert not gone.any()
    posed = character.render(pose_from({"eye_wink": 1.0, "mouth_aaa": 1.0}), bare=True)
    assert np.array_equal(bare, posed)
