"""How exported weights are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")

import torch

from kuchipaku_pose.tha.export import store_compactly, write_stage
from kuchipaku_pose.tha.operators import sample
from kuchipaku_pose.tha.stages import StageDraft


def product(weight: np.ndarray) -> onnx.ModelProto:
    shape = ["n", weight.shape[0]]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("half", [True, False])
def test_weights_of_half_variants_take_half_the_bytes_and_compute_the_same(half: bool) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((64, 64)).astype(np.float16 if half else np.float32)
    model = product(weight.astype(np.float32))
    x = rng.standard_normal((3, 64)).astype(np.float32)
    before, size = run(model, x), model.ByteSize()
    store_compactly(model)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(run(model, x), before)
    assert (model.ByteSize() < 0.55 * size) == half


@pytest.mark.parametrize("value", [1e5, 1e-9, 0.1])
def test_a_value_that_half_precision_does_not_hold_keeps_all_its_bytes(value: float) -> None:
    weight = np.ones((64, 64), np.float32)
    weight[3, 4] = value
    model = product(weight)
    store_compactly(model)
    assert numpy_helper.to_array(model.graph.initializer[0]).dtype == np.float32


class Sampled(torch.nn.Module):  # type: ignore[misc]
    """A picture sampled at places of which half lie outside."""

    def __init__(self, *, corners: bool) -> None:
        super().__init__()
        self.corners = corners

    def forward(self, canvas: Any, places: Any) -> tuple[Any]:
        return (sample(canvas, places, corners=self.corners),)


@pytest.mark.parametrize("corners", [False, True])
def test_borders_are_repeated_by_places_that_end_there(tmp_path: Path, corners: bool) -> None:
    torch.manual_seed(3)
    canvas, places = torch.rand(2, 4, 24, 24) * 2 - 1, torch.rand(2, 24, 24, 2) * 4 - 2
    module = Sampled(corners=corners)
    stage = StageDraft("sampled", module, ("canvas", "places"), ("frame",))
    write_stage(stage, {"canvas": canvas, "places": places}, tmp_path / "s.onnx")
    settings = {
        attribute.name: attribute
        for node in onnx.load(tmp_path / "s.onnx").graph.node
        for attribute in node.attribute
    }
    assert settings["padding_mode"].s == b"zeros"
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx")
    found = session.run(None, {"canvas": canvas.numpy(), "places": places.numpy()})[0]
    np.testing.assert_allclose(found, module(canvas, places)[0].numpy(), rtol=0, atol=1e-5)
