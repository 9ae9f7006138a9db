"""Exact rewrites of graphs, on graphs small enough to compare in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper

from kuchipaku_pose.engine.rewrites import (
    with_joined_slices,
    with_offset_samples,
    with_woven_blocks,
)
from kuchipaku_pose.onnxedit import GraphEditor, GraphMismatchError
from tests.pose.tinypack import constant, graph_bytes, value

Array = NDArray[np.float32]


def run(graph: bytes, **inputs: Array) -> list[Array]:
    onnx.checker.check_model(onnx.load_from_string(graph))
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, inputs)
    return outputs


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(graph).graph.node]


def numbers(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def slices(second: Sequence[int], *, steps: int = 1, keep: bool = False) -> bytes:
    """Rows 1 to 3 of x, then a slice of (start, end, axis) of that."""
    weights = {"s": [1], "e": [3], "a": [2], "step": [steps]}
    weights |= dict(zip(("s2", "e2", "a2"), ([n] for n in second), strict=True))
    outputs = [value("y", ["n", "c", "h", "w"])]
    if keep:
        outputs.append(value("rows", ["n", "c", "h", "w"]))
    return graph_bytes(
        [
            helper.make_node("Slice", ["x", "s", "e", "a", "step"], ["rows"]),
            helper.make_node("Slice", ["rows", "s2", "e2", "a2"], ["y"]),
        ],
        [value("x", ["n", 2, 4, 5])],
        outputs,
        [constant(name, np.array(places, np.int64)) for name, places in weights.items()],
    )


def test_a_crop_is_one_slice() -> None:
    graph = slices((2, 4, 3))
    joined = with_joined_slices(graph)
    assert operators(joined) == ["Slice"]
    x = numbers(2, 2, 4, 5)
    np.testing.assert_array_equal(run(joined, x=x)[0], x[:, :, 1:3, 2:4])


@pytest.mark.parametrize(
    "graph",
    [slices((0, 1, 2)), slices((2, 4, 3), steps=2), slices((2, 4, 3), keep=True)],
    ids=["the same axis", "steps", "an output"],
)
def test_other_slices_of_slices_stay(graph: bytes) -> None:
    assert with_joined_slices(graph) == graph


def blocks(blocksize: int = 2, mode: str = "CRD") -> bytes:
    return graph_bytes(
        [helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=blocksize, mode=mode)],
        [value("x", ["n", "c", "h", "w"])],
        [value("y", ["n", "k", "i", "j"])],
        [],
    )


@pytest.mark.parametrize("shape", [(1, 4, 3, 5), (3, 20, 2, 1), (2, 8, 1, 7)])
def test_blocks_are_woven_as_they_were_moved(shape: tuple[int, ...]) -> None:
    graph, x = blocks(), numbers(*shape)
    woven = with_woven_blocks(graph)
    assert "DepthToSpace" not in operators(woven)
    np.testing.assert_array_equal(run(woven, x=x)[0], run(graph, x=x)[0])


@pytest.mark.parametrize("graph", [blocks(3), blocks(mode="DCR")], ids=["3x3", "depth first"])
def test_other_blocks_stay(graph: bytes) -> None:
    assert with_woven_blocks(graph) == graph


def corners(axis: int = 1) -> bytes:
    """Four maps, joined to blocks of 2x2 pixels, the corner being the slower channel."""
    return graph_bytes(
        [
            helper.make_node("Concat", ["a", "b", "c", "d"], ["x"], axis=axis),
            helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="DCR"),
        ],
        [value(name, ["n", "c", "h", "w"]) for name in "abcd"],
        [value("y", ["n", "k", "i", "j"])],
        [],
    )


def test_maps_of_corners_are_woven_without_being_joined() -> None:
    graph = corners()
    woven = with_woven_blocks(graph)
    assert "DepthToSpace" not in operators(woven)
    maps = {name: i + 10 * numbers(2, 3, 4, 5) for i, name in enumerate("abcd")}
    np.testing.assert_array_equal(run(woven, **maps)[0], run(graph, **maps)[0])
    assert with_woven_blocks(corners(axis=2)) == corners(axis=2)


SIDE = 12


def samples(*, padding: str = "zeros", opset: int = 19, shift: float = 0.0) -> bytes:
    """A picture of 12x12 pixels, sampled around its own pixels by a flow."""
    line = ((2 * np.arange(SIDE) + 1) / SIDE - 1 + shift).astype(np.float32)
    weights = {"row": line, "column": line[:, None], "last": np.array([3], np.int64)}
    weights |= {"0": np.array(0, np.int64), "1": np.array(1, np.int64)}
    nodes = []
    for i, places in enumerate(("row", "column")):
        nodes += [
            helper.make_node("Gather", ["flow", str(i)], [f"part{i}"], axis=1),
            helper.make_node("Add", [f"part{i}", places], [f"at{i}"]),
            helper.make_node("Unsqueeze", [f"at{i}", "last"], [f"tall{i}"]),
        ]
    nodes += [
        helper.make_node("Concat", ["tall0", "tall1"], ["grid"], axis=-1),
        helper.make_node(
            "GridSample",
            ["x", "grid"],
            ["y"],
            mode="bilinear",
            padding_mode=padding,
            align_corners=0,
        ),
    ]
    graph = graph_bytes(
        nodes,
        [value("x", ["n", 4, SIDE, SIDE]), value("flow", ["n", 2, SIDE, SIDE])],
        [value("y", ["n", 4, SIDE, SIDE])],
        [constant(name, array) for name, array in weights.items()],
    )
    model = onnx.load_from_string(graph)
    model.opset_import[0].version = opset
    data: bytes = model.SerializeToString()
    return data


def test_samples_around_pixels_become_offsets_that_give_the_same() -> None:
    graph = samples()
    rewritten = with_offset_samples(graph)
    assert "GridSample" not in operators(rewritten)
    rng = np.random.default_rng(4)
    x = rng.random((2, 4, SIDE, SIDE), np.float32)
    # Up to half the picture: what lies outside is sampled too.
    flow = rng.uniform(-1, 1, (2, 2, SIDE, SIDE)).astype(np.float32)
    found, expected = (run(each, x=x, flow=flow)[0] for each in (rewritten, graph))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "graph",
    [samples(padding="border"), samples(opset=17), samples(shift=0.1)],
    ids=["borders repeated", "before deformable convolutions", "around other places"],
)
def test_other_samples_stay(graph: bytes) -> None:
    assert with_offset_samples(graph) == graph


def test_an_edited_graph_keeps_what_it_does_not_know() -> None:
    graph = graph_bytes(
        [
            helper.make_node("LeakyRelu", ["x"], ["a"], alpha=0.25),
            helper.make_node("Neg", ["x"], ["idle"]),
            helper.make_node("Neg", ["a"], ["y"]),
        ],
        [value("x", ["n", 2])],
        [value("y", ["n", 2])],
        [],
    )
    editor: Any = GraphEditor(graph)
    half = editor.constant("half", 0.5)
    editor.add("Mul", [editor.rename("y", "full"), half], "y")
    edited = editor.finish()
    # What no output needs is left out.
    assert operators(edited) == ["LeakyRelu", "Neg", "Mul"]
    x = np.array([[-4.0, 4.0]], np.float32)
    np.testing.assert_array_equal(run(edited, x=x)[0], [[0.5, -2.0]])
    with pytest.raises(GraphMismatchError):
        editor.maker("y", "Add")
