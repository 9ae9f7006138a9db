"""The starter pack that the repository ships, by what it does to a drawn character."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_animation import PARAMETER_INDEX, PARAMETER_NAMES
from kuchipaku_imagegen import illustrator
from kuchipaku_pose.engine import Engine, FrameRequest
from kuchipaku_pose.pack import discover_packs, load_pack
from kuchipaku_pose.settings import default_model_folders
from kuchipaku_pose.view import make_view

Picture = NDArray[np.uint8]

FACE = (slice(32, 224), slice(160, 352))
LEVEL = 1.01 / 255
"""One of 256 levels, which rounding may move."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = discover_packs(default_model_folders())
    assert "starter" in found, "the pack that the repository ships is missing from models/starter"
    return Engine(load_pack(found["starter"]))


@pytest.fixture(scope="module")
def picture() -> Picture:
    return illustrator.render(illustrator.random_attributes(300_001))


def render(engine: Engine, picture: Picture, **pose: float) -> Picture:
    values = np.zeros(45, np.float32)
    for name, value in pose.items():
        values[PARAMETER_INDEX[name]] = value
    request = FrameRequest(engine.prepare("c", picture), values, make_view(512))
    return engine.render([request])[0].pixels


def on_grey(picture: Picture) -> NDArray[np.float64]:
    values = picture / 255
    return np.asarray(values[..., :3] * values[..., 3:] + 0.5 * (1 - values[..., 3:]))


def psnr(one: Picture, other: Picture) -> float:
    return float(-10 * np.log10(np.mean((on_grey(one) - on_grey(other)) ** 2) + 1e-12))


def change(one: Picture, other: Picture) -> NDArray[np.float64]:
    return np.asarray(np.abs(on_grey(one) - on_grey(other)).max(axis=-1))


def test_the_pack_takes_the_45_parameters(engine: Engine) -> None:
    assert engine.space.names == PARAMETER_NAMES


def mouth_of(engine: Engine, picture: Picture) -> tuple[slice, slice]:
    """Return the rows and columns that opening the mouth changes."""
    moved = change(render(engine, picture, mouth_aaa=1.0), render(engine, picture))
    rows, columns = np.nonzero(moved > 0.1)
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def test_the_neutral_pose_gives_the_picture_back(engine: Engine, picture: Picture) -> None:
    neutral = render(engine, picture)
    assert psnr(neutral, picture) > 35
    assert psnr(neutral[FACE], picture[FACE]) > 30


def test_the_mouth_moves_the_mouth_and_nothing_outside_the_face(
    engine: Engine, picture: Picture
) -> None:
    rows, columns = mouth_of(engine, picture)
    assert 140 < rows.start < rows.stop < 192
    assert 216 < columns.start < columns.stop < 296
    moved = change(render(engine, picture, mouth_aaa=1.0), render(engine, picture))
    assert moved.max() > 0.4
    moved[FACE] = 0
    assert moved.max() <= LEVEL


def test_mouth_shapes_differ_from_each_other(engine: Engine, picture: Picture) -> None:
    vowels = ["mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo"]
    box = mouth_of(engine, picture)
    mouths = [render(engine, picture, **{vowel: 1.0})[box] for vowel in vowels]
    mouths.append(render(engine, picture)[box])
    for i, one in enumerate(mouths):
        for other in mouths[:i]:
            assert psnr(one, other) < 26


def test_turning_the_head_moves_more_than_the_face(engine: Engine, picture: Picture) -> None:
    moved = change(render(engine, picture, head_y=0.8), render(engine, picture))
    assert np.isfinite(moved).all()
    moved[FACE] = 0
    assert moved.max() > 0.3


def test_a_frame_is_the_same_every_time(engine: Engine, picture: Picture) -> None:
    pose = {"mouth_aaa": 0.4, "head_x": 0.3, "breathing": 0.5, "eye_wink_left": 1.0}
    first = render(engine, picture, **pose)
    again = Engine(engine.pack)
    np.testing.assert_array_equal(first, render(again, picture, **pose))
