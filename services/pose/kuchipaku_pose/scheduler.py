"""One queue per device: all streams' work, earliest due first, run by a few threads.

Live frames carry the time at which they must be out. Other work gets a due time from its lane's
virtual clock (after Zhang, "VirtualClock", SIGCOMM 1990): each frame is due one period after the
lane's one before it. Lanes that ask for as much as they can get thus take turns, a lane that
was idle gains no claim on the past, and since due times never move back, nobody starves. How far
a lane's clock may run ahead is bounded, so that having used idle capacity is not held against it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from kuchipaku_contract.errors import ResourceExhaustedError, UnavailableError
from kuchipaku_pose.engine.types import FrameRequest, RenderedFrame

T = TypeVar("T")

_PERIOD_S = 1 / 25
"""What a lane without live frames is granted per frame; only ratios between lanes matter."""
_MAX_AHEAD_S = 0.5
"""Bound of how far a lane's virtual clock may run ahead of the real one."""


class Renderer(Protocol):
    """What the scheduler needs of an engine."""

    @property
    def max_batch(self) -> int:
        """Most requests of one `render` call."""

    def render(self, requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        """Render the requests in order; blocks."""


@dataclass(frozen=True, slots=True)
class SchedulerStatistics:
    """State of the queue and counters since the start."""

    queued: int
    running: int
    finished: int
    expired: int
    """Frames dropped because their time had passed before they were begun."""
    cancelled: int


@dataclass(eq=False)
class _Job:
    renderer: Renderer | None
    """Jobs of one renderer may run together; None marks a call, which runs alone."""
    payload: FrameRequest | Callable[[], Any] | None
    future: asyncio.Future[Any]
    due: float
    expires: float | None
    queued_at: float
    waiting: bool = True


@dataclass
class _Counters:
    finished: int = 0
    expired: int = 0
    cancelled: int = 0


@dataclass(eq=False)
class _Queue:
    """A heap of waiting jobs by renderer; jobs that left stay in it as shells for a while."""

    heaps: dict[Renderer | None, list[tuple[float, int, _Job]]] = field(default_factory=dict)
    size: int = 0
    order: itertools.count[int] = field(default_factory=itertools.count)

    def push(self, job: _Job) -> None:
        heapq.heappush(self.heaps.setdefault(job.renderer, []), (job.due, next(self.order), job))
        self.size += 1

    def leave(self, job: _Job) -> None:
        """Take a waiting job out, whatever its place."""
        job.waiting = False
        job.payload = None
        self.size -= 1
        heap = self.heaps.get(job.renderer, [])
        if sum(not entry[2].waiting for entry in heap) * 2 > len(heap):
            kept = [entry for entry in heap if entry[2].waiting]
            heapq.heapify(kept)
            self._replace(job.renderer, kept)

    def pop_batch(self) -> list[_Job]:
        """Take the earliest job and what may run with it."""
        for empty in [r for r, heap in self.heaps.items() if not self._tidy(heap)]:
            del self.heaps[empty]
        renderer = min(self.heaps, key=lambda r: self.heaps[r][0][:2])
        heap = self.heaps[renderer]
        limit = renderer.max_batch if renderer else 1
        batch: list[_Job] = []
        while len(batch) < limit and self._tidy(heap):
            job = heapq.heappop(heap)[2]
            job.waiting = False
            batch.append(job)
        self.size -= len(batch)
        self._replace(renderer, heap)
        return batch

    def _replace(self, renderer: Renderer | None, heap: list[tuple[float, int, _Job]]) -> None:
        if heap:
            self.heaps[renderer] = heap
        else:
            self.heaps.pop(renderer, None)

    @staticmethod
    def _tidy(heap: list[tuple[float, int, _Job]]) -> bool:
        while heap and not heap[0][2].waiting:
            heapq.heappop(heap)
        return bool(heap)


class Scheduler:
    """Runs jobs of all lanes on ``workers`` threads. Use from one event loop.

    Usage::

        scheduler = Scheduler(workers=2, max_queued=1024)
        scheduler.start()
        lane = scheduler.lane()
        frame = await lane.render(engine, request)
        ...
        await scheduler.close()
    """

    def __init__(
        self,
        *,
        workers: int,
        max_queued: int,
        clock: Callable[[], float] = time.monotonic,
        observe_wait: Callable[[float], object] | None = None,
    ) -> None:
        """Make a scheduler; `start` starts it.

        Args:
            workers: threads; each runs one job or one batch at a time.
            max_queued: jobs that may wait; more are refused.
            clock: seconds, for due times.
            observe_wait: told each frame's seconds in the queue, from a worker thread.
        """
        self.clock = clock
        self._max_queued = max_queued
        self._observe_wait = observe_wait
        self._ready = threading.Condition()
        self._queue = _Queue()
        self._counters = _Counters()
        self._running = 0
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"pose-worker-{i}", daemon=True)
            for i in range(workers)
        ]

    @property
    def workers(self) -> int:
        """Number of worker threads."""
        return len(self._threads)

    def start(self) -> None:
        """Start the threads; call within the event loop that will use the scheduler."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Cancel what waits, let what runs finish, end the threads."""
        with self._ready:
            self._closing = True
            waiting = [entry[2] for heap in self._queue.heaps.values() for entry in heap]
            for job in waiting:
                if job.waiting:
                    self._queue.leave(job)
                    job.future.cancel()
            self._ready.notify_all()
        await asyncio.gather(
            *(asyncio.to_thread(thread.join) for thread in self._threads if thread.is_alive())
        )

    def lane(self) -> Lane:
        """Return a new lane: one stream's account."""
        return Lane(self)

    def statistics(self) -> SchedulerStatistics:
        """Return state and counters."""
        with self._ready:
            counters = self._counters
            return SchedulerStatistics(
                self._queue.size,
                self._running,
                counters.finished,
                counters.expired,
                counters.cancelled,
            )

    def enqueue(self, job: _Job) -> None:
        """Queue a job of a lane.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
            UnavailableError: DRAINING, `close` has been called.
        """
        with self._ready:
            if self._closing:
                raise UnavailableError("The service is going away.", reason="DRAINING")
            if self._queue.size >= self._max_queued:
                raise ResourceExhaustedError(
                    "The render queue is full.",
                    reason="QUEUE_FULL",
                    queued=self._queue.size,
                )
            self._queue.push(job)
            self._ready.notify()

    def withdraw(self, job: _Job) -> None:
        """Take a job out of the queue if it still waits."""
        with self._ready:
            if job.waiting:
                self._queue.leave(job)
                self._counters.cancelled += 1

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._queue.size and not self._closing:
                    self._ready.wait()
                if not self._queue.size:
                    return
                batch = self._take()
            if batch:
                self._run(batch)

    def _take(self) -> list[_Job]:
        now = self.clock()
        batch = []
        for job in self._queue.pop_batch():
            if job.expires is not None and now > job.expires:
                self._counters.expired += 1
                self._deliver(job, None)
            else:
                batch.append(job)
                if self._observe_wait and job.renderer:
                    self._observe_wait(now - job.queued_at)
        self._running += len(batch)
        return batch

    def _run(self, batch: list[_Job]) -> None:
        results: Sequence[Any]
        try:
            results = _execute(batch)
        except BaseException as error:
            results = [error] * len(batch)
        # A job must not keep its frame alive while its stream reads on.
        for job in batch:
            job.payload = None
        with self._ready:
            self._running -= len(batch)
            self._counters.finished += len(batch)
        for job, result in zip(batch, results, strict=True):
            self._deliver(job, result)

    def _deliver(self, job: _Job, result: Any) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(_settle, job.future, result)
        except RuntimeError:
            # The loop closed in between: nobody waits any more.
            return


