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

from kuchipaku_pose.engine.rewrites import with_joined_slices, with_woven_blocks
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
