from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import session_pb2
from kuchipaku_animation import MouthCue, MouthShape
from kuchipaku_contract.errors import KuchipakuError, ResourceExhaustedError
from kuchipaku_pose.pacing import Credit, RealTime
from kuchipaku_pose.service import build
from kuchipaku_runtime import ServiceContext
from tests.pose.livestream import Clock, drain, live_stream, put
from tests.pose.poseclient import Client, Reply, Rgba, cue_batch, seconds, service

INTERRUPT = pb.AnimateRequest(interrupt=session_pb2.Interrupt())


def credit(frames: int) -> pb.AnimateRequest:
    return pb.AnimateRequest(credit=session_pb2.FrameCredit(frame_count=frames))


class Dialogue:
    """A call whose two directions the test drives by hand."""

    def __init__(self, client: Client) -> None:
        self.call = keep_status(client.stub.Animate())
        self.reply = Reply()

    async def send(self, *requests: pb.AnimateRequest) -> None:
        for request in requests:
            await self.call.write(request)

    async def read_until(self, done: Callable[[str, Reply], bool]) -> None:
        while True:
            if done(self.reply.add(await self.call.read()), self.reply):
                return

    async def read_frames(self, utterance: str, count: int) -> None:
        await self.read_until(lambda _, reply: len(reply.frames.get(utterance, [])) >= count)

    async def read_kind(self, kind: str) -> None:
        await self.read_until(lambda got, _: got == kind)


async def test_no_frame_is_sent_beyond_the_credit(client: Client) -> None:
    await client.lend_canvas()
    talk = Dialogue(client)
    await talk.send(client.config(initial_credit=4), *client.line("u"))
    await talk.read_frames("u", 4)
    await talk.send(credit(5))
    await talk.read_frames("u", 9)
    await talk.send(INTERRUPT)
    await talk.read_kind("utterance_summary")

    (summary,) = talk.reply.summaries
    assert (summary.frame_count, summary.interrupted) == (9, True)
    assert summary.duration.ToTimedelta().total_seconds() == pytest.approx(9 / 25)
    talk.call.cancel()


async def test_an_interruption_ends_one_line_and_the_next_one_plays(client: Client) -> None:
    await client.lend_canvas()
    talk = Dialogue(client)
    begin, cues, end = client.line("long")
    later = cue_batch([MouthCue(1.0, 1.5, MouthShape.D)])
    await talk.send(client.config(initial_credit=3), begin, cues)
    await talk.read_frames("long", 3)
    # What still comes for the interrupted line belongs to nobody.
    await talk.send(INTERRUPT, later, later, end, credit(100), *client.line("next"))
    await talk.call.done_writing()
    await talk.read_kind("statistics")

    assert [(s.utterance_id, s.interrupted) for s in talk.reply.summaries] == [
        ("long", True),
        ("next", False),
    ]
    assert len(talk.reply.frames["next"]) == 25
    assert talk.reply.statistics.frame_count == 28


async def test_an_interruption_with_nothing_to_interrupt_is_ignored(client: Client) -> None:
    canvas = pb.AnimateRequest(canvas=client.canvas)
    reply = await client.animate([client.config(), INTERRUPT, canvas, INTERRUPT])
    assert reply.summaries == []
    assert reply.statistics.frame_count == 0


async def test_frames_come_before_the_line_is_complete(client: Client) -> None:
    await client.lend_canvas()
    talk = Dialogue(client)
    begin, cues, end = client.line("u")
    await talk.send(client.config(), begin, cues)
    await talk.read_frames("u", 20)
    await talk.send(end)
    await talk.call.done_writing()
    await talk.read_kind("statistics")
    assert len(talk.reply.frames["u"]) == 25


async def test_a_live_line_loses_no_frame_unnoticed(client: Client) -> None:
    await client.lend_canvas()
    reply = await client.animate(
        [
            client.config(pacing=session_pb2.PACING_REAL_TIME, max_lead=seconds(0.5)),
            *client.line("u"),
        ]
    )
    (summary,) = reply.summaries
    assert summary.frame_count == len(reply.frames["u"])
    assert summary.frame_count + summary.dropped_frame_count == 25
    assert reply.statistics.dropped_frame_count == summary.dropped_frame_count


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another task does; the test's own time limit ends it."""
    while not condition():  # noqa: ASYNC110 - metrics have no event to wait for
        await asyncio.sleep(0.005)