class Lane:
    """One stream's place in the queue. Not for several event loops."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._virtual = 0.0
        self._jobs: set[_Job] = set()

    def render(
        self,
        renderer: Renderer,
        request: FrameRequest,
        *,
        due: float | None = None,
        expires: float | None = None,
    ) -> asyncio.Future[RenderedFrame | None]:
        """Queue a frame; the future's result is None if its time passed before it was begun.

        Args:
            renderer: the engine.
            request: what to render.
            due: scheduler time at which a live frame must be out; None: the lane's own turn.
            expires: scheduler time after which the frame is not worth rendering.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
        """
        return self._submit(renderer, request, due if due is not None else self._turn(), expires)

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run ``function`` on a worker thread, ahead of frames that are due later than now.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
        """
        return self._submit(None, function, self._scheduler.clock(), None)

    def cancel_all(self) -> None:
        """Take all waiting work of this lane out of the queue, at once."""
        for job in list(self._jobs):
            self._scheduler.withdraw(job)
            job.future.cancel()
        self._jobs.clear()

    def _turn(self) -> float:
        now = self._scheduler.clock()
        self._virtual = min(max(now, self._virtual) + _PERIOD_S, now + _MAX_AHEAD_S)
        return self._virtual

    def _submit(
        self,
        renderer: Renderer | None,
        payload: FrameRequest | Callable[[], Any],
        due: float,
        expires: float | None,
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = _Job(
            renderer,
            payload,
            future,
            due,
            expires,
            self._scheduler.clock(),
        )
        self._scheduler.enqueue(job)
        self._jobs.add(job)
        future.add_done_callback(lambda _: self._finished(job))
        return future

    def _finished(self, job: _Job) -> None:
        self._jobs.discard(job)
        self._scheduler.withdraw(job)
        if not job.future.cancelled():
            # Seen here: a stream that ends at its first failure never asks for the others.
            job.future.exception()


def _execute(batch: list[_Job]) -> Sequence[Any]:
    renderer = batch[0].renderer
    if renderer is None:
        function = batch[0].payload
        return [function()] if callable(function) else [None]
    requests = [job.payload for job in batch if isinstance(job.payload, FrameRequest)]
    return renderer.render(requests)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
