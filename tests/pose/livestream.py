"""A live stream of numbered pictures on a clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku_pose.engine import Character, FrameRequest, RenderedFrame
from kuchipaku_pose.framestream import FrameStream, OutFrame, StreamStatistics
from kuchipaku_pose.pacing import Credit, RealTime
from kuchipaku_pose.scheduler import Scheduler
from kuchipaku_pose.view import make_view
from tests.pose.fakework import FunctionRenderer

SIDE_PX = 128


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def render_numbers(requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
    """Render pictures that show the poses' numbers."""
    frames = []
    for request in requests:
        number = int(request.pose[0])
        pixels = np.full((SIDE_PX, SIDE_PX, 4), number % 256, np.uint8)
        pixels.setflags(write=False)
        frames.append(RenderedFrame(pixels, False, number, ()))
    return frames


@asynccontextmanager
async def live_stream(
    clock: Clock,
    render: Callable[[Sequence[FrameRequest]], list[RenderedFrame]] = render_numbers,
    encoding: FrameEncoding = FrameEncoding.RAW,
    **options: Any,
) -> AsyncIterator[FrameStream]:
    scheduler = Scheduler(workers=1, max_queued=100, clock=clock)
    scheduler.start()
    renderer: Any = FunctionRenderer(render)
    values: dict[str, Any] = {
        "credit": Credit(),
        "window": 100,
        "changed": asyncio.Event(),
        "statistics": StreamStatistics(),
        "clock": clock,
        "real_time": RealTime(max_lead_s=0.1, late_tolerance_s=0.1),
    }
    encoder = FrameEncoder(encoding, SIDE_PX, SIDE_PX)
    who = Character("a", {})
    view = make_view(SIDE_PX)
    try:
        yield FrameStream(scheduler.lane(), renderer, who, view, encoder, **(values | options))
    finally:
        await scheduler.close()


def put(stream: FrameStream, numbers: Sequence[int], *, last: bool = False) -> None:
    poses = np.array(numbers, np.float32)[:, None]
    stream.put(poses, [number / 25 for number in numbers], last=last)


async def collect(stream: FrameStream) -> list[list[OutFrame]]:
    """Collect until time has to pass; return the frames, those of one message together."""
    got: list[list[OutFrame]] = []
    while True:
        frames = await stream.collect()
        if frames:
            got.append(frames)
        elif stream.idle or stream.head_is_ready:
            return got
        else:
            await stream.wait()


async def drain(stream: FrameStream) -> list[int]:
    """Collect until time has to pass; return the numbers of the frames."""
    return [round(frame.offset_s * 25) for batch in await collect(stream) for frame in batch]
