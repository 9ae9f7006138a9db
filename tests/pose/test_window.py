"""Models that see a window of the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_animation import PARAMETER_INDEX
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.models import load_models
from kuchipaku_pose.pack import ModelPackError, load_pack
from kuchipaku_pose.view import make_view
from tests.pose.tinypack import SIDE, assert_frame, write_pack

CANVAS = 2 * SIDE


def windowed(left: int = 64, top: int = 0, size: int = SIDE) -> dict[str, Any]:
    return {
        "size": CANVAS,
        "convention": "premultiplied_srgb",
        "window": {"left": left, "top": top, "size": size},
    }


def picture_of(seed: int) -> NDArray[np.uint8]:
    picture = np.random.default_rng(seed).integers(0, 256, (CANVAS, CANVAS, 4), dtype=np.uint8)
    picture[..., 3] = 255
    return picture


def test_the_window_moves_and_the_canvas_around_it_stays(tmp_path: Path) -> None:
    engine = Engine(load_pack(write_pack(tmp_path / "p", canvas=windowed())), EngineOptions())
    canvas = picture_of(1)
    character = engine.prepare("a", canvas)
    pose = np.array([0.25, -0.25, 0.125, 0, 0], np.float32)
    frame = engine.render([FrameRequest(character, pose, make_view(CANVAS))])[0].pixels

    assert frame.shape == (CANVAS, CANVAS, 4)
    rows, columns = slice(0, SIDE), slice(64, 64 + SIDE)
    assert_frame(frame[rows, columns], canvas[rows, columns], pose)
    around = np.ones((CANVAS, CANVAS), np.bool_)
    around[rows, columns] = False
    np.testing.assert_array_equal(frame[around], canvas[around])


def test_tensors_have_the_windows_size(tmp_path: Path) -> None:
    engine = Engine(load_pack(write_pack(tmp_path / "p", canvas=windowed())), EngineOptions())
    character = engine.prepare_tensor(np.zeros((4, SIDE, SIDE), np.float32))
    assert engine.output(character, engine.space.neutral).shape == (4, SIDE, SIDE)


def test_the_whole_canvas_counts_in_the_memory(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p", canvas=windowed())
    memory = EngineMemory.of_mib(characters=8, stages=8, frames=8)
    character = Engine(load_pack(folder), EngineOptions(), memory).prepare("a", picture_of(1))
    assert character.nbytes == CANVAS**2 * 4 + 2 * SIDE**2 * 4 * 4


@pytest.mark.parametrize("place", [(200, 0), (0, 200), (129, 0)])
def test_a_window_beyond_the_canvas_is_refused(tmp_path: Path, place: tuple[int, int]) -> None:
    folder = write_pack(tmp_path / "p", canvas=windowed(*place))
    with pytest.raises(ModelPackError, match="within the canvas"):
        load_pack(folder)


def test_graphs_must_fit_the_window(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p", canvas=windowed(size=64))
    with pytest.raises(ModelPackError, match="expected"):
        load_pack(folder)


def test_a_parameter_may_be_moved_by_another_one(tmp_path: Path) -> None:
    names = ("left_eye", "mouth", "a", "b", "c")
    moved_by = {"left_eye": "eye_wink_left", "mouth": "mouth_aaa"}
    parameters = [
        {"name": name, "minimum": 0.0, "maximum": 1.0, "neutral": 0.0}
        | ({"moved_by": moved_by[name]} if name in moved_by else {})
        for name in names
    ]
    write_pack(tmp_path / "p", parameters=parameters)
    models = load_models([tmp_path], options=EngineOptions(), memory=EngineMemory())
    model = models.get("", field="model")
    poses = np.zeros((1, 45), np.float32)
    poses[0, PARAMETER_INDEX["eye_wink_left"]] = 0.5
    poses[0, PARAMETER_INDEX["mouth_aaa"]] = 0.75
    assert model.fit(poses).tolist() == [[0.5, 0.75, 0, 0, 0]]
