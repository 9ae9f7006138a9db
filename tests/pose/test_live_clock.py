from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.frames import FrameDecoder, FrameEncoding
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import session_pb2
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_pose.engine import FrameRequest, RenderedFrame
from kuchipaku_pose.pacing import RealTime
from tests.pose.livestream import SIDE_PX, Clock, collect, drain, live_stream, put, render_numbers
from tests.pose.poseclient import Client, seconds


async def test_a_late_first_frame_does_not_make_the_others_late() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        stream.set_clock(50.0)
        clock.now = 50.33
        put(stream, range(25))
        # 0 to 5 were due 0.1 s ago and more; 10 is due within the lead.
        assert await drain(stream) == [6, 7, 8, 9, 10]
        assert stream.statistics.dropped == 6
        clock.now = 50.41
        assert await drain(stream) == [11, 12]


async def test_without_a_clock_from_outside_the_first_frame_starts_it() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        put(stream, range(25))
        clock.now = 50.33
        assert await drain(stream) == [0, 1, 2]
        assert stream.statistics.dropped == 0


async def test_frames_of_speech_known_too_late_are_left_out_down_to_the_latest() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        stream.set_clock(50.0)
        clock.now = 50.5
        put(stream, range(5))
        assert await drain(stream) == [4]
        clock.now = 50.52
        put(stream, range(5, 10))
        assert await drain(stream) == [9]
        clock.now = 50.54
        put(stream, range(10, 20))
        assert await drain(stream) == [11, 12, 13, 14, 15, 16]
        assert stream.statistics.dropped == 4 + 4 + 1


