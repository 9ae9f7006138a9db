"""Streams whose input runs ahead of their frames, or stays away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2, session_pb2
from kuchipaku_contract.errors import DeadlineExceededError, KuchipakuError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose import render_session
from kuchipaku_pose.posespace import CheckedPoses
from kuchipaku_pose.stills import poses_of
from tests.pose.poseclient import SHAPES, Client, Rgba, collect, seconds, service

NEUTRAL = pb.Pose(values=[0.0] * 45)


def poses(count: int) -> pb.RenderPosesRequest:
    return pb.RenderPosesRequest(poses=pb.PoseBatch(poses=[NEUTRAL] * count))


def render_config(client: Client, **fields: Any) -> pb.RenderPosesRequest:
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256, **fields)
    return pb.RenderPosesRequest(config=config)


def credit(frames: int) -> session_pb2.FrameCredit:
    return session_pb2.FrameCredit(frame_count=frames)


def interrupt(**fields: Any) -> pb.AnimateRequest:
    return pb.AnimateRequest(interrupt=session_pb2.Interrupt(**fields))


def lines(client: Client, count: int) -> list[pb.AnimateRequest]:
    return [message for i in range(count) for message in client.line(f"u{i}")]


async def test_credit_is_heard_behind_many_poses(client: Client) -> None:
    await client.lend_canvas()
    grant = pb.RenderPosesRequest(credit=credit(5000))
    reply = await client.render([render_config(client, initial_credit=1), *[poses(600)] * 5, grant])
    assert reply.statistics.frame_count == 3000


async def test_more_poses_than_are_held_for_credit_are_refused(client: Client) -> None:
    await client.lend_canvas()
    with pytest.raises(KuchipakuError) as caught:
        await client.render([render_config(client, initial_credit=1), *[poses(1500)] * 15])
    assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "BACKLOG_FULL")
    await client.lend_canvas_again()


async def test_without_credit_any_number_of_poses_passes_through(client: Client) -> None:
    await client.lend_canvas()
    reply = await client.render([render_config(client), *[poses(1500)] * 15])
    assert reply.statistics.frame_count == 22_500


async def test_a_message_may_hold_as_many_poses_as_the_limit_says(client: Client) -> None:
    await client.lend_canvas()
    face = pb.Pose(face=pb.Face(expression="happy"))
    most = pb.RenderPosesRequest(poses=pb.PoseBatch(poses=[face] * LIMITS.max_poses))
    reply = await client.render([render_config(client), most])
    assert reply.statistics.frame_count == LIMITS.max_poses


async def test_a_message_of_many_poses_holds_no_other_call_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.lend_canvas()
    served = threading.Event()
    begun = threading.Event()

    def held(*arguments: Any, **fields: Any) -> CheckedPoses:
        begun.set()
        assert served.wait(60)
        return poses_of(*arguments, **fields)

    monkeypatch.setattr(render_session, "poses_of", held)
    call = asyncio.create_task(client.render([render_config(client), poses(1000)]))
    await asyncio.to_thread(begun.wait, 60)
    await client.lend_canvas_again()
    served.set()
    assert (await call).statistics.frame_count == 1000


async def test_interruption_and_credit_are_heard_behind_many_lines(client: Client) -> None:
    await client.lend_canvas()
    reply = await client.animate(
        [
            client.config(initial_credit=1),
            *lines(client, 40),
            interrupt(queued_too=True),
            pb.AnimateRequest(credit=credit(100)),
            *client.line("last"),
        ]
    )
    assert len(reply.summaries) == 41
    assert [s.utterance_id for s in reply.summaries if not s.interrupted] == ["last"]
    assert len(reply.frames["last"]) == 25


async def test_more_lines_than_are_held_are_refused(client: Client) -> None:
    await client.lend_canvas()
    with pytest.raises(KuchipakuError) as caught:
        await client.animate([client.config(initial_credit=1), *lines(client, 258)])
    assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "BACKLOG_FULL")


async def test_more_cues_than_are_held_are_refused(client: Client) -> None:
    await client.lend_canvas()
    times = [seconds(float(t)) for t in np.linspace(0, 600, 50_001)]
    cues = pb.AnimateRequest(
        cues=cue_pb2.CueBatch(
            cues=[
                cue_pb2.MouthCue(start_offset=a, end_offset=b, shape=next(iter(SHAPES.values())))
                for a, b in pairwise(times)
            ]
        )
    )
    requests = [client.config(initial_credit=1)]
    for i in range(5):
        begin, _, end = client.line(f"u{i}")
        requests += [begin, cues, end]
    with pytest.raises(KuchipakuError) as caught:
        await client.animate(requests)
    assert caught.value.reason == "BACKLOG_FULL"


@pytest.mark.parametrize(
    ("interrupts", "expected"),
    [
        ([{}], {"u0"}),
        ([{}, {}], {"u0", "u1"}),
        ([{"utterance_id": "u1"}, {}, {}], {"u0", "u1", "u2"}),
        ([{"utterance_id": "u1"}, {"utterance_id": "u1"}], {"u1"}),
        ([{"utterance_id": "u1"}, {"utterance_id": "u1", "queued_too": True}], {"u1", "u2", "u3"}),
        ([{"utterance_id": "nobody"}], set()),
    ],
)
async def test_each_interruption_stops_a_line_that_still_goes(
    client: Client, interrupts: list[dict[str, Any]], expected: set[str]
) -> None:
    await client.lend_canvas()
    reply = await client.animate(
        [
            client.config(initial_credit=0),
            *lines(client, 4),
            *[interrupt(**fields) for fields in interrupts],
            pb.AnimateRequest(credit=credit(100)),
        ]
    )
    assert {s.utterance_id for s in reply.summaries if s.interrupted} == expected
    assert reply.statistics.frame_count == 25 * (4 - len(expected))


async def test_a_duration_shorter_than_the_cues_cuts_them(client: Client) -> None:
    await client.lend_canvas()
    begin, cues, _ = client.line("u")
    end = pb.AnimateRequest(utterance_end=session_pb2.UtteranceEnd(duration=seconds(0.6)))
    reply = await client.animate(
        [client.config(initial_credit=0), begin, cues, end, pb.AnimateRequest(credit=credit(50))]
    )
    assert len(reply.frames["u"]) == 15
    assert reply.summaries[0].duration.ToTimedelta().total_seconds() == 0.6


@pytest.mark.parametrize("granted", [None, 0, 7])
async def test_the_credit_in_use_is_told(client: Client, granted: int | None) -> None:
    await client.lend_canvas()
    fields = {} if granted is None else {"initial_credit": granted}
    animated = await client.animate([client.config(**fields)])
    rendered = await client.render([render_config(client, **fields)])
    for config in (animated.started.config, rendered.started.config):
        assert config.HasField("initial_credit") == (granted is not None)
        assert config.initial_credit == (granted or 0)


Sender = Callable[[Client], list[pb.AnimateRequest]]


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda c: [], id="nothing"),
        pytest.param(lambda c: [c.config()], id="no canvas"),
        pytest.param(lambda c: [c.config(), pb.AnimateRequest(canvas=c.canvas)], id="no utterance"),
        pytest.param(
            lambda c: [c.config(), pb.AnimateRequest(canvas=c.canvas), *c.line()[:2]], id="no end"
        ),
        pytest.param(
            lambda c: [
                c.config(initial_credit=3),
                pb.AnimateRequest(canvas=c.canvas),
                *c.line(),
            ],
            id="no credit",
        ),
    ],
)
async def test_a_client_that_falls_silent_is_let_go(
    tmp_path: Path, opaque_picture: Rgba, send: Sender
) -> None:
    async with service(tmp_path, opaque_picture, input_timeout_s=0.3, max_streams=1) as client:

        async def silent_after(
            requests: list[pb.AnimateRequest],
        ) -> AsyncIterator[pb.AnimateRequest]:
            for request in requests:
                yield request
            await asyncio.Event().wait()

        with pytest.raises(DeadlineExceededError) as caught:
            await collect(keep_status(client.stub.Animate(silent_after(send(client)))))
        assert caught.value.reason == "INPUT_STALLED"
        await client.lend_canvas()
