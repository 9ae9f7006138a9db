"""What a service finds out about its device at the start, and when it loses it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.pose.v1.pose_service_pb2_grpc import PoseServiceStub
from kuchipaku_contract.errors import InternalError, InvalidArgumentError, KuchipakuError
from kuchipaku_pose.calibrate import Concurrency, Meter, Wishes, choose, plain
from kuchipaku_pose.engine import Engine, EngineOptions, FrameRequest
from kuchipaku_pose.engine.evaluate import StageUnit
from kuchipaku_pose.engine.probe import largest_batch
from kuchipaku_pose.guard import DeviceGuard
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.providers import (
    OrtSession,
    Provider,
    ProviderName,
    ProviderOptions,
    Row,
    StageSession,
)
from kuchipaku_pose.providers.base import stage_failed
from kuchipaku_pose.providers.devicememory import CudaMemory, HostMemory, memory_of
from kuchipaku_pose.service import build
from kuchipaku_pose.settings import PoseSettings, cpu_count
from kuchipaku_pose.view import make_view
from kuchipaku_runtime import Server, connect
from tests.pose.poseclient import Client, canvas_of, talker_pack

Picture = NDArray[np.uint8]


class FakeMemory:
    """A device of a given size, of which each row takes some and gives nothing back."""

    def __init__(self, size: int, per_row: int) -> None:
        self.size, self.per_row, self.most = size, per_row, 0
        self.tried: list[int] = []

    def run(self, rows: int) -> None:
        self.tried.append(rows)
        if rows * self.per_row > self.size:
            raise InternalError("out of memory", reason="STAGE_FAILED")
        self.most = max(self.most, rows * self.per_row)

    def used_bytes(self) -> int:
        return self.most

    def free_bytes(self) -> int:
        return self.size - self.most


def test_batches_stop_growing_before_memory_is_gone() -> None:
    memory = FakeMemory(size=100, per_row=10)
    assert largest_batch(memory.run, 32, memory) == 4
    assert max(memory.tried) == 4


def test_runs_side_by_side_share_the_memory() -> None:
    memory = FakeMemory(size=100, per_row=10)
    assert largest_batch(memory.run, 32, memory, side_by_side=2) == 2


def test_without_figures_a_failure_tells_that_memory_is_gone() -> None:
    memory = FakeMemory(size=100, per_row=10)
    assert largest_batch(memory.run, 32, None) == 8
    assert largest_batch(FakeMemory(1000, 1).run, 12, None) == 12


def test_a_stage_that_cannot_run_at_all_is_an_error() -> None:
    memory = FakeMemory(size=5, per_row=10)
    with pytest.raises(InternalError):
        largest_batch(memory.run, 4, memory)


def test_an_engine_lowers_its_batches_to_what_memory_allows(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(max_batch=8)
    assert engine.fit_batches(None)["compose"] == 8

    class Full:
        def used_bytes(self) -> int:
            self.used = getattr(self, "used", 0) + 1000
            return self.used

        def free_bytes(self) -> int:
            return 100

    # The picture's own stage runs for single characters.
    assert {engine.fit_batches(Full())[name] for name in ("face", "head", "compose")} == {2}


def test_a_batch_too_large_for_memory_is_halved_and_stays_so(
    make_engine: Callable[..., Engine], opaque_picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(max_batch=8)
    sizes = limit_rows(monkeypatch, 2)
    limited = make_engine(max_batch=8)
    frames = [render(each, opaque_picture, 8) for each in (engine, limited)]
    for ours, theirs in zip(*frames, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert 8 in sizes
    sizes.clear()
    render(limited, opaque_picture, 8, shift=0.03125)
    assert max(sizes) == 2


def limit_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Make sessions opened from now on fail beyond ``most`` rows; return the sizes asked for."""
    sizes: list[int] = []
    real = Provider.open

    def opened(self: Provider, stage: str, graph: bytes) -> StageSession:
        session = real(self, stage, graph)
        run = session.run

        def limited(rows: Sequence[Row]) -> Any:
            sizes.append(len(rows))
            if len(rows) > most:
                raise stage_failed(stage)
            return run(rows)

        session.run = limited  # type: ignore[method-assign]
        return session

    monkeypatch.setattr(Provider, "open", opened)
    return sizes


