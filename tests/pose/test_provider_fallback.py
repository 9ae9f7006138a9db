"""What is asked for and cannot be had: whatever takes over runs as if it had been asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.engine import Engine, EngineOptions, FrameRequest
from kuchipaku_pose.engine.rewrites import rewritten
from kuchipaku_pose.providers import ProviderName, ProviderOptions, settled
from kuchipaku_pose.view import make_view
from tests.pose.poseclient import service
from tests.pose.tinypack import SIDE, assert_frame

EngineMaker = Callable[..., Engine]
Picture = NDArray[np.uint8]


def missing(name: str) -> Any:
    raise ImportError(name)


def render(engine: Engine, picture: Picture) -> None:
    pose = np.array([0.125, 0, 0.25, 0, 0], np.float32)
    request = FrameRequest(engine.prepare("a", picture), pose, make_view(SIDE))
    assert_frame(engine.render([request])[0].pixels, picture, pose)


@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_a_processor_that_takes_over_works_as_processors_do(
    make_engine: EngineMaker,
    opaque_picture: Picture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    stages: list[str] = []

    def noting(manifest: Any, stage: str, graph: bytes) -> bytes:
        stages.append(stage)
        return rewritten(manifest, stage, graph)

    monkeypatch.setattr("kuchipaku_pose.engine.sessions.rewritten", noting)
    engine = make_engine(provider=name, allow_fallback=True)
    assert set(stages) == {"encode", "face", "head", "compose"}
    character = engine.prepare("a", opaque_picture)
    # Nothing waits for a thread of a device that is not there.
    work = engine.work(FrameRequest(character, engine.space.neutral, make_view(SIDE)))
    unit = work.next_unit()
    assert unit is not None
    assert not unit.on_device
    assert all(isinstance(tensor, np.ndarray) for tensor in character.tensors.values())
    render(engine, opaque_picture)


def test_a_processor_takes_over_from_openvino(
    make_engine: EngineMaker, opaque_picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kuchipaku_pose.providers.openvino.importlib.import_module", missing)
    render(make_engine(provider="openvino", allow_fallback=True), opaque_picture)
    with pytest.raises(FailedPreconditionError) as caught:
        make_engine(provider="openvino")
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"


def test_nothing_takes_over_unasked_or_from_the_processor() -> None:
    for options in (
        ProviderOptions(ProviderName.CUDA),
        ProviderOptions(ProviderName.CPU, allow_fallback=True),
    ):
        assert settled(options) is options


async def test_a_service_uses_every_worker_of_the_processor_that_takes_over(
    tmp_path: Path, opaque_picture: Picture
) -> None:
    before = set(threading.enumerate())
    asked_for = {"provider": "cuda", "provider_fallback": True}
    async with service(tmp_path, opaque_picture, **asked_for) as client:
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert {name for name in names if name.startswith("pose-")} == {
            "pose-worker-0",
            "pose-worker-1",
        }
        await client.lend_canvas()


def test_an_engine_says_how_many_runs_it_is_meant_for() -> None:
    assert EngineOptions(workers=3).provider_options().workers == 3
