"""Admission before work: a service refuses what it cannot serve in time.

A fixed number of slots, a bounded queue before them, first come first served. What was admitted
is finished; what finds the queue full is refused at once with a hint when to come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kuchipaku_contract import ResourceExhaustedError
from kuchipaku_runtime.metrics import Metrics

_MIN_RETRY_S: Final = 0.1
_MAX_RETRY_S: Final = 60.0
# Weight of the newest hold time in the running mean.
_SMOOTHING: Final = 0.2


class AdmissionMetrics:
    """Metrics shared by all admissions of a server, apart by name."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("admission",)
        self.capacity = metrics.gauge("admission_capacity", "Slots.", labels)
        self.used = metrics.gauge("admission_used", "Slots in use.", labels)
        self.queued = metrics.gauge("admission_queued", "Calls waiting for a slot.", labels)
        self.admitted = metrics.counter("admission_admitted_total", "Slots given.", labels)
        self.refused = metrics.counter(
            "admission_refused_total", "Calls refused, by reason.", (*labels, "reason")
        )
        self.wait = metrics.histogram(
            "admission_wait_seconds", "Time from arrival to the slot.", labels
        )


class Admission:
    """Slots for one kind of work.

    Usage::

        sessions = Admission("sessions", capacity=4, queue_limit=8, metrics=context.metrics)
        async with sessions.slot():
            ...
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        queue_limit: int = 0,
        *,
        retry_after_s: float = 1.0,
        max_wait_s: float | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Make ``capacity`` slots with at most ``queue_limit`` waiting calls.

        ``retry_after_s`` is the hint until there are measurements; ``max_wait_s`` bounds the
        time in the queue.
        """
        if capacity < 1 or queue_limit < 0:
            raise ValueError("capacity must be positive and queue_limit not negative")
        self.name = name
        self.capacity = capacity
        self.queue_limit = queue_limit
        self._max_wait_s = max_wait_s
        self._used = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._mean_hold_s = retry_after_s
        self._metrics = metrics.group(AdmissionMetrics) if metrics else None
        if self._metrics:
            self._metrics.capacity.labels(name).set(capacity)

    @property
    def used(self) -> int:
        """Slots in use."""
        return self._used

    @property
    def queued(self) -> int:
        """Calls waiting for a slot."""
        return len(self._queue)

    @property
    def retry_after_s(self) -> float:
        """Estimated seconds until a slot is free for one more call."""
        turns = (self.queued + 1) / self.capacity
        return round(min(max(self._mean_hold_s * turns, _MIN_RETRY_S), _MAX_RETRY_S), 3)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot for the body.

        Raises ResourceExhaustedError: reason ``QUEUE_FULL`` at once, ``QUEUE_TIMEOUT`` after
        ``max_wait_s`` in the queue.
        """
        arrived = time.monotonic()
        await self._acquire()
        started = time.monotonic()
        if self._metrics:
            self._metrics.admitted.labels(self.name).inc()
            self._metrics.wait.labels(self.name).observe(started - arrived)
        try:
            yield
        finally:
            held = time.monotonic() - started
            self._mean_hold_s += _SMOOTHING * (held - self._mean_hold_s)
            self._release()

    async def _acquire(self) -> None:
        if self._used < self.capacity:
            self._used += 1
            self._report()
            return
        if self.queued >= self.queue_limit:
            raise self._refusal("QUEUE_FULL", f"All {self.capacity} slots of {self.name} are busy.")
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._report()
        try:
            async with asyncio.timeout(self._max_wait_s):
                await turn
        except BaseException as error:
            self._leave(turn)
            if isinstance(error, TimeoutError):
                message = f"No slot of {self.name} came free in time."
                raise self._refusal("QUEUE_TIMEOUT", message) from None
            raise

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            # The slot was handed over in the moment of cancellation: pass it on.
            self._release()
            return
        with contextlib.suppress(ValueError):  # a release may have skipped and dropped it
            self._queue.remove(turn)
        self._report()

    def _release(self) -> None:
        """Hand the slot to the next in the queue, or free it."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._report()
                return
        self._used -= 1
        self._report()

    def _refusal(self, reason: str, message: str) -> ResourceExhaustedError:
        if self._metrics:
            self._metrics.refused.labels(self.name, reason).inc()
        return ResourceExhaustedError(
            message,
            reason=reason,
            retry_after_s=self.retry_after_s,
            admission=self.name,
            capacity=self.capacity,
            queue_limit=self.queue_limit,
        )

    def _report(self) -> None:
        if self._metrics:
            self._metrics.used.labels(self.name).set(self._used)
            self._metrics.queued.labels(self.name).set(len(self._queue))
