"""What providers are asked for: TensorRT's engines and shapes, OpenVINO's streams, row graphs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper

from kuchipaku_contract.errors import FailedPreconditionError, InternalError
from kuchipaku_pose.calibrate import Concurrency
from kuchipaku_pose.engine import Engine, EngineOptions, FrameRequest
from kuchipaku_pose.providers import Provider, ProviderName, ProviderOptions, to_host
from kuchipaku_pose.providers.openvino import load_openvino, openvino_config
from kuchipaku_pose.providers.rowgraphs import product_graph
from kuchipaku_pose.providers.tensorrt import (
    KEPT_ENGINES,
    TF32_OVERRIDE,
    shape_profile,
    tensorrt_options,
)
from kuchipaku_pose.view import make_view
from tests.pose.tinypack import SIDE, add_graph, constant, graph_bytes, scale_graph, value

TENSORRT, CUDA, CPU = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "CPUExecutionProvider",
)
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)
Opened = list[tuple[bytes, list[tuple[str, dict[str, Any]]]]]


def face_graph(weight: float) -> bytes:
    return add_graph(np.full((2, 4), weight, np.float32))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """An onnxruntime that says it has GPUs and gives every provider; what it was asked for."""
    # Set first, so that it is put back whatever is done to it.
    monkeypatch.setenv(TF32_OVERRIDE, "0")
    monkeypatch.delenv(TF32_OVERRIDE)
    opened: Opened = []
    real = ort.InferenceSession

    class Session:
        def __init__(self, graph: bytes, options: Any, providers: Any) -> None:
            opened.append((graph, providers))
            self._providers = [name for name, _ in providers]
            self._real = real(graph, options, providers=[CPU])

        def get_providers(self) -> Sequence[str]:
            return self._providers

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", Session)
    return opened


def asked_for(opened: Opened, graph: bytes) -> dict[str, Any]:
    """The options that TensorRT was given for ``graph``."""
    return next(dict(providers)[TENSORRT] for data, providers in opened if data == graph)


def test_engines_of_other_weights_lie_elsewhere(gpu: Opened, tmp_path: Path) -> None:
    cache = tmp_path / "engines"
    options = ProviderOptions(ProviderName.TENSORRT, engine_cache=str(cache), max_batch=4)
    graphs = face_graph(1.0), face_graph(2.0)
    for graph in graphs:
        Provider(options).open("face", graph)
    first, second = (asked_for(gpu, graph) for graph in graphs)
    assert first["trt_engine_cache_enable"]
    assert first["trt_engine_cache_path"] != second["trt_engine_cache_path"]
    assert all(Path(each["trt_engine_cache_path"]).parent == cache for each in (first, second))
    # How fast kernels are does not depend on weights.
    assert first["trt_timing_cache_path"] == second["trt_timing_cache_path"] == str(cache)
    # The same bytes find their engine again; built for other shapes it would be another one.
    assert tensorrt_options(graphs[0], options) == first
    larger = ProviderOptions(ProviderName.TENSORRT, engine_cache=str(cache), max_batch=8)
    assert tensorrt_options(graphs[0], larger)["trt_engine_cache_path"] not in {
        first["trt_engine_cache_path"],
        second["trt_engine_cache_path"],
    }


def test_engines_that_nobody_uses_any_more_are_dropped(tmp_path: Path) -> None:
    options = ProviderOptions(ProviderName.TENSORRT, engine_cache=str(tmp_path))

    def folder(number: int) -> Path:
        return Path(tensorrt_options(face_graph(number), options)["trt_engine_cache_path"])

    folders = [folder(number) for number in range(KEPT_ENGINES + 3)]
    foreign = tmp_path / "mine"
    foreign.mkdir()
    for age, each in enumerate([foreign, *folders]):
        os.utime(each, (1000.0 + age, 1000.0 + age))
    # The first is in use by somebody else, who opened it an hour ago.
    os.utime(folders[0])
    # Used again, the oldest of the others is the youngest.
    assert folder(1) == folders[1]
    newest = folder(1000)
    left = {each for each in tmp_path.iterdir() if each != foreign}
    assert left == {newest, folders[0], folders[1], *folders[6:]}
    assert (len(left), foreign.is_dir()) == (KEPT_ENGINES, True)


def test_a_folder_for_engines_that_cannot_be_one_is_an_error(gpu: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = str(tmp_path / "file")
    with pytest.raises(FailedPreconditionError) as caught:
        Provider(ProviderOptions(ProviderName.TENSORRT, engine_cache=cache)).open(
            "encode", scale_graph()
        )
    assert caught.value.reason == "ENGINE_CACHE_UNUSABLE"


def test_engines_are_built_for_all_batches_at_once(gpu: Opened) -> None:
    graph = face_graph(1.0)
    Provider(ProviderOptions(ProviderName.TENSORRT, max_batch=8)).open("face", graph)
    chosen = asked_for(gpu, graph)
    for bound, rows in (("min", 1), ("opt", 8), ("max", 8)):
        shapes = f"x:{rows}x4x{SIDE}x{SIDE},pose:{rows}x2"
        assert chosen[f"trt_profile_{bound}_shapes"] == shapes


def test_shapes_that_are_not_known_are_not_made_up() -> None:
    assert shape_profile(scale_graph(), None) == {}
    node = helper.make_node("Add", ["x", "w"], ["y"])
    weights = [constant("w", np.zeros(1, np.float32))]
    any_size = graph_bytes(
        [node], [value("x", ["n", 4, "h"])], [value("y", ["n", 4, "h"])], weights
    )
    assert shape_profile(any_size, 4) == {}
    fixed = graph_bytes([node], [value("x", [1, 4])], [value("y", [1, 4])], weights)
    assert shape_profile(fixed, 4) == {}
    assert shape_profile(product_graph(3), 2)["trt_profile_max_shapes"] == "x:2x3x3,y:2x3x3"


def test_a_graph_that_tensorrt_takes_in_parts_is_opened_without_shapes(
    gpu: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = ort.InferenceSession

    def picky(graph: bytes, options: Any, providers: Any) -> Any:
        session = working(graph, options, providers)
        if any("trt_profile_max_shapes" in chosen for _, chosen in providers):
            raise RuntimeError("User needs to provide all the dynamic shape inputs")
        return session

    monkeypatch.setattr(ort, "InferenceSession", picky)
    graph = face_graph(1.0)
    Provider(ProviderOptions(ProviderName.TENSORRT, max_batch=8)).open("face", graph)
    tried = [dict(providers)[TENSORRT] for data, providers in gpu if data == graph]
    assert ["trt_profile_max_shapes" in chosen for chosen in tried] == [True, False]


def test_tensorrt_does_not_round_to_tf32(gpu: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    Provider(ProviderOptions(ProviderName.TENSORRT)).open("encode", scale_graph())
    assert os.environ[TF32_OVERRIDE] == "0"
    monkeypatch.setenv(TF32_OVERRIDE, "1")
    Provider(ProviderOptions(ProviderName.TENSORRT)).open("encode", scale_graph())
    assert os.environ[TF32_OVERRIDE] == "1"


def test_graphs_without_shapes_never_go_to_tensorrt(gpu: Opened) -> None:
    graph = scale_graph()
    Provider(ProviderOptions(ProviderName.TENSORRT, max_batch=4)).open("encode", graph)
    others = [[name for name, _ in providers] for data, providers in gpu if data != graph]
    assert others == [[CUDA, CPU]] * 2
    assert [name for name, _ in gpu[0][1]] == [TENSORRT, CUDA, CPU]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions that onnxruntime opens from now on."""
    opened: list[Any] = []
    real = ort.InferenceSession

    def noting(*args: Any, **options: Any) -> Any:
        opened.append(real(*args, **options))
        return opened[-1]

    monkeypatch.setattr(ort, "InferenceSession", noting)
    return opened


