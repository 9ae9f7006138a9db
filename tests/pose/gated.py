"""A scheduler whose one worker stands still until a test lets it go on, on a clock that it sets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from kuchipaku_contract.errors import InternalError
from kuchipaku_pose.engine import Character, FrameRequest, RenderedFrame
from kuchipaku_pose.scheduler import Lane, Scheduler
from kuchipaku_pose.view import make_view
from tests.pose.fakework import FunctionUnit, Steps

VIEW = make_view(128)
CHARACTER = Character("a", {})
PIXELS = np.zeros((1, 1, 4), np.uint8)


class GatedRenderer:
    """Renders nothing, notes what it is given, and works only while its gate is open."""

    def __init__(self, max_batch: int = 1) -> None:
        self.unit = FunctionUnit(self.render, max_batch)
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def render(self, requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        self.batches.append([int(request.pose[0]) for request in requests])
        self.entered.release()
        self.gate.wait()
        if any(request.pose[0] < 0 for request in requests):
            raise InternalError("broken")
        return [RenderedFrame(PIXELS, False, None, ()) for _ in requests]

    def work(self, request: FrameRequest) -> Steps:
        return Steps([self.unit], request)

    @property
    def order(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def numbered(number: int) -> FrameRequest:
    return FrameRequest(CHARACTER, np.array([number], np.float32), VIEW)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(**({"workers": 1, "max_queued": 100} | options))
    scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def occupy(lane: Lane, renderer: GatedRenderer) -> asyncio.Future[RenderedFrame | None]:
    """Make the one worker busy with frame 0, so that everything after it queues."""
    future = lane.render(renderer, numbered(0), due=0.0)
    await asyncio.to_thread(renderer.entered.acquire)
    return future