async def test_what_is_left_out_is_not_rendered() -> None:
    clock = Clock()
    rendered: list[int] = []

    def render(requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        rendered.extend(int(request.pose[0]) for request in requests)
        return render_numbers(requests)

    async with live_stream(clock, render) as stream:
        stream.set_clock(50.0)
        clock.now = 53.01
        put(stream, range(75))
        assert await drain(stream) == [73, 74]
        assert rendered == [73, 74]


async def test_the_frame_that_closes_the_mouth_is_always_shown() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        stream.set_clock(50.0)
        put(stream, range(3))
        assert await drain(stream) == [0, 1, 2]
        put(stream, range(3, 25), last=True)
        clock.now = 55.0
        assert await drain(stream) == [24]
        assert stream.idle


async def test_what_has_been_sent_stays_complete_when_frames_are_left_out() -> None:
    clock = Clock()
    decoder = FrameDecoder(FrameEncoding.DELTA_ZSTD, SIDE_PX, SIDE_PX)
    shown: list[int] = []
    async with live_stream(clock, encoding=FrameEncoding.DELTA_ZSTD) as stream:
        epoch = stream.epoch
        decoder.enter_epoch(epoch)
        stream.set_clock(50.0)
        end = 0
        for clock.now in (50.0, 50.5, 50.6, 52.0, 52.1):
            begin, end = end, round((clock.now - 50.0) * 25) + 5
            put(stream, range(begin, end))
            for batch in await collect(stream):
                for frame in batch:
                    pixels = decoder.decode(frame.coded)
                    assert np.unique(pixels).tolist() == [round(frame.offset_s * 25)]
                    shown.append(round(frame.offset_s * 25))
        assert stream.epoch == epoch
    assert shown == sorted(set(shown))
    assert shown[-1] > 50


async def test_a_clock_may_be_set_again() -> None:
    clock = Clock()
    async with live_stream(clock) as stream:
        stream.set_clock(50.0)
        put(stream, range(3))
        assert await drain(stream) == [0, 1, 2]
        # The speaker has paused for two seconds.
        stream.set_clock(52.0)
        clock.now = 52.11
        put(stream, range(3, 25))
        assert await drain(stream) == [3, 4, 5]
        assert stream.statistics.dropped == 0


async def test_a_clock_waits_for_the_utterance_before() -> None:
    clock = Clock()
    lead = RealTime(max_lead_s=10.0, late_tolerance_s=0.1)
    async with live_stream(clock, real_time=lead) as stream:
        stream.set_clock(50.0)
        put(stream, range(25), last=True)
        assert len(await drain(stream)) == 25
        stream.restart_clock(1.0)
        stream.set_clock(50.2)
        clock.now = 51.05
        put(stream, range(25), last=True)
        assert await drain(stream) == list(range(25))


async def test_a_device_that_is_too_slow_still_shows_something() -> None:
    clock = Clock()

    def render(requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        clock.now += 0.3
        return render_numbers(requests)

    times: list[float] = []
    async with live_stream(clock, render, window=2) as stream:
        stream.set_clock(50.0)
        put(stream, range(250), last=True)
        while not stream.idle:
            if await stream.collect():
                times.append(clock.now)
            elif stream.head_is_ready:
                clock.now += 0.02
            else:
                await stream.wait()
        assert stream.statistics.dropped > 100
    assert times[-1] > 59.0
    assert max(np.diff([50.0, *times])) < 2.5


async def test_live_speech_on_a_device_that_is_too_slow_is_not_left_without_a_picture() -> None:
    clock = Clock()

    def render(requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        clock.now += 0.5
        return render_numbers(requests)

    times = [50.0]
    async with live_stream(clock, render, window=2) as stream:
        stream.set_clock(50.0)
        end = 0
        while clock.now < 59.0:
            # Each frame is known 0.16 s before it is due.
            begin, end = end, max(end, round((clock.now - 50.0 + 0.16) * 25))
            put(stream, range(begin, end))
            if await stream.collect():
                times.append(clock.now)
            elif stream.is_rendering:
                await stream.wait()
            else:
                clock.now += 0.02
        assert stream.statistics.dropped > 150
    assert max(np.diff([*times, 59.0])) < 2.6


async def test_frames_that_may_go_early_go_together() -> None:
    clock = Clock()
    lead = RealTime(max_lead_s=0.5, late_tolerance_s=0.1)
    sizes, leads = [], []
    async with live_stream(clock, real_time=lead) as stream:
        stream.set_clock(50.5)
        put(stream, range(50), last=True)
        # What goes together follows from the clock alone once all are rendered.
        while stream.is_rendering:
            await stream.wait()
        while not stream.idle:
            for batch in await collect(stream):
                sizes.append(len(batch))
                leads += [50.5 + frame.offset_s - clock.now for frame in batch]
            clock.now += 0.02
    assert sum(sizes) == 50
    assert len(sizes) <= 20
    assert min(leads) >= 0.5 - 0.12 - 0.02 - 1e-6
    assert max(leads) <= 0.5 + 1e-6


def clock_of(delay_s: float) -> pb.AnimateRequest:
    delay = Duration()
    delay.FromNanoseconds(round(delay_s * 1e9))
    return pb.AnimateRequest(clock=pb.AnimateClock(start_delay=delay))


async def test_a_line_whose_time_has_passed_only_closes_the_mouth(client: Client) -> None:
    await client.lend_canvas()
    begin, cues, end = client.line("u")
    config = client.config(pacing=session_pb2.PACING_REAL_TIME)
    reply = await client.animate([config, begin, clock_of(-10.0), cues, end])
    (summary,) = reply.summaries
    # The latest frame of what is known is shown, and what is known grows once.
    assert summary.frame_count <= 2
    assert summary.frame_count + summary.dropped_frame_count == 25
    assert reply.offsets["u"][-1] == pytest.approx(24 / 25)


async def test_a_line_within_the_lead_comes_whole(client: Client) -> None:
    await client.lend_canvas()
    begin, cues, end = client.line("u")
    config = client.config(pacing=session_pb2.PACING_REAL_TIME, max_lead=seconds(10.0))
    reply = await client.animate([config, begin, clock_of(5.0), cues, end])
    assert len(reply.frames["u"]) == 25
    assert reply.statistics.dropped_frame_count == 0


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (clock_of(1001.0), "START_DELAY_OUT_OF_RANGE"),
        (clock_of(-1001.0), "START_DELAY_OUT_OF_RANGE"),
        (
            pb.AnimateRequest(clock=pb.AnimateClock(start_delay=Duration(seconds=-1, nanos=5))),
            "DURATION_INVALID",
        ),
        *[
            (
                pb.AnimateRequest(clock=pb.AnimateClock(start_delay=Duration(**parts))),
                "DURATION_INVALID",
            )
            for parts in (
                {"nanos": -(2**31)},
                {"nanos": 2**31 - 1},
                {"seconds": -(2**63)},
                {"seconds": 2**63 - 1},
                {"seconds": 5, "nanos": -1},
            )
        ],
    ],
)
async def test_a_clock_that_cannot_be_is_refused(
    client: Client, clock: pb.AnimateRequest, reason: str
) -> None:
    begin, *_ = client.line("u")
    with pytest.raises(KuchipakuError) as caught:
        await client.animate([client.config(), begin, clock])
    assert (caught.value.reason, caught.value.field) == (reason, "clock.start_delay")


async def test_a_clock_belongs_to_an_utterance(client: Client) -> None:
    with pytest.raises(KuchipakuError) as caught:
        await client.animate([client.config(), clock_of(1.0)])
    assert (caught.value.reason, caught.value.field) == ("UTTERANCE_MISSING", "clock")