@pytest.mark.parametrize("max_batch", [None, 1, 4])
def test_any_number_of_rows_is_joined_and_parted_by_the_same_two_sessions(
    sessions: list[Any], max_batch: int | None
) -> None:
    provider = Provider(ProviderOptions(io_binding=True, max_batch=max_batch))
    session = provider.open("encode", scale_graph())
    rng = np.random.default_rng(4)
    scale = np.array([0.5, 0.5, 0.5, 1], np.float32).reshape(1, 4, 1, 1)
    assert len(sessions) == 3
    for count in (1, 2, 3, 5, 33, 70):
        images = [rng.random((1, 4, SIDE, SIDE), dtype=np.float32) for _ in range(count)]
        results = session.run([{"image": provider.upload(image)} for image in images])
        for result, image in zip(results, images, strict=True):
            np.testing.assert_array_equal(to_host(result["half"]), image * scale)
    assert len(sessions) == 3


def test_nothing_is_opened_once_a_model_serves(
    make_engine: Callable[..., Engine], opaque_picture: NDArray[np.uint8], sessions: list[Any]
) -> None:
    engine = make_engine(io_binding=True, max_batch=8)
    at_start = len(sessions)
    engine.fit_batches(None)
    character, view = engine.prepare("a", opaque_picture), make_view(SIDE)
    for count in range(1, 9):
        poses = [np.array([i / 16, 0, count / 16, 0, 0], np.float32) for i in range(count)]
        engine.render([FrameRequest(character, pose, view) for pose in poses])
    assert len(sessions) == at_start


def test_openvino_has_a_stream_for_each_run_beside_others() -> None:
    options = Concurrency(workers=3, threads=2, max_batch=1).applied_to(
        EngineOptions(provider="openvino")
    )
    config = openvino_config(options.provider_options())
    assert (config["NUM_STREAMS"], config["INFERENCE_NUM_THREADS"]) == (3, 6)
    # Stages that run side by side must not be tied to the same CPU.
    assert config["ENABLE_CPU_PINNING"] is False


@needs_openvino
def test_openvino_takes_what_it_is_told() -> None:
    core = load_openvino().Core()
    config = openvino_config(ProviderOptions(ProviderName.OPENVINO, workers=2))
    compiled = core.compile_model(core.read_model(scale_graph()), "CPU", config)
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    # On a single CPU it knows better.
    assert compiled.get_property("NUM_STREAMS") in {1, 2}


@needs_openvino
def test_what_openvino_cannot_compile_while_it_serves_is_its_own_failure() -> None:
    session = Provider(ProviderOptions(ProviderName.OPENVINO)).open("encode", scale_graph())
    with pytest.raises(InternalError) as caught:
        session.run([{"image": np.zeros((1, 3, SIDE, SIDE), np.float32)}])
    assert caught.value.reason == "STAGE_FAILED"
