"""Half the size straight from the tensor."""

from __future__ import annotations

import numpy as np
import pytest

from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture
from kuchipaku_pose.manifest import Convention
from kuchipaku_pose.view import make_view

PREMULTIPLIED = Convention.PREMULTIPLIED_SRGB


def _picture(side: int = 512) -> np.ndarray:
    noise = np.random.default_rng(5).integers(0, 256, (side, side, 4), np.uint8)
    noise[:, : side // 4, 3] = 0
    noise[noise[..., 3] == 0] = 0
    return noise


def _as_seen(picture: np.ndarray) -> np.ndarray:
    """Colours as much as alpha lets them be seen: of what is hardly seen, they are all rounding."""
    seen = picture.astype(float)
    seen[..., :3] *= seen[..., 3:] / 255
    return seen


@pytest.mark.parametrize("width", [256, 128])
def test_blocks_are_averaged_as_pillow_does(width: int) -> None:
    tensor = picture_to_tensor(_picture(), PREMULTIPLIED)
    view = make_view(512, width=width)
    direct = _as_seen(view.show(tensor, PREMULTIPLIED))
    by_way_of_bytes = _as_seen(view.apply(tensor_to_picture(tensor, PREMULTIPLIED)))
    assert np.abs(direct - by_way_of_bytes).max() < 2.5
    assert np.abs(direct - by_way_of_bytes).mean() < 0.5


def test_a_window_is_averaged_within_itself() -> None:
    picture = np.zeros((512, 512, 4), np.uint8)
    picture[100:356, 100:356] = (10, 20, 30, 255)
    tensor = picture_to_tensor(picture, PREMULTIPLIED)
    view = make_view(512, crop=(100, 100, 256, 256), width=128)
    assert (view.show(tensor, PREMULTIPLIED) == (10, 20, 30, 255)).all()


def test_transparent_pixels_lend_no_colour() -> None:
    picture = np.zeros((512, 512, 4), np.uint8)
    picture[:, ::2] = (200, 100, 50, 255)
    tensor = picture_to_tensor(picture, PREMULTIPLIED)
    shown = make_view(512, width=256).show(tensor, PREMULTIPLIED)
    assert (shown[..., :3] == (200, 100, 50)).all()
    assert set(np.unique(shown[..., 3])) <= {127, 128}


def test_other_sizes_and_conventions_take_the_usual_way() -> None:
    picture = _picture()
    for convention, width in ((PREMULTIPLIED, 200), (Convention.STRAIGHT_LINEAR, 256)):
        tensor = picture_to_tensor(picture, convention)
        view = make_view(512, width=width)
        expected = view.apply(tensor_to_picture(tensor, convention))
        assert np.array_equal(view.show(tensor, convention), expected)
