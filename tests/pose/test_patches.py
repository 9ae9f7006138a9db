"""Models whose frames are a tensor with a patch over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.engine import Engine, FrameRequest, RenderedFrame
from kuchipaku_pose.metrics import PoseMetrics
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.view import View, make_view
from kuchipaku_runtime import Metrics
from tests.pose.tinypack import CANVAS_SHAPE, SIDE, constant, graph_bytes, value, write_pack

Picture = NDArray[np.uint8]
TOP, LEFT, HEIGHT, WIDTH = 16, 32, 64, 48
PATCH = {"tensor": "patch", "left": LEFT, "top": TOP, "width": WIDTH, "height": HEIGHT}
VIEWS = {
    "whole": make_view(SIDE),
    "cropped": make_view(2 * SIDE, crop=(20, 10, 128, 128)),
    "reduced": View(0, 0, SIDE, SIDE, SIDE // 2, SIDE // 2),
    "enlarged": View(20, 10, 60, 60, 90, 90),
}


def tinted(source: str, crop: bool) -> list[Any]:
    """Nodes of y = a part of ``source``, or all of it, plus pose 0 on red and pose 1 on green."""
    part = [helper.make_node("Slice", [source, "starts", "ends", "axes"], ["part"])]
    return [
        *(part if crop else []),
        helper.make_node("MatMul", ["pose", "m"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "last"], ["tall"]),
        helper.make_node("Add", ["part" if crop else source, "tall"], ["y"]),
    ]


def stage_graph(source: str, *, crop: bool, shape: list[Any]) -> bytes:
    weights = [
        constant("m", np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32)),
        constant("last", np.array([2, 3], np.int64)),
    ]
    if crop:
        weights += [
            constant("starts", np.array([TOP, LEFT], np.int64)),
            constant("ends", np.array([TOP + HEIGHT, LEFT + WIDTH], np.int64)),
            constant("axes", np.array([2, 3], np.int64)),
        ]
    inputs = [value(source, CANVAS_SHAPE), value("pose", ["n", 2])]
    return graph_bytes(tinted(source, crop), inputs, [value("y", shape)], weights)


def patch_pack(
    folder: Path, reads: str = "under", shape: list[Any] | None = None, **patch: Any
) -> Path:
    shape = shape or ["n", 4, HEIGHT, WIDTH]
    stages: dict[str, tuple[bytes, dict[str, Any], dict[str, str]]] = {
        "head": (
            stage_graph("canvas", crop=False, shape=CANVAS_SHAPE),
            {"canvas": {"tensor": "canvas"}, "pose": {"pose": [2, 4]}},
            {"y": "under"},
        ),
        "mouth": (
            stage_graph(reads, crop=True, shape=shape),
            {reads: {"tensor": reads}, "pose": {"pose": [0, 2]}},
            {"y": "patch"},
        ),
    }
    output = {
        "tensor": "under",
        "convention": "premultiplied_srgb",
        "patch": PATCH | patch,
    }
    return write_pack(folder, stages, output=output)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(load_pack(patch_pack(tmp_path)))


@pytest.fixture
def picture() -> Picture:
    drawn = np.random.default_rng(1).integers(0, 128, (SIDE, SIDE, 4), np.uint8)
    drawn[..., 3] = 255
    return drawn


def render(engine: Engine, picture: Picture, pose: list[float], view: View) -> RenderedFrame:
    character = engine.prepare("a", picture)
    return engine.render([FrameRequest(character, np.array(pose, np.float32), view)])[0]


def expected(picture: Picture, pose: list[float]) -> Picture:
    """The whole frame: the head tints all of it, the mouth tints the patch as well."""
    frame = picture / 255
    frame[..., :2] += pose[2:4]
    frame[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH, :2] += pose[:2]
    return np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_frames_show_the_patch_over_what_lies_under_it(
    engine: Engine, picture: Picture, view: View
) -> None:
    for pose in ([0.25, 0.0, 0.12, 0.2, 0.0], [0.0, 0.125, 0.12, 0.2, 0.0], [0.0] * 5):
        found = render(engine, picture, pose, view).pixels.astype(int)
        shown = view.apply(expected(picture, pose)).astype(int)
        # Where pixels are averaged, that comes before or after the rounding.
        assert np.abs(found - shown).max() <= 2


def test_the_tensor_of_a_frame_holds_the_patch(engine: Engine, picture: Picture) -> None:
    pose = [0.25, 0.125, 0.12, 0.2, 0.0]
    character = engine.prepare("a", picture)
    found = engine.output(character, np.array(pose, np.float32)).transpose(1, 2, 0)
    np.testing.assert_allclose(found * 255, expected(picture, pose), rtol=0, atol=0.51)


def test_what_lies_under_the_patch_is_made_once(engine: Engine, picture: Picture) -> None:
    for mouth in (0.0, 0.25, 0.5):
        frame = render(engine, picture, [mouth, 0.0, 0.12, 0.0, 0.0], VIEWS["whole"])
        whole = expected(picture, [mouth, 0.0, 0.12, 0.0]).astype(int)
        assert np.abs(frame.pixels - whole).max() <= 1
    assert engine.statistics().stages["head"].runs == 1
    assert engine.memory.pictures.statistics().entries == 1
    render(engine, picture, [0.0, 0.0, 0.2, 0.0, 0.0], VIEWS["whole"])
    assert engine.statistics().stages["head"].runs == 2
    assert engine.memory.pictures.statistics().entries == 2
    metrics = Metrics("pose")
    PoseMetrics(metrics, engine.memory)
    held = metrics.registry.get_sample_value("kuchipaku_pose_memory_bytes", {"kind": "pictures"})
    assert held == engine.memory.pictures.statistics().nbytes > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"left": SIDE - WIDTH + 1}, "within the output"),
        ({"tensor": "nobody"}, "must read what lies under it"),
        ({"reads": "canvas"}, "must read what lies under it"),
        ({"shape": ["n", 4, HEIGHT, WIDTH + 1]}, "has the shape"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FailedPreconditionError, match=message):
        load_pack(patch_pack(tmp_path, **changes))
