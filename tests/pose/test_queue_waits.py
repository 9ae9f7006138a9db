"""What the scheduler tells of frames' waiting, and what it learns from frames."""

from __future__ import annotations

import asyncio

from kuchipaku_pose.scheduler import Kind
from tests.pose.gated import Clock, GatedRenderer, numbered, occupy, running

Seen = list[tuple[Kind, float, float]]


async def test_a_lone_stream_that_takes_what_it_can_get_waits_without_being_overdue() -> None:
    renderer, clock, seen = GatedRenderer(), Clock(), Seen()
    async with running(clock=clock, observe_wait=lambda *told: seen.append(told)) as scheduler:
        lane = scheduler.lane()
        futures = [lane.render(renderer, numbered(0))]
        await asyncio.to_thread(renderer.entered.acquire)
        futures += [lane.render(renderer, numbered(i)) for i in (1, 2)]
        clock.now += 0.0625
        renderer.gate.set()
        await asyncio.gather(*futures)
    assert seen == [(Kind.BULK, 0.0, 0.0), (Kind.BULK, 0.0625, 0.0), (Kind.BULK, 0.0625, 0.0)]


async def test_what_made_a_live_frame_late_is_told_of_frames_given_up_too() -> None:
    renderer, clock, seen = GatedRenderer(), Clock(), Seen()
    async with running(clock=clock, observe_wait=lambda *told: seen.append(told)) as scheduler:
        lane = scheduler.lane()
        first = await occupy(scheduler.lane(), renderer)
        late = lane.render(renderer, numbered(1), due=100.25, expires=101.0)
        given_up = lane.render(renderer, numbered(2), due=100.25, expires=100.375)
        known_late = lane.render(renderer, numbered(3), due=98.0, expires=102.0)
        fine = lane.render(renderer, numbered(4), due=101.0, expires=102.0)
        clock.now += 0.5
        renderer.gate.set()
        await asyncio.gather(first, late, given_up, known_late, fine)
    # The one that came late is late through no fault of the queue but for its time in there.
    assert sorted(seen) == sorted(
        [
            (Kind.LIVE, 0.0, 0.0),
            (Kind.LIVE, 0.5, 0.25),
            (Kind.LIVE, 0.5, 0.25),
            (Kind.LIVE, 0.5, 0.5),
            (Kind.LIVE, 0.5, 0.0),
        ]
    )


async def test_a_frame_shed_before_it_is_due_counts_as_late_as_it_might_have_been() -> None:
    renderer, clock, seen = GatedRenderer(), Clock(), Seen()
    async with running(clock=clock, observe_wait=lambda *told: seen.append(told)) as scheduler:
        lane = scheduler.lane()
        slow = lane.render(renderer, numbered(0), due=100.0, expires=110.0)
        await asyncio.to_thread(renderer.entered.acquire)
        # Frames take four seconds, it will be learnt.
        shed = lane.render(renderer, numbered(1), due=105.0, expires=106.0)
        clock.now = 104.0
        renderer.gate.set()
        assert await slow is not None
        assert await shed is None
    assert seen[1] == (Kind.LIVE, 4.0, 1.0)


async def test_calls_are_no_frames_and_are_not_told() -> None:
    seen = Seen()
    async with running(observe_wait=lambda *told: seen.append(told)) as scheduler:
        await scheduler.lane().call(lambda: None)
    assert seen == []


async def test_a_frame_that_is_broken_off_teaches_nothing() -> None:
    renderer, clock = GatedRenderer(), Clock()
    async with running(clock=clock) as scheduler:
        lane = scheduler.lane()
        slow = lane.render(renderer, numbered(0), due=100.0, expires=200.0)
        await asyncio.to_thread(renderer.entered.acquire)
        clock.now = 105.0
        renderer.gate.set()
        assert await slow is not None
        renderer.gate.clear()
        interrupted = lane.render(renderer, numbered(1), due=190.0, expires=200.0)
        await asyncio.to_thread(renderer.entered.acquire)
        lane.cancel_all()
        clock.now = 105.5
        hopeless = lane.render(renderer, numbered(2), due=108.0, expires=109.0)
        renderer.gate.set()
        # Five seconds are what a frame takes, whatever was broken off after half a one.
        assert await hopeless is None
        assert interrupted.cancelled()
        clock.now = 106.25
        # That is too long ago by now to be believed, and nothing has confirmed it.
        tried = lane.render(renderer, numbered(3), due=108.0, expires=109.0)
        assert await tried is not None
