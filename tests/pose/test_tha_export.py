"""How exported weights are stored."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")

from kuchipaku_pose.tha.export import store_compactly


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