def render(engine: Engine, picture: Picture, count: int, shift: float = 0.0) -> list[Picture]:
    character, view = engine.prepare("a", picture), make_view(engine.canvas_side)
    poses = [np.array([i / 16 + shift, 0, i / 16, 0, 0], np.float32) for i in range(count)]
    requests = [FrameRequest(character, pose, view) for pose in poses]
    return [frame.pixels for frame in engine.render(requests)]


def test_the_hosts_memory_is_bounded_by_its_container(tmp_path: Path) -> None:
    proc, group = tmp_path / "proc/self", tmp_path / "sys/fs/cgroup"
    proc.mkdir(parents=True)
    group.mkdir(parents=True)
    (proc / "statm").write_text("500 100 50 1 0 30 0\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    memory = HostMemory(tmp_path)
    assert memory.free_bytes() == 4000 * 1024
    assert memory.used_bytes() % 100 == 0
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    assert memory.free_bytes() == 4000 * 1024
    (group / "memory.max").write_text("5000\n")
    assert memory.free_bytes() == 4000


def test_a_gpus_memory_is_asked_of_the_loaded_runtime() -> None:
    devices: list[int] = []

    def tell(free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = 30, 100
        return 0

    runtime = SimpleNamespace(cudaSetDevice=devices.append, cudaMemGetInfo=tell)

    def load(name: str) -> Any:
        if not name.endswith(".12"):
            raise OSError(name)
        return runtime

    memory = memory_of(ProviderOptions(ProviderName.CUDA, device=3), load)
    assert isinstance(memory, CudaMemory)
    assert (memory.used_bytes(), memory.free_bytes(), devices) == (70, 30, [3, 3])

    def missing(name: str) -> Any:
        raise OSError(name)

    assert memory_of(ProviderOptions(ProviderName.CUDA), missing) is None


def measured(table: dict[tuple[int, int, int], float], tried: list[Concurrency]) -> Any:
    def measure(way: Concurrency) -> float:
        tried.append(way)
        return table.get((way.workers, way.threads, way.max_batch), 1.0)

    return measure


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({(4, 1, 1): 10.0, (2, 2, 1): 10.5, (1, 4, 1): 6.0}, (4, 1, 1)),
        ({(4, 1, 1): 10.0, (2, 2, 1): 13.0, (1, 4, 1): 6.0}, (2, 2, 1)),
        ({(4, 1, 1): 10.0, (1, 4, 1): 20.0, (1, 4, 2): 30.0, (1, 4, 4): 31.0}, (1, 4, 2)),
        ({(4, 1, 1): 10.0, (4, 1, 2): 8.0}, (4, 1, 1)),
    ],
    ids=["about equal", "two threads", "batches", "batches cost"],
)
def test_the_fastest_way_to_run_is_chosen(
    table: dict[tuple[int, int, int], float], expected: tuple[int, int, int]
) -> None:
    way = choose(Wishes(), 4, measured(table, []))
    assert (way.workers, way.threads, way.max_batch) == expected


def test_a_disturbed_measurement_does_not_decide() -> None:
    rates = {Concurrency(2, 1, 1): [5.0, 10.0, 4.0], Concurrency(1, 2, 1): [9.0, 3.0, 8.0]}
    way = choose(Wishes(max_batch=1), 2, lambda way: rates[way].pop(0))
    assert way == Concurrency(2, 1, 1)
    # Ahead after two rounds, it was not measured again.
    assert {len(left) for left in rates.values()} == {1}


def test_only_what_matters_on_a_device_is_left_to_be_found_out() -> None:
    processor = PoseSettings().wishes()
    assert (processor.workers, processor.threads, processor.max_batch) == (None, None, 1)
    gpu = PoseSettings(provider="cuda").wishes()
    assert (gpu.workers, gpu.threads, gpu.max_batch) == (cpu_count(), 1, None)
    assert PoseSettings(workers=3, threads_per_run=2).wishes().complete


