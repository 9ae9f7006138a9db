"""Live streams over worker processes, seen from the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live import host
from kuchipaku_lipsync.live.listener import LiveOptions, LiveStep, LiveSummary
from kuchipaku_runtime import Admission, WorkerPool
from kuchipaku_runtime.metrics import Metrics

T = TypeVar("T")

# Each stream has one job at a time, and at its end one more: none is ever refused.
_JOBS_PER_STREAM: Final = 3
_JOB_LIMIT_S: Final = 30.0


class LivePool:
    """Worker processes that serve several streams each: one stream takes a small part of a core.

    A stream stays with its worker. Usage::

        async with LivePool(2, streams_per_worker=8) as pool, pool.stream(layout, options) as call:
            step = await call.push(data)
    """

    def __init__(
        self, workers: int, *, streams_per_worker: int, metrics: Metrics | None = None
    ) -> None:
        """Describe the workers; entering the pool starts them."""
        self.admission = Admission("live", workers * streams_per_worker, metrics=metrics)
        self._workers = [
            WorkerPool(
                f"live-{index}",
                1,
                queue_limit=streams_per_worker * _JOBS_PER_STREAM,
                time_limit_s=_JOB_LIMIT_S,
                initializer=host.prepare_live_worker,
                metrics=metrics,
            )
            for index in range(workers)
        ]
        self._loads = [0] * workers
        self._keys = count()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for worker in self._workers:
                await stack.enter_async_context(worker)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def stream(self, layout: AudioLayout, options: LiveOptions) -> AsyncIterator[LiveCall]:
        """One stream for the body. Raises ResourceExhaustedError when all places are taken."""
        async with self.admission.slot():
            index = self._loads.index(min(self._loads))
            self._loads[index] += 1
            call = LiveCall(self._workers[index], next(self._keys))
            try:
                await call.open(layout, options)
                yield call
            finally:
                try:
                    await call.close()
                finally:
                    self._loads[index] -= 1


class LiveCall:
    """One stream on its worker. A failure of any method ends it."""

    def __init__(self, worker: WorkerPool, key: int) -> None:
        self._worker = worker
        self._key = key

    async def open(self, layout: AudioLayout, options: LiveOptions) -> None:
        """Begin."""
        await self._run(host.open_stream, layout, options)

    async def push(self, data: bytes) -> LiveStep:
        """The next bytes of the audio; raises InvalidArgumentError for bad ones."""
        return await self._run(host.feed_stream, data)

    async def pause(self) -> LiveStep:
        """No bytes come for a while: what was heard so far becomes final."""
        return await self._run(host.pause_stream)

    async def finish(self) -> tuple[LiveStep, LiveSummary]:
        """All bytes have come."""
        return await self._run(host.finish_stream)

    async def close(self) -> None:
        """Free the worker's memory; at any time."""
        try:
            await self._run(host.close_stream)
        except KuchipakuError:
            # A worker that has died, or is being ended, has nothing left to free.
            return

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        # Cancelling a job would kill the worker, and with it the other streams that it serves.
        job = asyncio.ensure_future(self._worker.run(function, self._key, *args, brief=True))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait({job})
            if not job.cancelled():
                job.exception()
            raise
