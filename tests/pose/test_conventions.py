"""Pictures to tensors and back, against the original code's own conversion."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture
from kuchipaku_pose.manifest import Convention

LINEAR = [c for c in Convention if c is not Convention.PREMULTIPLIED_SRGB]


@pytest.fixture(scope="module")
def image_io() -> dict[str, NDArray[np.float32]]:
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    path = Path(root or "") / "vectors" / "dev" / "image_io.npz"
    if not root or not path.is_file():
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder with vectors/dev/image_io.npz")
    with np.load(path) as data:
        return dict(data)


@pytest.mark.parametrize(
    ("key", "convention"),
    [
        ("tensor_v1", Convention.STRAIGHT_LINEAR_UNMASKED),
        ("tensor_v2", Convention.STRAIGHT_LINEAR),
        ("tensor_v3", Convention.STRAIGHT_LINEAR),
        ("tensor_v4", Convention.PREMULTIPLIED_LINEAR),
    ],
)
def test_tensors_are_the_originals(
    image_io: dict[str, NDArray[np.float32]], key: str, convention: Convention
) -> None:
    picture = image_io["pixels_in"].astype(np.uint8)
    tensor = picture_to_tensor(picture, convention)
    assert tensor.dtype == np.float32
    assert np.abs(tensor - image_io[key]).max() <= 1e-6


@pytest.mark.parametrize(
    ("key", "convention", "least_alpha"),
    [
        ("pixels_v3", Convention.STRAIGHT_LINEAR, 1),
        ("pixels_v3", Convention.STRAIGHT_LINEAR_UNMASKED, 1),
        ("pixels_v4", Convention.PREMULTIPLIED_LINEAR, 8),
    ],
)
def test_pictures_are_the_originals(
    image_io: dict[str, NDArray[np.float32]], key: str, convention: Convention, least_alpha: int
) -> None:
    expected = image_io[key].astype(int)
    got = tensor_to_picture(image_io["tensor_in"], convention).astype(int)
    visible = expected[..., 3] >= least_alpha
    differences = np.abs(got - expected)
    assert differences[..., 3].max() <= 1
    assert differences[visible].max() <= 1
    assert (differences[visible] == 0).mean() >= 0.995


@pytest.mark.parametrize("convention", Convention)
def test_what_goes_in_comes_out(convention: Convention) -> None:
    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    picture[:16, :, 3] = 255
    picture[16:32, :, 3] = 0
    back = tensor_to_picture(picture_to_tensor(picture, convention), convention)
    np.testing.assert_array_equal(back[..., 3], picture[..., 3])
    np.testing.assert_array_equal(back[:16], picture[:16])
    assert not back[16:32].any()
    clear = picture[..., 3] >= 64
    assert np.abs(back[clear].astype(int) - picture[clear]).max() <= 1


@pytest.mark.parametrize("convention", LINEAR)
def test_values_that_networks_overshoot_are_clipped(convention: Convention) -> None:
    tensor = np.full((4, 2, 2), 1.3, np.float32)
    tensor[:, 0, 0] = -1.3
    picture = tensor_to_picture(tensor, convention)
    assert (picture[1, 1] == 255).all()
    assert not picture[0, 0].any()


def test_hidden_colours_are_kept_for_version_1_alone() -> None:
    picture = np.full((2, 2, 4), 200, np.uint8)
    picture[..., 3] = 0
    kept = picture_to_tensor(picture, Convention.STRAIGHT_LINEAR_UNMASKED)
    assert (kept[:3] > 0).all()
    assert (kept[3] == -1).all()
    assert (picture_to_tensor(picture, Convention.STRAIGHT_LINEAR) == -1).all()
    assert (picture_to_tensor(picture, Convention.PREMULTIPLIED_LINEAR) == -1).all()
