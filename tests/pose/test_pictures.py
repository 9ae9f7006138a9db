from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture
from kuchipaku_pose.manifest import Convention, Parameter
from kuchipaku_pose.posespace import PoseSpace
from kuchipaku_pose.view import make_view

PREMULTIPLIED = Convention.PREMULTIPLIED_SRGB


def all_levels() -> np.ndarray:
    """(256, 256, 4): every colour level against every alpha level."""
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256))
    return np.stack([colour, 255 - colour, colour, alpha], -1).astype(np.uint8)


def test_premultiplied_tensor_values() -> None:
    tensor = picture_to_tensor(all_levels(), PREMULTIPLIED)
    assert tensor.shape == (4, 256, 256)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    # Row = alpha, column = red.
    assert tensor[0, 51, 102] == pytest.approx(0.4 * 0.2, abs=1e-7)
    assert tensor[3, 51, 102] == pytest.approx(0.2, abs=1e-7)


def test_every_visible_pixel_survives_there_and_back() -> None:
    picture = all_levels()
    back = tensor_to_picture(picture_to_tensor(picture, PREMULTIPLIED), PREMULTIPLIED)
    np.testing.assert_array_equal(back[1:], picture[1:])
    assert not back[0].any()


def test_what_a_network_overshoots_is_clipped() -> None:
    tensor = np.array([[1.4], [-0.2], [0.5], [1.1]], np.float32)[..., None]
    assert tensor_to_picture(tensor, PREMULTIPLIED)[0, 0].tolist() == [255, 0, 116, 255]
    faint = np.array([[0.5], [0.5], [0.5], [0.0015]], np.float32)[..., None]
    assert tensor_to_picture(faint, PREMULTIPLIED)[0, 0].tolist() == [0, 0, 0, 0]


def test_the_whole_canvas_is_passed_through() -> None:
    picture = all_levels()
    view = make_view(256)
    np.testing.assert_array_equal(view.apply(picture), picture)


def test_a_crop_is_cut_and_scaled_both_ways() -> None:
    picture = np.zeros((512, 512, 4), np.uint8)
    picture[:, 256:] = (255, 0, 0, 255)
    view = make_view(512, crop=(128, 0, 256, 384), width=128)
    assert (view.width, view.height) == (128, 192)
    small = view.apply(picture)
    assert small.shape == (192, 128, 4)
    assert small[50, 63].tolist() == [0, 0, 0, 0]
    assert small[50, 64].tolist() == [255, 0, 0, 255]
    large = make_view(512, height=1024).apply(picture)
    assert large.shape == (1024, 1024, 4)
    assert large[3, 520].tolist() == [255, 0, 0, 255]
    strip = make_view(512, crop=(0, 0, 512, 128)).apply(picture)
    assert strip.base is None, "a view would keep the whole canvas in memory"
    # Colour of transparent pixels never bleeds into the soft edge.
    edge = large[500, 505:518]
    assert (edge[edge[:, 3] > 0][:, 0] >= 254).all()


@pytest.mark.parametrize(
    ("crop", "width", "height", "reason"),
    [
        ((-1, 0, 100, 100), 0, 0, "CROP_OUT_OF_CANVAS"),
        ((500, 0, 100, 100), 0, 0, "CROP_OUT_OF_CANVAS"),
        ((0, 0, 8, 100), 0, 0, "CROP_OUT_OF_CANVAS"),
        ((0, 0, 0, 0), 0, 0, "CROP_OUT_OF_CANVAS"),
        ((0, 0, 64, 64), 0, 0, "FRAME_SIZE_OUT_OF_RANGE"),
        (None, 127, 0, "FRAME_SIZE_OUT_OF_RANGE"),
        (None, 0, 1025, "FRAME_SIZE_OUT_OF_RANGE"),
        (None, -5, 0, "FRAME_SIZE_OUT_OF_RANGE"),
        ((0, 0, 512, 128), 256, 0, "FRAME_SIZE_OUT_OF_RANGE"),
        (None, 512, 256, "FRAME_ASPECT_CHANGED"),
    ],
)
def test_wrong_views_are_refused(
    crop: tuple[int, int, int, int] | None, width: int, height: int, reason: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make_view(512, crop=crop, width=width, height=height)
    assert caught.value.reason == reason
    assert (caught.value.field or "").startswith("config.frame_format.")


SPACE = PoseSpace(
    (
        Parameter(name="open", minimum=0, maximum=1, neutral=0),
        Parameter(name="turn", minimum=-1, maximum=1, neutral=0),
    )
)


def test_values_out_of_range_are_clamped_and_counted() -> None:
    checked = SPACE.check(np.array([[0.5, 0.5], [-1, 2], [1, -1]]))
    assert checked.poses.tolist() == [[0.5, 0.5], [0, 1], [1, -1]]
    assert checked.clamped_count == 2


@pytest.mark.parametrize(
    ("poses", "reason"),
    [
        ([[0.0]], "POSE_WRONG_LENGTH"),
        ([[0.0, 0.0, 0.0]], "POSE_WRONG_LENGTH"),
        ([[]], "POSE_WRONG_LENGTH"),
        ([[0.0, float("nan")]], "POSE_NOT_FINITE"),
        ([[float("inf"), 0.0]], "POSE_NOT_FINITE"),
    ],
)
def test_wrong_poses_are_refused(poses: list[list[float]], reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        SPACE.check(poses)
    assert caught.value.reason == reason


@given(st.floats(-1, 1, width=32), st.sampled_from([0.0, 1e-6, 1 / 64, 0.1, 0.25]))
def test_rounding_stays_near_in_range_and_repeats(turn: float, quantum: float) -> None:
    pose = np.array([[abs(turn), turn]], np.float32)
    rounded = SPACE.quantise(pose, quantum)
    assert np.abs(rounded - pose).max() <= quantum / 2 + 1e-6
    assert (rounded >= SPACE.minimum).all()
    assert (rounded <= SPACE.maximum).all()
    np.testing.assert_array_equal(SPACE.quantise(rounded, quantum), rounded)
    assert not np.signbit(rounded[rounded == 0]).any()
    assert rounded.dtype == np.float32


@given(st.floats(0, 1, width=32), st.sampled_from([1 / 128, 0.1, 0.25]))
def test_rounding_keeps_the_neutral_pose(neutral: float, quantum: float) -> None:
    space = PoseSpace((Parameter(name="size", minimum=0, maximum=1, neutral=neutral),))
    np.testing.assert_array_equal(space.quantise(space.neutral[None], quantum)[0], space.neutral)
    near = np.clip(space.neutral[None] + np.float32(quantum / 3), 0, 1)
    np.testing.assert_array_equal(space.quantise(near, quantum)[0], space.neutral)


@pytest.mark.parametrize("quantum", [-0.1, 0.26, float("nan"), 1e-310, 1e-50, 1e-39, 9e-7])
def test_wrong_quanta_are_refused(quantum: float) -> None:
    with pytest.raises(InvalidArgumentError):
        SPACE.quantise(np.zeros((1, 2), np.float32), quantum)
