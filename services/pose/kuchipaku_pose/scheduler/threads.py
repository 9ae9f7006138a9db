"""The scheduler of a service: the queue, and the threads that work on it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from kuchipaku_contract.errors import CancelledByClientError, UnavailableError
from kuchipaku_pose.scheduler.dispatch import Batch, Dispatcher
from kuchipaku_pose.scheduler.job import Job, Kind
from kuchipaku_pose.scheduler.lane import Lane
from kuchipaku_pose.work import Outcome, Unit

ObserveWait = Callable[[Kind, float, float], object]
"""Told a frame's kind, its seconds in the queue, and how many less would have had it in time."""


@dataclass(frozen=True, slots=True)
class SchedulerStatistics:
    """State of the queue and counters since the start."""

    queued: int
    running: int
    finished: int
    expired: int
    """Frames dropped because their time had passed before they were finished."""
    cancelled: int


class Scheduler:
    """Runs the works of all lanes, step by step. Use from one event loop.

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
        device_workers: int = 0,
        max_delay_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        observe_wait: ObserveWait | None = None,
        on_failure: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Make a scheduler; `start` starts it.

        Args:
            workers: threads; each runs one batch of one unit at a time.
            max_queued: jobs that may wait; more are refused.
            device_workers: further threads for the units of a device, which the others then
                leave alone; 0: the device is the processor, every thread does everything.
            max_delay_s: how long a frame may wait for others to share its batches.
            clock: seconds, for due times.
            observe_wait: told of each frame that is finished or expires, from a worker thread.
            on_failure: told what each failed job has failed of, from a worker thread.
        """
        self.clock = clock
        self._observe_wait = observe_wait
        self._on_failure = on_failure
        self._ready = threading.Condition()
        self._queue = Dispatcher(max_queued, max_delay_s)
        self._running: set[Job] = set()
        self._finished = self._expired = self._cancelled = 0
        self._closing = False
        self._alike = device_workers == 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(
                target=self._work, args=(not device_workers, True), name=f"pose-worker-{i}"
            )
            for i in range(workers)
        ] + [
            threading.Thread(target=self._work, args=(True, False), name=f"pose-device-{i}")
            for i in range(device_workers)
        ]

    @property
    def workers(self) -> int:
        """Number of threads."""
        return len(self._threads)

    def start(self) -> None:
        """Start the threads; call within the event loop that will use the scheduler."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    async def close(self) -> None:
        """Cancel what waits, let the steps that run finish, end the threads."""
        with self._ready:
            self._closing = True
            waiting = self._queue.waiting()
            for job in waiting:
                self._queue.withdraw(job)
            self._ready.notify_all()
        for job in waiting:
            job.work.abandon(_gone())
            job.context.cancel()
        await asyncio.gather(
            *(asyncio.to_thread(thread.join) for thread in self._threads if thread.is_alive())
        )

    def lane(self) -> Lane:
        """Return a new lane: one stream's account."""
        return Lane(self)

    def statistics(self) -> SchedulerStatistics:
        """Return state and counters."""
        with self._ready:
            return SchedulerStatistics(
                self._queue.size,
                len(self._running),
                self._finished,
                self._expired,
                self._cancelled,
            )

    def submit(self, job: Job) -> None:
        """Begin a job of a lane; its context is the future of its result.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
            UnavailableError: DRAINING, `close` has been called.
        """
        with self._ready:
            if self._closing:
                raise UnavailableError("The service is going away.", reason="DRAINING")
            self._queue.check_room()
        self._go_on(job)

    def withdraw(self, job: Job) -> None:
        """Take a job out of the queue, or off it after the step that runs."""
        with self._ready:
            waited = self._queue.withdraw(job)
            if (waited or job in self._running) and not job.cancelled:
                self._cancelled += 1
            job.cancelled = True
        if waited:
            job.work.abandon(_gone())

    def _work(self, device: bool, host: bool) -> None:
        while True:
            with self._ready:
                batch = self._next_batch(device, host)
                if batch is None:
                    return
            for job in batch.expired:
                job.work.abandon(_gone())
                self._observe(job, given_up=True)
                self._deliver(job, None)
            if batch.unit is not None and batch.jobs:
                self._run(batch.unit, batch.jobs)

    def _next_batch(self, device: bool, host: bool) -> Batch | None:
        """Wait for something to do; None at the end. The lock is held."""
        free_at = self.clock()
        while not self._closing:
            now = self.clock()
            batch = self._queue.take(now, device=device, host=host, idle_s=now - free_at)
            self._expired += len(batch.expired)
            if batch.jobs or batch.expired:
                self._running.update(batch.jobs)
                return batch
            timeout = None if batch.wait_until is None else batch.wait_until - now
            self._ready.wait(timeout)
        return None

    def _run(self, unit: Unit, jobs: Sequence[Job]) -> None:
        outcomes: Sequence[Outcome]
        try:
            outcomes = unit.run([job.work for job in jobs])
        except BaseException as error:
            outcomes = [error] * len(jobs)
        with self._ready:
            self._running.difference_update(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                self._fail(job, outcome)
            elif outcome is None:
                self._go_on(job)
            else:
                outcome.add_done_callback(partial(self._resume, job))

    def _resume(self, job: Job, value: Future[Any]) -> None:
        job.work.resume(value)
        self._go_on(job)

    def _go_on(self, job: Job) -> None:
        """Queue a job for its next step, or hand out its result."""
        try:
            unit = None if job.cancelled else job.work.next_unit()
        except Exception as error:
            self._fail(job, error)
            return
        with self._ready:
            ended = job.cancelled or self._closing
            if unit is not None and not ended:
                self._queue.put(job, unit, self.clock())
                self._wake()
                return
            if not ended:
                self._finished += 1
                # What is broken off has not gone through all its steps, and would teach haste.
                self._queue.finished(job, self.clock())
        if job.cancelled or (ended and unit is not None):
            job.work.abandon(_gone())
            self._deliver(job, _gone())
        else:
            self._observe(job, given_up=False)
            self._deliver(job, job.work.result())

    def _observe(self, job: Job, *, given_up: bool) -> None:
        if self._observe_wait is not None and job.kind is not Kind.CALL:
            overdue_s = job.overdue_s(self.clock(), given_up=given_up)
            self._observe_wait(job.kind, job.waited, overdue_s)

    def _wake(self) -> None:
        if self._alike:
            self._ready.notify()
        else:
            # The one that is woken must be one that may take the new step.
            self._ready.notify_all()

    def _fail(self, job: Job, error: BaseException) -> None:
        job.work.abandon(error)
        with self._ready:
            self._finished += 1
        self._deliver(job, error)
        if self._on_failure is not None:
            self._on_failure(error)

    def _deliver(self, job: Job, result: Any) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(_settle, job.context, result)
        except RuntimeError:
            # The loop closed in between: nobody waits any more.
            return


def _gone() -> CancelledByClientError:
    return CancelledByClientError("The frame is no longer wanted.", reason="FRAME_CANCELLED")


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, CancelledByClientError):
        future.cancel()
    elif isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
