"""A thread that one job owns.

Encoders block and free the GIL while they compute. A job's steps run one after the other in a
thread of its own, so that the event loop stays free and nothing needs a lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Protocol, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Job(Protocol):
    """What a workbench works on."""

    def cancel(self) -> None:
        """Make a running step end soon; called from another thread."""

    def close(self) -> None:
        """Free everything; called after the last step."""


JobT = TypeVar("JobT", bound=Job)


class Workbench:
    """Runs the steps of one job in its own thread and closes the job in the end.

    Leaving the context, for whatever reason, cancels the step under way, waits for it and
    closes the job in its thread.

    Usage::

        async with Workbench() as bench:
            job = await bench.open(make_job)
            await bench.run(job.step)
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compositor")
        self._jobs: list[Job] = []

    async def run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``step`` in the thread and return its result."""
        future = self._executor.submit(step, *args, **kwargs)
        return await asyncio.wrap_future(future)

    async def open(self, factory: Callable[[], JobT]) -> JobT:
        """Make a job in the thread; it is closed when the context is left."""

        def make() -> JobT:
            job = factory()
            self._jobs.append(job)
            return job

        return await self.run(make)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for job in self._jobs:
            job.cancel()
        # A second cancellation ends the waiting, not the closing: the thread does that anyhow.
        closing = self._executor.submit(self._close_jobs)
        self._executor.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closing))
        # The thread has nothing left to do; this waits for its end.
        self._executor.shutdown(wait=True)

    def _close_jobs(self) -> None:
        for job in self._jobs:
            job.close()