@asynccontextmanager
async def watched(
    tmp_path: Path, picture: Rgba, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> AsyncIterator[tuple[Client, Callable[..., float]]]:
    """A service, and a look at its metrics."""
    contexts: list[ServiceContext[Any]] = []

    async def spying_build(context: ServiceContext[Any]) -> Sequence[Any]:
        contexts.append(context)
        return await build(context)

    monkeypatch.setattr("tests.pose.poseclient.build", spying_build)
    async with service(tmp_path, picture, **changes) as client:

        def metric(name: str, **labels: str) -> float:
            registry = contexts[0].metrics.registry
            return registry.get_sample_value(f"kuchipaku_pose_{name}", labels) or 0.0

        yield client, metric


async def test_a_client_that_vanishes_leaves_nothing_behind(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch) as (client, metric):
        await client.lend_canvas()
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        before = len(asyncio.all_tasks())
        for _ in range(3):
            talk = Dialogue(client)
            await talk.send(client.config(initial_credit=2), *client.line("u"), *client.line("v"))
            await talk.read_frames("u", 2)
            assert metric("admission_used", admission="streams") == 1
            talk.call.cancel()
            await eventually(lambda: metric("admission_used", admission="streams") == 0)
        await eventually(lambda: metric("queued_jobs") == metric("running_jobs") == 0)
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
        await client.lend_canvas_again()


async def test_more_calls_than_allowed_are_refused_with_a_hint(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch, max_streams=1) as (client, metric):
        talk = Dialogue(client)
        await talk.send(client.config())
        await talk.read_kind("started")
        with pytest.raises(KuchipakuError) as caught:
            await client.animate([client.config()])
        assert isinstance(caught.value, ResourceExhaustedError)
        assert caught.value.retry_after_s
        talk.call.cancel()
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        await client.lend_canvas()


async def test_metrics_count_what_streams_did(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch) as (client, metric):
        await client.lend_canvas()
        await eventually(lambda: metric("frames_total", outcome="rendered") > 0)
        cached = metric("frames_total", outcome="cached")
        assert metric("frames_total", outcome="rendered") + cached == 25
        # Pictures that are known need no turn in the queue.
        assert 0 < metric("queue_wait_seconds_count", kind="bulk") <= 25
        runs = metric("stage_run_seconds_count", stage="face")
        assert metric("batch_frames_count", stage="face") == runs
        assert metric("batch_frames_sum", stage="face") == runs
        # Of two frames with one face that run at the same time the second finds it remembered.
        assert 0 < metric("stage_uses_total", stage="face", result="run") <= runs <= 25
        assert metric("memory_bytes", kind="frames") > 0


async def test_known_frames_take_no_turn_in_the_queue(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch) as (client, metric):
        await client.lend_canvas()
        first = await client.animate([client.config(), *client.line("warm")])
        waited = metric("queue_wait_seconds_count", kind="bulk")
        again = await client.animate([client.config(), *client.line("warm")])
        assert metric("queue_wait_seconds_count", kind="bulk") == waited
        assert again.statistics.cached_frame_count == 25
        for before, after in zip(first.frames["warm"], again.frames["warm"], strict=True):
            np.testing.assert_array_equal(before, after)


async def test_live_frames_keep_within_the_lead() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(20))
        assert await drain(stream) == [0, 1, 2]
        clock.now += 0.041
        assert await drain(stream) == [3]
        clock.now += 0.08
        assert await drain(stream) == [4, 5]


async def test_live_frames_that_are_late_are_dropped_before_they_are_coded() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(20))
        assert await drain(stream) == [0, 1, 2]
        clock.now += 0.5
        assert await drain(stream) == list(range(10, 16))
        assert stream.statistics.dropped == 7
        assert stream.statistics.frames == 9


async def test_frames_of_speech_that_comes_late_are_late_but_not_dropped() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(3))
        assert await drain(stream) == [0, 1, 2]
        clock.now += 3.0
        put(stream, range(3, 6))
        assert await drain(stream) == [3, 4, 5]
        assert stream.statistics.dropped == 0


async def test_without_credit_live_frames_grow_stale() -> None:
    clock = Clock()
    purse = Credit()
    purse.limit(1)
    async with live_stream(clock, credit=purse) as stream:
        put(stream, range(10))
        assert await drain(stream) == [0]
        clock.now += 0.3
        assert await drain(stream) == []
        purse.add(2)
        assert await drain(stream) == [5, 6]
        assert stream.statistics.dropped == 4


async def test_a_cancelled_stream_is_idle() -> None:
    clock = Clock()
    async with live_stream(clock, window=2) as stream:
        put(stream, range(10))
        assert stream.pending == 8
        stream.cancel()
        assert stream.idle
        stream.restart_clock()
        put(stream, range(1))
        assert await drain(stream) == [0]


async def test_the_lead_does_not_add_up_from_line_to_line() -> None:
    clock = Clock()
    lead = RealTime(max_lead_s=0.5, late_tolerance_s=0.1)
    sent = []
    async with live_stream(clock, real_time=lead) as stream:
        for line in range(4):
            put(stream, range(25))
            while not stream.idle:
                sent += [(line + number / 25, clock.now - 50.0) for number in await drain(stream)]
                clock.now += 0.04
            stream.restart_clock(1.0)
    assert len(sent) == 100
    for due_s, sent_s in sent:
        assert due_s - 0.5 - 1e-6 <= sent_s <= due_s + 1e-6


async def test_what_follows_an_interruption_is_due_at_once() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(20))
        await drain(stream)
        stream.cancel()
        stream.restart_clock()
        put(stream, range(5))
        assert await drain(stream) == [0, 1, 2]


async def test_frames_made_late_of_speech_known_in_time_are_dropped() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(3))
        assert await drain(stream) == [0, 1, 2]
        clock.now += 3.0
        poses = np.array([[3], [4]], np.float32)
        stream.put(poses, [0.12, 0.16], known_at=[50.0, 53.0])
        assert await drain(stream) == [4]
        assert stream.statistics.dropped == 1
