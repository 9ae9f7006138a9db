"""The ONNX files of GANs: layers in NumPy beside onnxruntime, and the service's backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.backends import Order
from kuchipaku_imagegen.backends.gan import GanBackend
from kuchipaku_imagegen.onnxmodel import OnnxModel
from kuchipaku_training.gan import layers as of
from kuchipaku_training.gan.architectures import LATENT_SIZES
from kuchipaku_training.gan.evaluate import generated_faces
from tests.training.gan_weights import LAYERS, random_weights, weights_of

Floats = NDArray[np.float32]

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it writes the networks")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it runs the networks")
graph = pytest.importorskip("kuchipaku_training.gan.graph")

#: The published table of the classic generator.
_CLASSIC_PARAMETERS = {
    "dense": 3_276_800,
    "norm0": 131_072,
    "up1": 3_276_800,
    "norm1": 1_024,
    "up2": 819_200,
    "norm2": 512,
    "up3": 204_800,
    "norm3": 256,
    "up4": 51_200,
    "norm4": 128,
    "up5": 2_400,
}


def _progress(index: int, step: int, step_count: int, preview: object = None) -> None:
    """Nobody listens."""


def test_the_classic_generator_has_the_layers_of_the_table() -> None:
    counts: dict[str, int] = {}
    for name, shape in of.weight_shapes(LAYERS["classic"], LATENT_SIZES["classic"]).items():
        layer = name.partition("/")[0]
        counts[layer] = counts.get(layer, 0) + int(np.prod(shape))
    assert counts == _CLASSIC_PARAMETERS


@pytest.mark.parametrize("architecture", ["classic", "small"])
def test_the_service_draws_with_an_exported_generator(tmp_path: Path, architecture: str) -> None:
    path = tmp_path / "generator.onnx"
    model = graph.build_graph(
        LAYERS[architecture], LATENT_SIZES[architecture], weights_of(architecture), {"a": "b"}
    )
    onnx.save(model, str(path))
    assert path.stat().st_size < (12e6 if architecture == "small" else 16e6)
    order = Order("", "", 7, 2)
    drawn = list(GanBackend("faces", path).draw(order, _progress))  # type: ignore[arg-type]
    assert [one.pixels.shape for one in drawn] == [(128, 128, 4)] * 2
    assert (drawn[0].pixels != drawn[1].pixels).any()
    network = OnnxModel(path)
    assert network.property_of("kuchipaku.range", "") == "-1..1"
    # What is measured is what the service draws.
    np.testing.assert_array_equal(
        generated_faces(network, range(7, 9)), [one.pixels[..., :3] for one in drawn]
    )


def _run(
    layers: of.Layers, inputs: int, values: Floats, path: Path
) -> tuple[Floats, dict[str, Floats]]:
    weights = random_weights(layers, inputs)
    rounded = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}
    onnx.save(graph.build_graph(layers, inputs, rounded, {}), str(path))
    return OnnxModel(path)(values), rounded


def test_transposed_convolutions_are_those_of_keras(tmp_path: Path) -> None:
    layers = (of.Dense("d", 8), of.Reshape(2, 2), of.TransposedConv("t", 3, 2))
    values = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    found, weights = _run(layers, 4, values, tmp_path / "g.onnx")
    planes = (values @ weights["d/kernel"] + weights["d/bias"]).reshape(2, 2, 2, 2)
    # Each value lays its kernel onto the wider picture, whose edge is cut by 1 and 2.
    wide = np.zeros((2, 2 * 2 + 3, 2 * 2 + 3, 3), np.float32)
    for row in range(2):
        for column in range(2):
            laid = np.einsum("ni,hwoi->nhwo", planes[:, row, column], weights["t/kernel"])
            wide[:, 2 * row : 2 * row + 5, 2 * column : 2 * column + 5] += laid
    expected = wide[:, 1:5, 1:5]
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1e-4)


def test_blocks_of_channels_become_pixels(tmp_path: Path) -> None:
    layers = (
        of.Dense("d", 12, bias=False),
        of.BatchNorm("b"),
        of.LeakyRelu(0.2),
        of.Reshape(1, 12),
        of.DepthToSpace(2),
        of.Residual((of.Conv("c", 3, 1), of.Tanh())),
        of.Enlarge(),
    )
    values = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    found, weights = _run(layers, 4, values, tmp_path / "g.onnx")
    x = values @ weights["d/kernel"] - weights["b/moving_mean"]
    x = x / np.sqrt(weights["b/moving_variance"] + of.BATCH_NORM_EPSILON)
    x = x * weights["b/gamma"] + weights["b/beta"]
    x = np.where(x > 0, x, 0.2 * x).reshape(3, 2, 2, 3)
    x = x + np.tanh(x @ weights["c/kernel"][0, 0] + weights["c/bias"])
    expected = x.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=2e-3)


def test_weights_of_other_layers_are_refused() -> None:
    weights = weights_of("small")
    weights["dense/bias"] = weights["dense/bias"][:-1]
    with pytest.raises(InvalidArgumentError, match="dense/bias"):
        graph.build_graph(LAYERS["small"], LATENT_SIZES["small"], weights, {})


def test_other_networks_are_not_measured(tmp_path: Path) -> None:
    layers = (of.Dense("d", 12), of.Reshape(2, 3))
    onnx.save(graph.build_graph(layers, 4, random_weights(layers, 4), {}), str(tmp_path / "g.onnx"))
    with pytest.raises(FailedPreconditionError, match="does not generate faces"):
        generated_faces(OnnxModel(tmp_path / "g.onnx"), range(1))
