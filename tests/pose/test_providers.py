"""Sessions of each provider against the plain ones; what is refused, and what takes over."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from kuchipaku_contract.errors import FailedPreconditionError, InternalError
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest, Memo
from kuchipaku_pose.engine.selftest import check_outputs
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.providers import (
    BoundTensor,
    OrtSession,
    Provider,
    ProviderName,
    ProviderOptions,
    Row,
    to_host,
)
from kuchipaku_pose.providers.ort import open_inference_session
from kuchipaku_pose.providers.precision import check_grids
from kuchipaku_pose.view import make_view
from tests.pose.tinypack import SIDE, assert_frame, constant, graph_bytes, scale_graph, value

EngineMaker = Callable[..., Engine]
Picture = NDArray[np.uint8]
VIEW = make_view(SIDE)

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)


def requests(engine: Engine, picture: Picture, count: int) -> list[FrameRequest]:
    character = engine.prepare("a", picture)
    poses = [np.array([i / 8, 0.25, (i % 2) / 4, 0, 0], np.float32) for i in range(count)]
    return [FrameRequest(character, pose, VIEW) for pose in poses]


def assert_frames(engine: Engine, picture: Picture, count: int = 5) -> None:
    wanted = requests(engine, picture, count)
    for frame, request in zip(engine.render(wanted), wanted, strict=True):
        assert_frame(frame.pixels, picture, request.pose)


@pytest.mark.parametrize("max_batch", [1, 3, 8])
def test_frames_bound_to_memory_are_the_same(
    make_engine: EngineMaker, opaque_picture: Picture, max_batch: int
) -> None:
    assert_frames(make_engine(io_binding=True, max_batch=max_batch), opaque_picture)


def test_bound_values_stay_on_the_device_between_stages(
    make_pack: Any, opaque_picture: Picture
) -> None:
    kept: list[Any] = []

    class Watched(Memo[Any]):
        def publish(self, key: Any, value: Any, nbytes: int) -> None:
            kept.extend(value.values())
            super().publish(key, value, nbytes)

    memory = EngineMemory(stages=Watched(1 << 30))
    engine = Engine(load_pack(make_pack()), EngineOptions(io_binding=True, max_batch=4), memory)
    assert_frames(engine, opaque_picture)
    character = engine.character("a")
    assert character is not None
    values = [*kept, *character.tensors.values()]
    assert len(values) > 4
    assert all(isinstance(tensor, BoundTensor) for tensor in values)
    assert {tensor.shape[0] for tensor in values} == {1}
    assert character.nbytes == sum(4 * int(np.prod(t.shape)) for t in character.tensors.values())


@needs_openvino
@pytest.mark.parametrize("max_batch", [1, 4])
def test_openvino_gives_the_frames_of_onnxruntime(
    make_engine: EngineMaker, opaque_picture: Picture, max_batch: int
) -> None:
    assert_frames(make_engine(provider="openvino", max_batch=max_batch), opaque_picture)


@needs_openvino
def test_openvino_says_what_it_cannot_run() -> None:
    data = graph_bytes(
        [helper.make_node("NoSuchOperator", ["image"], ["half"])],
        [value("image", ["n", 4])],
        [value("half", ["n", 4])],
        [],
    )
    with pytest.raises(FailedPreconditionError) as caught:
        Provider(ProviderOptions(ProviderName.OPENVINO)).open("encode", data)
    assert caught.value.reason == "STAGE_NOT_RUNNABLE"


def test_openvino_that_is_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("kuchipaku_pose.providers.openvino.importlib.import_module", missing)
    with pytest.raises(FailedPreconditionError) as caught:
        Provider(ProviderOptions(ProviderName.OPENVINO)).open("encode", scale_graph())
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"


@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_gpu_that_cannot_be_had_is_an_error_listed_or_not(
    monkeypatch: pytest.MonkeyPatch, name: str, listed: bool
) -> None:
    if listed:
        # onnxruntime-gpu lists these without any GPU, and falls back to the CPU in silence.
        names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(ort, "get_available_providers", lambda: names)
        real = ort.InferenceSession
        monkeypatch.setattr(
            ort,
            "InferenceSession",
            lambda graph, options, providers: real(
                graph, options, providers=["CPUExecutionProvider"]
            ),
        )
    options = ProviderOptions(ProviderName(name))
    with pytest.raises(FailedPreconditionError) as caught:
        Provider(options).open("encode", scale_graph())
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"


def test_the_processor_takes_over_where_that_is_allowed(
    make_engine: EngineMaker, opaque_picture: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(provider="cuda", allow_fallback=True, max_batch=2)
    assert_frames(engine, opaque_picture)
    assert "another provider takes over" in caplog.text


def test_what_runs_is_what_the_session_got(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)
    session = SimpleNamespace(get_providers=lambda: names[1:])
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **options: session)
    wanted = ProviderOptions(ProviderName.TENSORRT, allow_fallback=True)
    assert open_inference_session("face", b"", wanted) == (session, ProviderName.CUDA)
    with pytest.raises(FailedPreconditionError):
        open_inference_session("face", b"", replace(wanted, allow_fallback=False))


def test_an_unknown_provider_is_an_error(make_engine: EngineMaker) -> None:
    with pytest.raises(ValueError, match="abacus"):
        make_engine(provider="abacus")


SHAPE = (1, 4, 8, 8)


def off(everywhere: float, once: float = 0.0) -> list[NDArray[np.float32]]:
    tensor = np.full(SHAPE, everywhere, np.float32)
    tensor[0, 0, 0, 0] += once
    return [np.zeros(SHAPE, np.float32), tensor]


def test_the_self_test_tells_how_far_a_provider_is_off() -> None:
    assert check_outputs(off(0.001, 0.002), SHAPE, off(0.0)) == pytest.approx(0.003)
    with pytest.raises(InternalError) as caught:
        check_outputs(off(0.0, 0.1), SHAPE, off(0.0))
    assert caught.value.reason == "SELF_TEST_FAILED"
    # Where coarse arithmetic was asked for, one pixel may be off, and not the picture.
    check_outputs(off(0.001, 0.1), SHAPE, off(0.0), rounded=True)
    with pytest.raises(InternalError):
        check_outputs(off(0.05), SHAPE, off(0.0), rounded=True)


def test_the_self_test_looks_at_shape_and_finiteness_without_a_reference_too() -> None:
    check_outputs(off(7.0), SHAPE, [])
    for wrong in (off(np.nan), [np.zeros((1, 4, 8, 9), np.float32)]):
        with pytest.raises(InternalError):
            check_outputs(wrong, SHAPE, [])


def test_a_provider_that_mixes_up_the_rows_of_a_batch_fails_its_self_test(
    make_engine: EngineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OrtSession.run

    def swapped(self: OrtSession, rows: Sequence[Row]) -> Any:
        results = real(self, rows)
        return results[::-1] if self.stage == "compose" else results

    monkeypatch.setattr(OrtSession, "run", swapped)
    make_engine(max_batch=1)
    with pytest.raises(InternalError) as caught:
        make_engine(max_batch=2)
    assert caught.value.reason == "SELF_TEST_FAILED"


def sampling_graph(nodes: Sequence[Any]) -> bytes:
    """A graph of ``nodes`` that go from image and offset to y."""
    return graph_bytes(
        list(nodes),
        [value("image", ["n", 4, 8, 8]), value("offset", ["n", 8, 8, 2])],
        [value("y", ["n", 4, 8, 8])],
        [constant("base", np.zeros((1, 8, 8, 2), np.float32))],
    )


HALF: dict[str, Any] = {"to": TensorProto.FLOAT16}
FULL: dict[str, Any] = {"to": TensorProto.FLOAT}


def test_grids_in_single_precision_pass_whatever_else_is_in_half() -> None:
    check_grids(
        "warp",
        sampling_graph(
            [
                helper.make_node("Cast", ["offset"], ["h"], **HALF),
                helper.make_node("Tanh", ["h"], ["t"]),
                helper.make_node("Cast", ["t"], ["f"], **FULL),
                helper.make_node("Add", ["f", "base"], ["grid"]),
                helper.make_node("GridSample", ["image", "grid"], ["y"]),
            ]
        ),
    )


@pytest.mark.parametrize(
    "nodes",
    [
        [
            helper.make_node("Cast", ["offset"], ["h"], **HALF),
            helper.make_node("Tanh", ["h"], ["t"]),
            helper.make_node("Cast", ["t"], ["grid"], **FULL),
            helper.make_node("GridSample", ["image", "grid"], ["y"]),
        ],
        [
            helper.make_node("Cast", ["offset"], ["h"], **HALF),
            helper.make_node("Cast", ["h"], ["f"], **FULL),
            helper.make_node("Transpose", ["f"], ["grid"], perm=[0, 2, 1, 3]),
            helper.make_node("GridSample", ["image", "grid"], ["y"]),
        ],
        [
            helper.make_node("Cast", ["image"], ["small"], **HALF),
            helper.make_node("GridSample", ["small", "offset"], ["h"]),
            helper.make_node("Cast", ["h"], ["y"], **FULL),
        ],
    ],
    ids=["computed in half", "moved since", "sampled in half"],
)
def test_grids_in_half_precision_are_refused(nodes: Sequence[Any]) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        check_grids("warp", sampling_graph(nodes))
    assert caught.value.reason == "GRID_IN_HALF_PRECISION"


@pytest.mark.parametrize("count", [2, 5])
def test_rows_are_joined_and_parted_on_the_device(count: int) -> None:
    provider = Provider(ProviderOptions(io_binding=True))
    session = provider.open("encode", scale_graph())
    rng = np.random.default_rng(2)
    images = [rng.random((1, 4, SIDE, SIDE), dtype=np.float32) for _ in range(count)]
    rows: list[Any] = [{"image": provider.upload(image)} for image in images[1:]]
    rows.append({"image": images[0]})
    results = session.run(rows)
    scale = np.array([0.5, 0.5, 0.5, 1], np.float32).reshape(1, 4, 1, 1)
    for result, image in zip(results, [*images[1:], images[0]], strict=True):
        np.testing.assert_array_equal(to_host(result["half"]), image * scale)
