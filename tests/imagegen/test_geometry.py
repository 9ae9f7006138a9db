"""Maps between head boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_imagegen.framing import HeadBox, Similarity
from kuchipaku_imagegen.framing.geometry import letterbox

boxes = st.builds(
    HeadBox,
    x=st.floats(-500, 2000),
    y=st.floats(-500, 2000),
    side=st.floats(5, 900),
    angle=st.floats(-1.5, 1.5),
)


@settings(deadline=None)
@given(boxes, boxes)
def test_a_map_brings_one_box_onto_the_other(head: HeadBox, wanted: HeadBox) -> None:
    map_ = Similarity.between(head, wanted)
    np.testing.assert_allclose(map_.points(head.corners()), wanted.corners(), atol=1e-6)
    np.testing.assert_allclose(map_.back(wanted.corners()), head.corners(), atol=1e-5)
    there = map_.head(head)
    np.testing.assert_allclose(there.corners(), wanted.corners(), atol=1e-6)
    np.testing.assert_allclose(map_.head_back(there).corners(), head.corners(), atol=1e-5)


def test_a_positive_angle_leans_to_the_right() -> None:
    top_left, top_right = HeadBox(0, 0, 2, angle=math.pi / 2).corners()[:2]
    np.testing.assert_allclose(top_left, (1, -1), atol=1e-9)
    np.testing.assert_allclose(top_right, (1, 1), atol=1e-9)


@pytest.mark.parametrize("zoom", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_pictures_move_as_points_do(zoom: float, angle: float) -> None:
    picture = np.zeros((200, 300, 4), np.uint8)
    y, x = np.mgrid[:200, :300] + 0.5
    picture[(x - 210) ** 2 + (y - 60) ** 2 < 20**2] = (250, 40, 10, 255)
    map_ = Similarity(zoom, angle, (150.0, 100.0), (128.0, 120.0))
    drawn = map_.picture(picture, (256, 240))
    assert drawn.shape == (240, 256, 4)
    rows, columns = np.nonzero(drawn[..., 3] > 127)
    expected = map_.points(np.array([[210.0, 60.0]]))[0]
    if 0 < expected[0] < 256 and 0 < expected[1] < 240:
        centre = (columns.mean() + 0.5, rows.mean() + 0.5)
        np.testing.assert_allclose(centre, expected, atol=0.7)
    # No dark rim from the colour of invisible pixels.
    rim = (drawn[..., 3] > 60) & (drawn[..., 3] < 200)
    if rim.any():
        assert np.median(drawn[rim][:, 0]) > 235


def test_overlap() -> None:
    box = HeadBox(50, 50, 20)
    assert box.overlap(box) == 1.0
    assert box.overlap(HeadBox(60, 50, 20)) == pytest.approx(1 / 3)
    assert box.overlap(HeadBox(90, 50, 20)) == 0.0


def test_a_letterbox_keeps_the_shape_of_things() -> None:
    picture = np.full((100, 200, 3), 250, np.uint8)
    boxed, map_ = letterbox(picture, 80)
    assert boxed.shape == (80, 80, 3)
    assert (boxed[:19] == 128).all()
    assert (boxed[61:] == 128).all()
    assert (boxed[22:58, 2:78] > 245).all()
    np.testing.assert_allclose(map_.points(np.array([[200.0, 100.0]])), [[80, 60]])
