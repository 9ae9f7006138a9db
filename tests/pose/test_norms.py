"""Norms in the exact form and as the operator of a provider."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from kuchipaku_pose.engine import Engine, EngineOptions
from kuchipaku_pose.engine.norms import with_native_norms
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.providers import Provider, ProviderName, ProviderOptions
from kuchipaku_pose.providers.base import not_runnable
from tests.pose.tinypack import SIDE, tiny_stages, write_pack

torch = pytest.importorskip("torch")

from kuchipaku_pose.tha.blocks import InstanceNorm  # noqa: E402
from kuchipaku_pose.tha.serving import ExactGroupNorm, ExactInstanceNorm  # noqa: E402


def graph_of(module: Any, name: str = "image", result: str = "half", channels: int = 4) -> bytes:
    """Export a network of one picture with a dynamic batch."""
    file = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            module,
            (torch.rand(2, channels, SIDE, SIDE),),
            file,
            input_names=[name],
            output_names=[result],
            dynamic_axes={name: {0: "n"}, result: {0: "n"}},
            opset_version=18,
            dynamo=False,
        )
    return file.getvalue()


def exact_norm(channels: int) -> Any:
    norm = InstanceNorm(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.2, 0.4, channels))
        norm.bias.copy_(torch.linspace(0.3, 0.5, channels))
    return ExactInstanceNorm(norm)


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(graph).graph.node]


def run(graph: bytes, values: np.ndarray, provider: ProviderName = ProviderName.CPU) -> Any:
    rows = [{"image": row[None]} for row in values]
    return [out["half"] for out in Provider(ProviderOptions(provider)).open("s", graph).run(rows)]


@pytest.mark.filterwarnings("ignore")
def test_an_exact_norm_becomes_one_operator_that_gives_the_same() -> None:
    graph = graph_of(torch.nn.Sequential(exact_norm(4), torch.nn.Tanh(), exact_norm(4)))
    native = with_native_norms(graph)
    onnx.checker.check_model(onnx.load_from_string(native))
    assert sorted(operators(native)) == ["InstanceNormalization"] * 2 + ["Tanh"]
    pictures = np.random.default_rng(1).random((2, 4, SIDE, SIDE), np.float32)
    pictures[1] = pictures[1] * 7 - 3
    for ours, theirs in zip(run(native, pictures), run(graph, pictures), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_other_norms_and_graphs_without_norms_stay_as_they_are() -> None:
    groups = graph_of(ExactGroupNorm(torch.nn.GroupNorm(2, 4)))
    assert "BatchNormalization" in operators(groups)
    assert with_native_norms(groups) is groups
    plain = tiny_stages()["encode"][0]
    assert with_native_norms(plain) is plain


@pytest.fixture
def normed_pack(tmp_path: Path) -> Path:
    """The tiny model with a norm in its first stage."""
    stages = tiny_stages()
    graph = graph_of(exact_norm(4))
    return write_pack(tmp_path / "normed", stages | {"encode": (graph, *stages["encode"][1:])})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tolerance", "share", "native"), [(2e-4, 0, True), (-1, 0, False)])
def test_a_providers_own_norm_runs_where_the_self_test_finds_it_exact(
    normed_pack: Path,
    monkeypatch: pytest.MonkeyPatch,
    tolerance: float,
    share: float,
    native: bool,
) -> None:
    pytest.importorskip("openvino")
    opened: list[list[str]] = []
    original = Provider.open

    def noting(self: Provider, stage: str, graph: bytes) -> Any:
        if self.options.name is ProviderName.OPENVINO and stage == "encode":
            opened.append(operators(graph))
        return original(self, stage, graph)

    monkeypatch.setattr(Provider, "open", noting)
    monkeypatch.setattr("kuchipaku_pose.engine.core.NORM_TOLERANCE", tolerance)
    monkeypatch.setattr("kuchipaku_pose.engine.core.NORM_SHARE", share)
    engine = Engine(load_pack(normed_pack), EngineOptions(provider="openvino"))
    assert ["InstanceNormalization"] in opened
    assert len(opened) == (1 if native else 2)
    canvas = np.random.default_rng(3).random((4, SIDE, SIDE), np.float32)
    poses = engine.space.neutral
    expected = Engine(load_pack(normed_pack), EngineOptions())
    ours, theirs = (each.output(each.prepare_tensor(canvas), poses) for each in (engine, expected))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_provider_that_refuses_its_own_norm_runs_the_exact_form(
    normed_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    original, refused = Provider.open, []

    def refusing(self: Provider, stage: str, graph: bytes) -> Any:
        if "InstanceNormalization" in operators(graph):
            refused.append(stage)
            raise not_runnable(stage, "OpenVINO", NotImplementedError("InstanceNormalization"))
        return original(self, stage, graph)

    monkeypatch.setattr(Provider, "open", refusing)
    engine = Engine(load_pack(normed_pack), EngineOptions(provider="openvino"))
    engine.check()
    assert refused == ["encode"]


@pytest.mark.filterwarnings("ignore")
def test_the_cpu_keeps_the_exact_form(normed_pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[str]] = []
    original = Provider.open

    def noting(self: Provider, stage: str, graph: bytes) -> Any:
        opened.append(operators(graph))
        return original(self, stage, graph)

    monkeypatch.setattr(Provider, "open", noting)
    Engine(load_pack(normed_pack), EngineOptions())
    assert not any("InstanceNormalization" in names for names in opened)
