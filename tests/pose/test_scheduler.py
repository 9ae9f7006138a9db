from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kuchipaku_contract.errors import InternalError, ResourceExhaustedError, UnavailableError
from kuchipaku_pose.engine import (
    PIXELS_STAGE,
    Character,
    Engine,
    EngineOptions,
    FrameRequest,
)
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.scheduler import Batch, Dispatcher, Scheduler
from kuchipaku_pose.view import make_view
from kuchipaku_pose.work import drive
from tests.pose.fakework import FunctionUnit, Steps
from tests.pose.gated import Clock, GatedRenderer, numbered, occupy, running
from tests.pose.tinypack import assert_frame


async def test_the_earliest_due_goes_first_whoever_asked_first() -> None:
    renderer = GatedRenderer()
    async with running() as scheduler:
        lanes = [scheduler.lane() for _ in range(3)]
        futures = [await occupy(lanes[0], renderer)]
        now = scheduler.clock()
        for number, due in [(1, 3.0), (2, 1.0), (3, 2.0), (4, 1.5)]:
            futures.append(lanes[number % 3].render(renderer, numbered(number), due=now + due))
        renderer.gate.set()
        await asyncio.gather(*futures)
    assert renderer.order == [0, 2, 4, 3, 1]


async def test_greedy_lanes_take_turns() -> None:
    renderer = GatedRenderer()
    clock = Clock()
    async with running(clock=clock) as scheduler:
        one, two = scheduler.lane(), scheduler.lane()
        futures = [await occupy(scheduler.lane(), renderer)]
        futures += [one.render(renderer, numbered(100 + i)) for i in range(6)]
        futures += [two.render(renderer, numbered(200 + i)) for i in range(6)]
        renderer.gate.set()
        await asyncio.gather(*futures)
    taken = [number // 100 for number in renderer.order[1:]]
    assert taken == [1, 2] * 6


async def test_a_newcomer_is_not_starved_by_a_long_queue_nor_starves_it() -> None:
    renderer = GatedRenderer()
    clock = Clock()
    async with running(clock=clock) as scheduler:
        old, new = scheduler.lane(), scheduler.lane()
        futures = [await occupy(scheduler.lane(), renderer)]
        futures += [old.render(renderer, numbered(100 + i)) for i in range(40)]
        clock.now += 0.2
        futures += [new.render(renderer, numbered(200 + i)) for i in range(40)]
        renderer.gate.set()
        await asyncio.gather(*futures)
    order = renderer.order[1:]
    # Two of its frames were due before the newcomer's first; from then on they take turns.
    assert order.index(200) <= 3
    first_twenty_new = [number for number in order if number >= 200][:20]
    reach = order[: order.index(first_twenty_new[-1])]
    assert sum(number < 200 for number in reach) >= 10


async def test_a_live_frame_overtakes_bulk_work() -> None:
    renderer = GatedRenderer()
    async with running() as scheduler:
        bulk, live = scheduler.lane(), scheduler.lane()
        futures = [await occupy(scheduler.lane(), renderer)]
        futures += [bulk.render(renderer, numbered(i)) for i in range(1, 5)]
        futures.append(live.render(renderer, numbered(9), due=scheduler.clock() + 0.001))
        renderer.gate.set()
        await asyncio.gather(*futures)
    assert renderer.order == [0, 9, 1, 2, 3, 4]


async def test_batches_hold_what_one_renderer_may_do_at_once() -> None:
    large, single = GatedRenderer(max_batch=3), GatedRenderer()
    async with running() as scheduler:
        lane = scheduler.lane()
        futures = [await occupy(lane, single)]
        futures += [lane.render(large, numbered(i), due=100.0 + i) for i in range(1, 6)]
        futures.append(lane.render(single, numbered(7), due=102.5))
        large.gate.set()
        single.gate.set()
        await asyncio.gather(*futures)
    assert large.batches == [[1, 2, 3], [4, 5]]
    assert single.batches == [[0], [7]]


async def test_a_frame_past_its_time_is_not_rendered() -> None:
    renderer = GatedRenderer()
    clock = Clock()
    async with running(clock=clock) as scheduler:
        lane = scheduler.lane()
        first = await occupy(lane, renderer)
        stale = lane.render(renderer, numbered(1), due=100.0, expires=100.5)
        fresh = lane.render(renderer, numbered(2), due=101.0, expires=101.5)
        clock.now = 101.0
        renderer.gate.set()
        assert await stale is None
        assert await fresh is not None
        assert await first is not None
        assert scheduler.statistics().expired == 1
    assert renderer.order == [0, 2]


async def test_the_queue_is_told_how_long_a_worker_has_had_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, renderer = Clock(), GatedRenderer()
    found_nothing = threading.Event()
    asked: list[float] = []
    take = Dispatcher.take

    def watched(queue: Dispatcher, now: float, **options: Any) -> Batch:
        batch = take(queue, now, **options)
        if batch.jobs:
            asked.append(options["idle_s"])
        else:
            found_nothing.set()
        return batch

    monkeypatch.setattr(Dispatcher, "take", watched)
    async with running(clock=clock) as scheduler:
        await asyncio.to_thread(found_nothing.wait)
        clock.now += 0.5
        lane = scheduler.lane()
        first = await occupy(lane, renderer)
        second = lane.render(renderer, numbered(1))
        clock.now += 2.0
        renderer.gate.set()
        await asyncio.gather(first, second)
    # The second one came while the worker was busy.
    assert asked == [0.5, 0.0]


async def test_cancelled_work_leaves_the_queue_at_once() -> None:
    renderer = GatedRenderer()
    async with running(max_queued=3) as scheduler:
        keeper, leaver = scheduler.lane(), scheduler.lane()
        first = await occupy(keeper, renderer)
        gone = [leaver.render(renderer, numbered(i)) for i in (1, 2)]
        kept = keeper.render(renderer, numbered(3))
        leaver.cancel_all()
        assert scheduler.statistics().queued == 1
        assert scheduler.statistics().cancelled == 2
        room = [keeper.render(renderer, numbered(i)) for i in (4, 5)]
        renderer.gate.set()
        await asyncio.gather(first, kept, *room)
        assert all(future.cancelled() for future in gone)
    assert renderer.order == [0, 3, 4, 5]


async def test_one_cancelled_future_takes_only_its_own_job_out() -> None:
    renderer = GatedRenderer()
    async with running() as scheduler:
        lane = scheduler.lane()
        futures = [await occupy(lane, renderer)]
        futures += [lane.render(renderer, numbered(i)) for i in (1, 2)]
        futures[1].cancel()
        await asyncio.sleep(0)
        assert scheduler.statistics().queued == 1
        renderer.gate.set()
        await asyncio.gather(futures[0], futures[2])
    assert renderer.order == [0, 2]


async def test_a_full_queue_refuses_and_says_so() -> None:
    renderer = GatedRenderer()
    async with running(max_queued=2) as scheduler:
        lane = scheduler.lane()
        futures = [await occupy(lane, renderer)]
        futures += [lane.render(renderer, numbered(i)) for i in (1, 2)]
        with pytest.raises(ResourceExhaustedError) as caught:
            lane.render(renderer, numbered(3))
        assert caught.value.reason == "QUEUE_FULL"
        assert caught.value.retry_after_s is not None
        renderer.gate.set()
        await asyncio.gather(*futures)


async def test_a_failure_reaches_those_of_its_batch_and_the_worker_lives_on() -> None:
    renderer = GatedRenderer()
    renderer.gate.set()
    async with running() as scheduler:
        lane = scheduler.lane()
        broken = lane.render(renderer, numbered(-1))
        fine = lane.render(renderer, numbered(1))
        with pytest.raises(InternalError):
            await broken
        assert await fine is not None


async def test_calls_run_on_a_worker_and_give_their_result() -> None:
    async with running() as scheduler:
        lane = scheduler.lane()
        name = await lane.call(lambda: threading.current_thread().name)
        assert name.startswith("pose-worker")
        with pytest.raises(ZeroDivisionError):
            await lane.call(lambda: 1 // 0)


async def test_closing_cancels_what_waits_and_finishes_what_runs() -> None:
    renderer = GatedRenderer()
    scheduler = Scheduler(workers=1, max_queued=10)
    scheduler.start()
    lane = scheduler.lane()
    first = await occupy(lane, renderer)
    waiting = lane.render(renderer, numbered(1))
    closing = asyncio.create_task(scheduler.close())
    await asyncio.sleep(0)
    assert waiting.cancelled()
    with pytest.raises(UnavailableError):
        lane.render(renderer, numbered(2))
    renderer.gate.set()
    await closing
    assert await first is not None


async def test_workers_run_side_by_side() -> None:
    renderer = GatedRenderer()
    async with running(workers=3) as scheduler:
        lane = scheduler.lane()
        futures = [lane.render(renderer, numbered(i)) for i in range(3)]
        for _ in range(3):
            await asyncio.to_thread(renderer.entered.acquire)
        assert scheduler.statistics().running == 3
        renderer.gate.set()
        await asyncio.gather(*futures)


async def test_frames_of_two_streams_meet_at_each_stage(
    make_pack: Any, opaque_picture: Any
) -> None:
    engine = Engine(load_pack(make_pack()), EngineOptions(max_batch=8))
    runs: list[tuple[str, int]] = []
    engine.observe_run = lambda stage, rows, seconds: runs.append((stage, rows))
    first, second = (engine.prepare(name, opaque_picture) for name in "ab")
    view = make_view(engine.canvas_side)
    poses = [[0.5, 0, 0.25, 0, 0], [0.25, 0, 0.125, 0, 0]]
    gate = GatedRenderer()
    async with running() as scheduler:
        lanes = [scheduler.lane() for _ in range(3)]
        futures = [await occupy(lanes[2], gate)]
        for lane, character, pose in zip(lanes, (first, second), poses, strict=False):
            request = FrameRequest(character, np.array(pose, np.float32), view)
            futures.append(lane.render(engine, request))
        gate.gate.set()
        frames = (await asyncio.gather(*futures))[1:]
    assert sorted(runs) == [("compose", 2), ("face", 2), ("head", 2)]
    for frame, pose in zip(frames, poses, strict=True):
        assert frame is not None
        assert_frame(frame.pixels, opaque_picture, pose)


async def test_a_frame_given_up_between_stages_leaves_those_that_wait_for_it_to_go_on(
    make_pack: Any, opaque_picture: Any
) -> None:
    engine = Engine(load_pack(make_pack()))
    character = engine.prepare("a", opaque_picture)
    request = FrameRequest(
        character, np.array([0.5, 0, 0, 0, 0], np.float32), make_view(engine.canvas_side)
    )
    leaver, follower = engine.work(request), engine.work(request)
    while (unit := leaver.next_unit()) is not None and unit.name != PIXELS_STAGE:
        assert unit.run([leaver]) == [None]
    # The first has the output tensor and owes the picture; the second waits for that.
    while (unit := follower.next_unit()) is not None:
        (outcome,) = unit.run([follower])
        if outcome is not None:
            break
    assert isinstance(outcome, Future)
    leaver.abandon(InternalError("gone"))
    follower.resume(outcome)
    assert_frame(drive([follower])[0].pixels, opaque_picture, [0.5, 0, 0, 0, 0])


async def test_a_failing_row_fails_alone(make_pack: Any, opaque_picture: Any) -> None:
    engine = Engine(load_pack(make_pack()), EngineOptions(max_batch=4))
    character = engine.prepare("a", opaque_picture)
    view = make_view(engine.canvas_side)
    good = FrameRequest(character, np.array([0.5, 0, 0, 0, 0], np.float32), view)
    wrong = Character("b", character.tensors | {"half": np.zeros((1, 4, 2, 2), np.float32)})
    gate = GatedRenderer()
    async with running() as scheduler:
        lane = scheduler.lane()
        futures = [await occupy(lane, gate), lane.render(engine, good)]
        bad = lane.render(engine, FrameRequest(wrong, good.pose, view))
        gate.gate.set()
        _, frame = await asyncio.gather(*futures)
        with pytest.raises(InternalError):
            await bad
    assert frame is not None
    assert_frame(frame.pixels, opaque_picture, good.pose)


async def test_the_devices_threads_leave_pictures_to_the_workers() -> None:
    names: dict[str, str] = {}

    def note(kind: str) -> Any:
        def make(requests: Sequence[Any]) -> list[Any]:
            names[kind] = threading.current_thread().name
            return [None for _ in requests]

        return make

    device, host = FunctionUnit(note("device")), FunctionUnit(note("host"))
    device.on_device = True
    work = Steps([device, host])
    async with running(device_workers=1) as scheduler:
        await scheduler.lane().render(SimpleNamespace(work=lambda _: work), numbered(1))
    assert names["device"].startswith("pose-device")
    assert names["host"].startswith("pose-worker")


@pytest.mark.parametrize("seed", range(4))
async def test_frames_given_up_at_any_moment_leave_nothing_claimed(
    make_pack: Any, opaque_picture: Any, seed: int
) -> None:
    engine = Engine(load_pack(make_pack()), EngineOptions(max_batch=4))
    characters = [engine.prepare(name, opaque_picture) for name in "ab"]
    view, rng = make_view(engine.canvas_side), np.random.default_rng(seed)
    poses = rng.integers(0, 3, (60, 5)).astype(np.float32) / 8
    requests = [FrameRequest(characters[i % 2], pose, view) for i, pose in enumerate(poses)]
    async with running(workers=3, max_queued=1000) as scheduler:
        lanes = [scheduler.lane() for _ in range(4)]
        futures = []
        for i, request in enumerate(requests):
            futures.append(lanes[i % 4].render(engine, request))
            if rng.random() < 0.2:
                lanes[rng.integers(4)].cancel_all()
                await asyncio.sleep(0)
            if rng.random() < 0.2:
                futures[rng.integers(len(futures))].cancel()
        await asyncio.gather(*futures, return_exceptions=True)
        kept = [future for future in futures if not future.cancelled()]
        assert all(future.exception() is None for future in kept)
        again = await asyncio.gather(*(lanes[0].render(engine, request) for request in requests))
        assert scheduler.statistics().queued == 0
    for frame, request in zip(again, requests, strict=True):
        assert frame is not None
        assert_frame(frame.pixels, opaque_picture, request.pose)
