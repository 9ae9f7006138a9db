"""Generators as ONNX graphs, built from their layers and weights. Needs no TensorFlow.

Inside, pictures are (n, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_training.gan import layers as of
from kuchipaku_training.gan.layers import Layer, Layers, weight_shapes

Weights = Mapping[str, NDArray[np.float32]]

_OPSET: Final = 17
_IR: Final = 8


def build_graph(
    layers: Layers, latent_size: int, weights: Weights, properties: Mapping[str, str]
) -> Any:
    """An ONNX model: `latent` float32 (n, latent_size) -> `picture` float32 (n, 3, h, w), -1..1.

    Weights are stored as float16 and computed with as float32. Raises InvalidArgumentError if
    `weights` are not those of `layers`.
    """
    wanted = weight_shapes(layers, latent_size)
    found = {name: array.shape for name, array in weights.items()}
    if wanted != found:
        off = sorted(set(wanted.items()) ^ set(found.items()))
        raise InvalidArgumentError(
            f"the weights do not fit the layers: {off[0]}", reason="WEIGHTS_DO_NOT_FIT"
        )
    writer = _Writer(weights)
    result = writer.layers(layers, "latent")
    writer.node("Identity", [result], output="picture")
    graph = helper.make_graph(
        writer.nodes,
        "generator",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["n", latent_size])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, None, None])],
        writer.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR
    )
    model.producer_name = "kuchipaku"
    helper.set_model_props(model, {**properties, "kuchipaku.range": "-1..1"})
    onnx.checker.check_model(model)
    return model


class _Writer:
    """Collects nodes and constants."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._weights = weights
        self._count = 0

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node; returns its output's name."""
        self._count += 1
        output = output or f"t{self._count}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def layers(self, layers: Layers, x: str) -> str:
        """Add layers one after the other."""
        for layer in layers:
            x = self._layer(layer, x)
        return x

    def _layer(self, layer: Layer, x: str) -> str:
        match layer:
            case of.Dense(name, _, bias):
                kernel = self._weight(f"{name}/kernel")
                return self.node("Gemm", [x, kernel, *self._bias(name, bias)])
            case of.Conv(name, _, kernel_size, bias):
                kernel = self._weight(f"{name}/kernel", (3, 2, 0, 1))
                pads = [kernel_size // 2] * 4
                return self.node("Conv", [x, kernel, *self._bias(name, bias)], pads=pads)
            case of.TransposedConv():
                return self._transposed(layer, x)
            case of.BatchNorm(name):
                parts = ("gamma", "beta", "moving_mean", "moving_variance")
                # Variances of 0 are among them: float16 would lose small ones.
                values = [self._float32(f"{name}/{part}") for part in parts]
                return self.node("BatchNormalization", [x, *values], epsilon=of.BATCH_NORM_EPSILON)
            case of.LeakyRelu(slope):
                return self.node("LeakyRelu", [x], alpha=slope)
            case of.Tanh():
                return self.node("Tanh", [x])
            case of.Reshape(side, channels):
                shape = self._constant(np.array([-1, side, side, channels], np.int64))
                flat = self.node("Reshape", [x, shape])
                return self.node("Transpose", [flat], perm=[0, 3, 1, 2])
            case of.Enlarge():
                scales = self._constant(np.array([1, 1, 2, 2], np.float32))
                return self.node(
                    "Resize",
                    [x, "", scales],
                    mode="nearest",
                    coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor",
                )
            case of.DepthToSpace(block):
                return self.node("DepthToSpace", [x], blocksize=block, mode="DCR")
            case of.Residual(main, side):
                return self.node("Add", [self.layers(main, x), self.layers(side, x)])

    def _transposed(self, layer: of.TransposedConv, x: str) -> str:
        kernel = self._weight(f"{layer.name}/kernel", (3, 2, 0, 1))
        surplus = layer.kernel - layer.stride
        before, after = surplus // 2, surplus - surplus // 2
        return self.node(
            "ConvTranspose",
            [x, kernel],
            strides=[layer.stride] * 2,
            pads=[before, before, after, after],
        )

    def _bias(self, name: str, bias: bool) -> list[str]:
        return [self._float32(f"{name}/bias")] if bias else []

    def _weight(self, name: str, order: tuple[int, ...] | None = None) -> str:
        array = self._weights[name] if order is None else self._weights[name].transpose(order)
        half = self._constant(np.ascontiguousarray(array, np.float16))
        return self.node("Cast", [half], to=TensorProto.FLOAT)

    def _float32(self, name: str) -> str:
        return self._constant(np.ascontiguousarray(self._weights[name], np.float32))

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name
