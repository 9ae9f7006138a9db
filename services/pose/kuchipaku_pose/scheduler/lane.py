"""One stream's place in the queue, and the due times of frames that have none of their own.

Live frames carry the time at which they must be out. A frame of other streams is due one period
after those of its lane that are under way: lanes that ask for as much as they can get take turns,
a lane that was idle gains no claim on the past, and since due times never move back, nobody
starves: beside live frames that take all there is, a lane still gets one frame a period, or as many
as a live lane gets where that is less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from kuchipaku_pose.engine.types import FrameRequest, RenderedFrame
from kuchipaku_pose.scheduler.job import Job, Kind, Share
from kuchipaku_pose.work import Outcome, Unit, Work

T = TypeVar("T")

PERIOD_S = 0.1
"""What a lane without live frames is granted per frame beside live ones that ask for everything."""

MAX_AHEAD_S = 1.0
"""How far off a due time may be at most."""


class Renderer(Protocol):
    """What the scheduler needs of an engine."""

    def work(self, request: FrameRequest) -> Work:
        """Return the work whose result is the `RenderedFrame` of ``request``."""


class Queue(Protocol):
    """What lanes need of the scheduler."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds, for due times."""

    def submit(self, job: Job) -> None:
        """Begin a job."""

    def withdraw(self, job: Job) -> None:
        """Take a job out of the queue, or off it after the step that runs."""


class Lane:
    """One stream's place in the queue. Not for several event loops."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._share = Share()
        self._jobs: set[Job] = set()
        self._bulk = 0

    def render(
        self,
        renderer: Renderer,
        request: FrameRequest,
        *,
        due: float | None = None,
        expires: float | None = None,
    ) -> asyncio.Future[RenderedFrame | None]:
        """Queue a frame; the future's result is None if its time passed before it was finished.

        Args:
            renderer: the engine.
            request: what to render.
            due: scheduler time at which a live frame must be out; None: the lane's own turn.
            expires: scheduler time after which a live frame is not worth going on with.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
        """
        work = renderer.work(request)
        return self.bulk(work) if due is None else self.live(work, due, expires)

    def live(
        self, work: Work, due: float, expires: float | None
    ) -> asyncio.Future[RenderedFrame | None]:
        """Queue a live frame; see `render`."""
        return self._submit(work, Kind.LIVE, due, expires)

    def bulk(self, work: Work) -> asyncio.Future[RenderedFrame | None]:
        """Queue a frame of a stream that takes what it can get; see `render`."""
        future = self._submit(work, Kind.BULK, self._queue.clock() + self._turn_s(), None)
        self._bulk += 1
        future.add_done_callback(self._bulk_finished)
        return future

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run ``function`` on a worker thread, ahead of frames that are due later than now.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
        """
        return self._submit(CallWork(function), Kind.CALL, self._queue.clock(), None)

    def cancel_all(self) -> None:
        """Take all waiting work of this lane out of the queue, at once."""
        for job in list(self._jobs):
            self._queue.withdraw(job)
            job.context.cancel()
        self._jobs.clear()

    def _submit(
        self, work: Work, kind: Kind, due: float, expires: float | None
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        arrived = self._queue.clock()
        job = Job(work, self._share, due, expires, arrived, context=future, kind=kind)
        self._queue.submit(job)
        self._jobs.add(job)
        future.add_done_callback(lambda _: self._finished(job))
        return future

    def _turn_s(self) -> float:
        return min((self._bulk + 1) * PERIOD_S, MAX_AHEAD_S)

    def _bulk_finished(self, _: object) -> None:
        self._bulk -= 1

    def _finished(self, job: Job) -> None:
        self._jobs.discard(job)
        self._queue.withdraw(job)
        if not job.context.cancelled():
            # Seen here: a stream that ends at its first failure never asks for the others.
            job.context.exception()


class CallWork:
    """A function as work of a single step."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function: Callable[[], Any] | None = function
        self._result: Any = None

    def next_unit(self) -> Unit | None:
        """Return the unit of all calls, once."""
        return _CALLS if self._function is not None else None

    def run(self) -> Outcome:
        """Call the function."""
        function, self._function = self._function, None
        if function is not None:
            try:
                self._result = function()
            except Exception as error:
                return error
        return None

    def resume(self, value: Future[Any]) -> None:
        """Calls wait for nobody."""

    def result(self) -> Any:
        """Return what the function has returned."""
        return self._result

    def abandon(self, error: BaseException) -> None:
        """Forget the function."""
        self._function = None


class _Calls:
    """The unit of all calls."""

    name = "call"
    max_batch = 1
    on_device = False

    def run(self, works: Sequence[CallWork]) -> Sequence[Outcome]:
        return [work.run() for work in works]


_CALLS = _Calls()
