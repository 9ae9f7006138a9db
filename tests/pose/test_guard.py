"""A device that is gone, wherever that shows, and one that only stumbles."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.pose.v1.pose_service_pb2_grpc import PoseServiceStub
from kuchipaku_contract.errors import InternalError, KuchipakuError
from kuchipaku_pose.engine import Engine, EngineOptions, FrameRequest
from kuchipaku_pose.guard import DeviceGuard
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.providers import BoundTensor, Provider
from kuchipaku_pose.providers.base import stage_failed
from kuchipaku_pose.service import build
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_pose.view import make_view
from kuchipaku_runtime import Server, connect
from tests.pose.gated import Clock
from tests.pose.poseclient import Client, Rgba, canvas_of, talker_pack


def broken(*_: Any) -> Any:
    raise RuntimeError("CUDA failure 719: unspecified launch failure")


@pytest.fixture
def bound(make_pack: Any) -> Engine:
    return Engine(load_pack(make_pack()), EngineOptions(io_binding=True))


def given_up_after(engine: Engine, failure: InternalError) -> bool:
    reasons: list[str] = []
    DeviceGuard([engine], reasons.append).failed(failure)
    return bool(reasons)


def test_a_canvas_that_does_not_reach_the_device_shows_that_it_is_gone(
    bound: Engine, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Provider, "upload", broken)
    with pytest.raises(InternalError) as caught:
        bound.prepare("a", opaque_picture)
    assert caught.value.reason == "STAGE_FAILED"
    assert given_up_after(bound, caught.value)


def test_a_frame_that_does_not_come_back_shows_that_the_device_is_gone(
    bound: Engine, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    character = bound.prepare("a", opaque_picture)
    monkeypatch.setattr(BoundTensor, "to_host", broken)
    with pytest.raises(InternalError) as caught:
        bound.render([FrameRequest(character, bound.space.neutral, make_view(bound.canvas_side))])
    assert caught.value.reason == "STAGE_FAILED"
    assert given_up_after(bound, caught.value)


async def test_a_service_with_new_characters_alone_notices_too(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PoseSettings(
        address=f"unix:{tmp_path}/s",
        models=(talker_pack(tmp_path),),
        workers=1,
        threads_per_run=1,
        max_batch=1,
    )
    server = Server(settings, build)
    await server.start()
    try:
        async with connect(server.address) as peer:
            canvas = canvas_of(opaque_picture)
            client = Client(PoseServiceStub(peer.channel), canvas, opaque_picture)
            monkeypatch.setattr(Provider, "upload", broken)
            with pytest.raises(KuchipakuError) as caught:
                await client.animate([client.config(), pb.AnimateRequest(canvas=canvas)])
            assert (caught.value.code, caught.value.reason) == ("INTERNAL", "STAGE_FAILED")
            await server.wait_failed()
            await server.drain(0.0)
            assert await peer.check() == "NOT_SERVING"
    finally:
        await server.stop()


def test_failures_that_go_on_are_looked_into_ever_more_rarely_to_a_bound() -> None:
    clock, checked = Clock(), list[float]()
    engine = SimpleNamespace(check=lambda: checked.append(clock.now - 100.0))
    guard = DeviceGuard([engine], lambda why: None, clock)
    for _ in range(4 * 120):
        guard.failed(stage_failed("face"))
        clock.now += 0.25
    assert checked == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0]
    clock.now += 60.0
    quiet_until = clock.now - 100.0
    for _ in range(8):
        guard.failed(stage_failed("face"))
        clock.now += 0.25
    assert checked[8:] == [quiet_until, quiet_until + 1.0]


def test_a_device_that_dies_after_it_has_stumbled_is_found_out() -> None:
    clock, reasons = Clock(), list[str]()
    engine = SimpleNamespace(check=lambda: None)
    guard = DeviceGuard([engine], reasons.append, clock)
    guard.failed(stage_failed("face"))
    engine.check = broken
    guard.failed(stage_failed("face"))
    assert reasons == []
    clock.now += 1.0
    guard.failed(stage_failed("face"))
    assert len(reasons) == 1
