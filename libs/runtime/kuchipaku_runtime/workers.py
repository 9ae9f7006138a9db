"""Worker processes for work that would hold the server's interpreter lock.

Workers are started afresh (``spawn``), never forked from a process that runs gRPC. A function
and its arguments travel by pickle, so the function is a module's top-level one; arrays are fine.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from kuchipaku_contract import DeadlineExceededError, InternalError, UnavailableError
from kuchipaku_runtime.admission import Admission
from kuchipaku_runtime.logs import current_log_options
from kuchipaku_runtime.metrics import Metrics
from kuchipaku_runtime.request import current_request_id
from kuchipaku_runtime.worker import RemoteTracebackError, Worker, WorkerDiedError
from kuchipaku_runtime.worker_process import Job, Reply, WorkerSetup

_SMALL: Final = (int, float, str, bytes, bytearray)
_SMALL_BYTES: Final = 65_536
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class PoolMetrics:
    """Metrics shared by all pools of a server, apart by name."""

    def __init__(self, metrics: Metrics) -> None:
        self.lost = metrics.counter(
            "workers_lost_total", "Worker processes that died or were killed.", ("pool", "cause")
        )
        self.seconds = metrics.histogram(
            "worker_job_seconds", "Duration of jobs in workers.", ("pool",)
        )


class WorkerPool:
    """A fixed number of worker processes behind a bounded queue.

    Usage::

        async with WorkerPool("recognizer", 2, queue_limit=8, initializer=load) as pool:
            cues = await pool.run(recognize, samples)
            async for progress in pool.stream(recognize_stepwise, samples):
                ...

    The pool is ready when one worker is; the others start meanwhile. A worker that dies fails its
    own job only and is replaced. Cancelling the task that awaits a job, or closing a stream early,
    kills the worker in the midst of it.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        queue_limit: int = 0,
        time_limit_s: float | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        start_timeout_s: float = 60.0,
        metrics: Metrics | None = None,
    ) -> None:
        """Describe ``size`` workers; entering the pool starts the first and waits for it.

        ``queue_limit``: jobs that may wait for a worker. ``time_limit_s``: longest run of one
        job. ``initializer(*initargs)`` runs once in every worker.
        """
        self.name = name
        self.size = size
        self.admission = Admission(name, size, queue_limit, metrics=metrics)
        self._time_limit_s = time_limit_s
        self._setup = WorkerSetup(initializer, initargs, None)
        self._start_timeout_s = start_timeout_s
        self._metrics = metrics.group(PoolMetrics) if metrics else None
        # None is the right to start a worker where a start in the background failed.
        self._idle: asyncio.Queue[Worker | None] = asyncio.Queue()
        self._workers: set[Worker] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._setup = WorkerSetup(
            self._setup.initializer, self._setup.arguments, current_log_options()
        )
        self._idle.put_nowait(await self._start())
        for _ in range(self.size - 1):
            self._in_background(self._add())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(
        self,
        function: Callable[..., T],
        *args: Any,
        time_limit_s: float | None = None,
        brief: bool = False,
    ) -> T:
        """Return ``function(*args)``, computed by a worker.

        ``brief``: arguments and answer are a few kB at most. They are handed over by the event
        loop itself, which costs less than the thread that long messages need.

        Raises the KuchipakuError that the function raises; InternalError with reason
        ``WORKER_JOB_FAILED`` for anything else it raises and ``WORKER_DIED``;
        DeadlineExceededError ``JOB_TIME_LIMIT``; ResourceExhaustedError ``QUEUE_FULL``.
        """
        job = Job(function, args, current_request_id(), streaming=False)
        async with self._job(job, time_limit_s, brief=brief) as receive:
            while True:
                kind, value = await receive()
                if kind == Reply.RESULT:
                    result: T = value
                    return result

    async def stream(
        self,
        function: Callable[..., Iterator[T]],
        *args: Any,
        time_limit_s: float | None = None,
    ) -> AsyncGenerator[T, None]:
        """Yield what the generator function ``function(*args)`` yields in a worker.

        The worker waits when the consumer is slow; the time limit includes such waits. Raises
        as `run`. Wrap it in ``contextlib.aclosing`` when leaving the loop early.
        """
        job = Job(function, args, current_request_id(), streaming=True)
        async with self._job(job, time_limit_s) as receive:
            while True:
                kind, value = await receive()
                if kind == Reply.RESULT:
                    return
                yield value

    async def close(self) -> None:
        """End all workers; those in the midst of a job are killed."""
        self._closed = True
        idle = set()
        while not self._idle.empty():
            idle.add(self._idle.get_nowait())
        for worker in self._workers - idle:
            worker.kill()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.dispose() for worker in self._workers))
        self._workers.clear()

    @asynccontextmanager
    async def _job(
        self, job: Job, time_limit_s: float | None, *, brief: bool = False
    ) -> AsyncIterator[Callable[[], Awaitable[tuple[Reply, Any]]]]:
        """Run ``job`` on a worker of its own; yields how to receive its messages."""
        limit = self._time_limit_s if time_limit_s is None else time_limit_s
        async with self.admission.slot():
            data = await _pickled(job)
            running = _Running(await self._take(), limit, data, brief=brief)
            try:
                yield running.receive
            finally:
                self._give_back(running)

    async def _take(self) -> Worker:
        if self._closed:
            raise UnavailableError("The server is shutting down.", reason="SERVER_DRAINING")
        worker = await self._idle.get()
        if worker is not None:
            return worker
        try:
            return await self._start()
        except BaseException:
            self._idle.put_nowait(None)
            raise

    def _give_back(self, running: _Running) -> None:
        if self._metrics:
            self._metrics.seconds.labels(self.name).observe(running.seconds)
        if running.ended:
            self._idle.put_nowait(running.worker)
            return
        running.worker.kill()
        if self._metrics:
            self._metrics.lost.labels(self.name, running.cause).inc()
        if not self._closed:
            self._in_background(self._replace(running.worker))

    def _in_background(self, start: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(start)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _replace(self, worker: Worker) -> None:
        self._workers.discard(worker)
        await worker.dispose()
        await self._add()

    async def _add(self) -> None:
        """Start one more worker, or leave the right to do so."""
        added: Worker | None = None
        try:
            if not self._closed:
                added = await self._start()
        except InternalError as error:
            # The next job tries again, and reports it to its caller if that fails too. A pool that
            # closes has ended the start itself.
            if not self._closed:
                _LOG.error("no new worker: %s", error, exc_info=error, extra={"pool": self.name})
        finally:
            self._idle.put_nowait(added)

    async def _start(self) -> Worker:
        worker = Worker(self.name, self._setup, self._start_timeout_s)
        self._workers.add(worker)
        try:
            await worker.start()
        except BaseException:
            self._workers.discard(worker)
            worker.kill()
            await worker.dispose()
            raise
        return worker


async def _pickled(job: Job) -> bytes:
    """The job in bytes. For a small one a thread would cost more than the pickling."""
    size = sum(len(value) for value in job.arguments if isinstance(value, bytes | bytearray))
    scalars = all(isinstance(value, _SMALL) for value in job.arguments)
    if scalars and size <= _SMALL_BYTES:
        return pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
    return await asyncio.to_thread(pickle.dumps, job, pickle.HIGHEST_PROTOCOL)


class _Running:
    """One job on one worker."""

    def __init__(self, worker: Worker, limit_s: float | None, data: bytes, *, brief: bool) -> None:
        """``data`` is the pickled job; the first `receive` hands it to the worker."""
        self.worker = worker
        self._brief = brief
        self._data: bytes | None = data
        self.ended = False
        """Whether the worker is through with the job and can take another."""
        self.cause = "cancelled"
        """Why the worker was lost, if it was: cancelled, time_limit or died."""
        self._limit_s = limit_s
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the job began."""
        return time.monotonic() - self._started

    async def receive(self) -> tuple[Reply, Any]:
        """Return the next item or the result; raise what the job raised."""
        data, self._data = self._data, None
        kind, value = await self._bounded(self._message(data))
        self.ended = kind != Reply.ITEM
        if kind == Reply.ERROR:
            raise value
        if kind == Reply.FAILURE:
            raise InternalError("The server failed.", reason="WORKER_JOB_FAILED") from (
                RemoteTracebackError(value)
            )
        return kind, value

    def _message(self, data: bytes | None) -> Coroutine[Any, Any, tuple[Reply, Any]]:
        if data is None:
            return self.worker.receive()
        if self._brief and len(data) <= _SMALL_BYTES:
            return self.worker.exchange_here(data)
        return self.worker.exchange(data)

    async def _bounded(self, step: Coroutine[Any, Any, T]) -> T:
        left = None if self._limit_s is None else max(0.0, self._limit_s - self.seconds)
        try:
            async with asyncio.timeout(left):
                return await step
        except TimeoutError:
            self.cause = "time_limit"
            raise DeadlineExceededError(
                f"The work took longer than {self._limit_s:g} s.",
                reason="JOB_TIME_LIMIT",
                limit_s=self._limit_s,
            ) from None
        except WorkerDiedError as error:
            self.cause = "died"
            raise InternalError("A worker process died.", reason="WORKER_DIED") from error