def test_what_is_given_is_kept_and_not_measured() -> None:
    tried: list[Concurrency] = []
    way = choose(Wishes(workers=3, threads=2, max_batch=4), 8, measured({}, tried))
    assert (way, tried) == (Concurrency(3, 2, 4), [])
    way = choose(Wishes(threads=2, max_batch=1), 8, measured({}, tried))
    assert way == Concurrency(4, 2, 1)
    assert plain(Wishes(), 6) == Concurrency(6, 1, 1)


def test_a_pack_is_measured_as_it_would_be_run(make_pack: Callable[..., Path]) -> None:
    meter = Meter(load_pack(make_pack()), EngineOptions(), seconds=0.0)
    assert meter(Concurrency(2, 1, 1)) > 0
    assert meter(Concurrency(1, 2, 4)) > 0


def test_a_device_is_measured_with_the_threads_that_feed_it(
    make_pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: set[str] = set()
    run = OrtSession.run

    def noting(self: OrtSession, rows: Sequence[Row]) -> Any:
        ran.add(threading.current_thread().name)
        return run(self, rows)

    class DeviceUnit(StageUnit):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"on_device": True})

    monkeypatch.setattr(OrtSession, "run", noting)
    monkeypatch.setattr("kuchipaku_pose.engine.core.StageUnit", DeviceUnit)
    meter = Meter(load_pack(make_pack()), EngineOptions(), seconds=0.0, device_workers=1)
    assert meter(Concurrency(3, 1, 2)) > 0
    # Beside the thread that opens the model and warms it up.
    assert ran == {threading.current_thread().name, "pose-device-0"}


def test_a_failure_that_a_check_does_not_repeat_is_the_frames_own() -> None:
    reasons: list[str] = []
    checked: list[int] = []
    guard = DeviceGuard([SimpleNamespace(check=lambda: checked.append(1))], reasons.append)
    guard.failed(stage_failed("face"))
    guard.failed(InvalidArgumentError("not a frame", reason="CANVAS_WRONG_SIZE"))
    guard.failed(IndexError())
    assert (reasons, checked) == ([], [1])


def test_a_failure_that_repeats_is_told_once() -> None:
    reasons: list[str] = []

    def fail() -> None:
        raise stage_failed("face")

    guard = DeviceGuard([SimpleNamespace(check=fail)], reasons.append)
    guard.failed(stage_failed("face"))
    guard.failed(stage_failed("face"))
    assert len(reasons) == 1


@pytest.mark.parametrize("moment", ["frame", "canvas"])
async def test_a_device_gone_in_mid_run_ends_the_call_and_the_health(
    tmp_path: Path, opaque_picture: Picture, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gone = False
    real = Provider.open

    def opened(self: Provider, stage: str, graph: bytes) -> StageSession:
        session = real(self, stage, graph)
        run = session.run

        def fragile(rows: Sequence[Row]) -> Any:
            if gone:
                raise stage_failed(stage)
            return run(rows)

        session.run = fragile  # type: ignore[method-assign]
        return session

    monkeypatch.setattr(Provider, "open", opened)
    settings = PoseSettings(
        address=f"unix:{tmp_path}/s",
        models=(talker_pack(tmp_path),),
        workers=2,
        threads_per_run=1,
        max_batch=1,
    )
    server = Server(settings, build)
    await server.start()
    try:
        async with connect(server.address) as peer:
            client = Client(
                PoseServiceStub(peer.channel), canvas_of(opaque_picture), opaque_picture
            )
            if moment == "frame":
                await client.lend_canvas()
            assert await peer.check() == "SERVING"
            gone = True
            canvas = pb.AnimateRequest(canvas=client.canvas)
            with pytest.raises(KuchipakuError) as caught:
                await client.animate([client.config(), canvas, *client.line("other")])
            assert (caught.value.code, caught.value.reason) == ("INTERNAL", "STAGE_FAILED")
            await server.wait_failed()
            await server.drain(0.0)
            assert await peer.check() == "NOT_SERVING"
    finally:
        await server.stop()
