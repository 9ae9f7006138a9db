"""Generators of GANs: stills by seed, and ways between seeds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.backends import Order, effective_size
from kuchipaku_imagegen.backends.gan import GanBackend, between, latent

_Z = 8


def _progress(index: int, step: int, step_count: int, preview: object = None) -> None:
    """Nobody listens."""


_progress.check = lambda: None  # type: ignore[attr-defined]


def _generator(path: Path, *, channels_last: bool) -> Path:
    """A network that writes its input into a picture, as -1..1."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: it builds the test's network")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = np.random.default_rng(0).normal(size=(_Z, 16 * 16 * 3)).astype(np.float32)
    shape = [-1, 16, 16, 3] if channels_last else [-1, 3, 16, 16]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["z", "w"], ["flat"]),
            helper.make_node("Tanh", ["flat"], ["bent"]),
            helper.make_node("Reshape", ["bent", "shape"], ["picture"]),
        ],
        "generator",
        [helper.make_tensor_value_info("z", 1, ["n", _Z])],
        [helper.make_tensor_value_info("picture", 1, None)],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array(shape, np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("channels_last", [True, False])
def test_pictures_follow_their_seeds(tmp_path: Path, channels_last: bool) -> None:
    path = _generator(tmp_path / "gan.onnx", channels_last=channels_last)
    backend = GanBackend("faces", path)
    assert backend.capabilities.ignores_prompt
    drawn = list(backend.draw(Order("", "", 4, 3), _progress))  # type: ignore[arg-type]
    again = list(GanBackend("faces", path).draw(Order("", "", 5, 1), _progress))  # type: ignore[arg-type]
    assert [one.seed for one in drawn] == [4, 5, 6]
    assert drawn[0].pixels.shape == (16, 16, 4)
    np.testing.assert_array_equal(drawn[1].pixels, again[0].pixels)
    assert (drawn[0].pixels != drawn[1].pixels).any()


def test_a_way_leads_from_seed_to_seed(tmp_path: Path) -> None:
    backend = GanBackend("faces", _generator(tmp_path / "gan.onnx", channels_last=True))
    ends = [
        next(iter(backend.draw(Order("", "", seed, 1), _progress))).pixels  # type: ignore[arg-type]
        for seed in (1, 9)
    ]
    order = Order("", "", 1, 5, end_seed=9)
    way = [one.pixels for one in backend.draw(order, _progress)]  # type: ignore[arg-type]
    np.testing.assert_array_equal(way[0], ends[0])
    assert np.abs(way[-1].astype(int) - ends[1].astype(int)).max() <= 1
    steps = [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in pairwise(way)]
    assert max(steps) < 0.6 * np.abs(ends[0].astype(int) - ends[1].astype(int)).mean()


def test_no_size_can_be_asked_of_a_generator(tmp_path: Path) -> None:
    capabilities = GanBackend("faces", tmp_path / "gan.onnx").capabilities
    assert effective_size(capabilities, 0, 0) == (0, 0)
    with pytest.raises(InvalidArgumentError) as caught:
        effective_size(capabilities, 0, 64)
    assert (caught.value.reason, caught.value.field) == ("SIZE_NOT_SUPPORTED", "height_px")


def test_any_64_bit_seed_has_a_latent() -> None:
    values = [latent(seed, _Z) for seed in (-(2**63), -1, 0, 2**63 - 1)]
    assert len({value.tobytes() for value in values}) == 4
    halfway = between(values[0], values[1], 0.5)
    assert np.linalg.norm(halfway) > 0.5 * np.linalg.norm(values[0])


def test_files_that_are_no_generator(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    for content in (None, b"no network"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FailedPreconditionError):
            list(GanBackend("faces", path).draw(Order("", "", 1, 1), _progress))  # type: ignore[arg-type]
