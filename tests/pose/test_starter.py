"""The starter pack that the repository ships, by what it does to a drawn character."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from kuchipaku_animation import PARAMETER_INDEX, PARAMETER_NAMES
from kuchipaku_imagegen import illustrator
from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture
from kuchipaku_pose.engine import Engine, FrameRequest
from kuchipaku_pose.engine.columns import only_visible_columns
from kuchipaku_pose.engine.rewrites import rewritten
from kuchipaku_pose.manifest import CANVAS, PoseInput
from kuchipaku_pose.onnxedit import GraphMismatchError
from kuchipaku_pose.pack import discover_packs, load_pack
from kuchipaku_pose.providers import Provider, ProviderOptions, to_host
from kuchipaku_pose.settings import default_model_folders
from kuchipaku_pose.view import make_view

Picture = NDArray[np.uint8]

FACE = (slice(32, 224), slice(160, 352))
LEVEL = 1.01 / 255
"""One of 256 levels, which rounding may move."""
UNSEEN = 0.25 / 255 + 2e-6


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


def stage_tensors(engine: Engine, picture: Picture, graphs: str, pose: NDArray[np.float32]) -> Any:
    """The outputs of all stages, by the graphs as they are or as they are run."""
    pack = engine.pack
    tensors: dict[str, Any] = {
        CANVAS: picture_to_tensor(picture, pack.manifest.canvas.convention)[None]
    }
    for stage in pack.manifest.stages:
        graph = pack.graphs[stage.name]
        if graphs == "rewritten":
            graph = rewritten(pack.manifest, stage.name, graph)
            assert graph != pack.graphs[stage.name]
        row = {
            name: pose[None, slice(*source.pose)]
            if isinstance(source, PoseInput)
            else tensors[source.tensor]
            for name, source in stage.inputs.items()
        }
        outputs = Provider(ProviderOptions()).open(stage.name, graph).run([row])[0]
        tensors |= {stage.outputs[name]: value for name, value in outputs.items()}
    return tensors


@pytest.mark.parametrize("seed", [1, 2])
def test_graphs_as_they_are_run_give_what_the_packs_graphs_give(engine: Engine, seed: int) -> None:
    drawn = illustrator.render(illustrator.random_attributes(seed))
    rng = np.random.default_rng(seed)
    space = engine.space
    for weight in (0.0, 0.5, 1.0):
        spread = space.minimum + rng.random(len(space), dtype=np.float32) * (
            space.maximum - space.minimum
        )
        pose = (weight * spread).astype(np.float32)
        plain, ours = (stage_tensors(engine, drawn, kind, pose) for kind in ("plain", "rewritten"))
        for name, tensor in plain.items():
            np.testing.assert_allclose(ours[name], tensor, rtol=0, atol=UNSEEN, err_msg=name)
        pictures = [
            tensor_to_picture(tensors[name][0], engine.pack.manifest.output.convention)
            for tensors in (plain, ours)
            for name in ("turned", "window")
        ]
        for one, other in zip(pictures[:2], pictures[2:], strict=True):
            moved = np.abs(one.astype(int) - other.astype(int))
            # Positions differ by float32's rounding: what is nearly a tie may go either way.
            assert moved.max() <= 1
            assert np.count_nonzero(moved) <= moved.size / 10_000


@pytest.mark.parametrize("name", ["flow", "compose"])
def test_batches_share_the_box_of_all_their_rows(engine: Engine, name: str) -> None:
    pack = engine.pack
    stage = next(stage for stage in pack.manifest.stages if stage.name == name)
    sessions = [
        Provider(ProviderOptions()).open(name, graph)
        for graph in (pack.graphs[name], rewritten(pack.manifest, name, pack.graphs[name]))
    ]
    rows = []
    for seed, turn in ((1, -1.0), (2, 1.0)):
        pose = np.full(45, 0.0, np.float32)
        pose[39:42] = turn
        tensors = stage_tensors(
            engine, illustrator.render(illustrator.random_attributes(seed)), "plain", pose
        )
        rows.append(
            {
                read: pose[None, slice(*source.pose)]
                if isinstance(source, PoseInput)
                else tensors[source.tensor]
                for read, source in stage.inputs.items()
            }
        )
    plain, ours = (session.run(rows) for session in sessions)
    for expected, found in zip(plain, ours, strict=True):
        for output, value in expected.items():
            np.testing.assert_allclose(to_host(found[output]), to_host(value), rtol=0, atol=UNSEEN)


def test_a_flow_stage_that_looks_otherwise_is_run_as_it_is(engine: Engine) -> None:
    graph = engine.pack.graphs["flow"]
    model = onnx.load_from_string(graph)
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    resize.input[2] = "other_scales"
    scales = onnx.numpy_helper.from_array(np.array([1, 1, 3, 3], np.float32), "other_scales")
    model.graph.initializer.append(scales)
    other = model.SerializeToString()
    with pytest.raises(GraphMismatchError):
        only_visible_columns(other)
    kept = onnx.load_from_string(rewritten(engine.pack.manifest, "flow", other))
    assert not [node for node in kept.graph.node if node.op_type == "ArgMax"]
