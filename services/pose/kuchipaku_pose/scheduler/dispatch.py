"""Which steps run next, and which of them together: the queue without threads and without a clock.

Every method takes the time, so that a simulation drives the same code as the workers do.

Order. A job is due at a time; times are taken in slots of 40 ms, and within a slot the lane of
which least has been begun of late goes first. Slots cost a job at most that much of its place, and
without them a lane whose frames are always due a moment earlier would get everything of a device
that cannot serve all. A job keeps its place from step to step.

Batches. The unit whose first job is first in that order runs next, with as many of its jobs as it
may take. A batch that is not full may wait for others, until one of its jobs has been in the queue
for ``max_delay_s`` altogether or is due.

Shedding. A job that can no longer be finished before it expires is not begun, by what jobs that
began with the same step have taken of late. A device that cannot serve all would serve frames that
are all late; so while jobs are being shed, others expire when they are due, and what is served is
in time.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kuchipaku_contract.errors import ResourceExhaustedError
from kuchipaku_pose.work import Unit, Work

SLOT_S = 0.04
"""Due times closer than this count as equal: a frame's period at 25 frames per second."""
_FORGET_S = 1.0
"""Time in which what a lane has had counts for a third."""
_OVERLOAD_S = 1.0
"""How long after a job has been shed others are held to their due time."""
_LEARN_MORE, _LEARN_LESS = 0.3, 0.02
"""Weight of the last job in what jobs take: what many of them take counts, not the mean."""
_STALE_S = 1.0
"""Age at which what jobs take is not believed any more: or nothing might ever begin again."""


@dataclass(eq=False)
class Share:
    """How many jobs of a lane have been begun of late."""

    amount: float = 0.0
    at: float = 0.0

    def now(self, now: float) -> float:
        """Return the number, older ones counting less."""
        return self.amount * math.exp(-max(0.0, now - self.at) / _FORGET_S)

    def add(self, now: float) -> None:
        """Count one."""
        self.amount, self.at = self.now(now) + 1.0, now


_Place = tuple[float, float, float, int]


@dataclass(eq=False)
class Job:
    """A work of a lane in the queue."""

    work: Work
    share: Share
    due: float
    expires: float | None
    arrived: float
    """When it came into the queue for the first time."""
    context: Any = None
    """Whatever the caller wants to find again."""
    unit: Unit | None = None
    """The step it waits for; None while it does not wait."""
    queued: float = 0.0
    """When it began to wait for this step."""
    waited: float = 0.0
    """Time in the queue so far, all steps together."""
    place: _Place | None = None
    """Its order among others, from its first step on."""
    first: Unit | None = None
    """The step it began with, once it has begun."""
    begun: float = 0.0
    """When it began."""
    cancelled: bool = False

    def latest_end(self, *, overloaded: bool) -> float:
        """Return the time by which the work must be finished to be worth beginning."""
        if self.expires is None:
            return math.inf
        # What came when it was due already is late through no fault of the queue.
        strict = overloaded and self.arrived < self.due
        return min(self.due, self.expires) if strict else self.expires


@dataclass(frozen=True, slots=True)
class Batch:
    """What to do next."""

    unit: Unit | None
    jobs: list[Job]
    """To be run together by ``unit``."""
    expired: list[Job]
    """Jobs found past their time; they have left the queue."""
    wait_until: float | None
    """When to ask again if ``jobs`` is empty and nothing comes before; None: not by time."""


_Entry = tuple[_Place, Job]


@dataclass(eq=False)
class Dispatcher:
    """The queue. Not safe for threads: callers hold a lock."""

    max_queued: int
    """Jobs that may wait; more are refused."""
    max_delay_s: float = 0.0
    """How long a job may be kept waiting for others to share its batch."""
    size: int = 0
    """Jobs that wait."""
    _heaps: dict[Unit, list[_Entry]] = field(default_factory=dict)
    _live: dict[Unit, int] = field(default_factory=dict)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _takes: dict[Unit, tuple[float, float]] = field(default_factory=dict)
    """Seconds from beginning with a unit to the end of the job, and when that was learnt."""
    _shed_at: float = -math.inf

    def check_room(self) -> None:
        """Refuse a new job if the queue is full.

        Raises:
            ResourceExhaustedError: QUEUE_FULL.
        """
        if self.size >= self.max_queued:
            raise ResourceExhaustedError(
                "The render queue is full.", reason="QUEUE_FULL", queued=self.size
            )

    def put(self, job: Job, unit: Unit, now: float) -> None:
        """Queue a job for its next step. Work that has been accepted is never refused here."""
        job.unit, job.queued = unit, now
        if job.place is None:
            slot = math.floor(job.due / SLOT_S)
            job.place = (slot, job.share.now(now), job.due, next(self._order))
        heapq.heappush(self._heaps.setdefault(unit, []), (job.place, job))
        self._live[unit] = self._live.get(unit, 0) + 1
        self.size += 1

    def finished(self, job: Job, now: float) -> None:
        """Learn from a job that has gone through all its steps."""
        # The others give way to those that expire, and take longer for it.
        if job.first is not None and job.expires is not None:
            taken = now - job.begun
            known, _ = self._takes.get(job.first, (taken, now))
            weight = _LEARN_MORE if taken > known else _LEARN_LESS
            self._takes[job.first] = known + weight * (taken - known), now

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the queue at once; return whether it waited."""
        unit = job.unit
        if unit is None:
            return False
        self._leave(job, unit)
        heap = self._heaps.get(unit, [])
        # What left stays in the heap as a shell; half shells are too many.
        if 2 * self._live.get(unit, 0) < len(heap):
            kept = [entry for entry in heap if entry[-1].unit is unit]
            heapq.heapify(kept)
            self._heaps[unit] = kept
        return True

    def waiting(self) -> list[Job]:
        """Return all jobs that wait."""
        return [
            entry[-1]
            for unit, heap in self._heaps.items()
            for entry in heap
            if entry[-1].unit is unit
        ]

    def take(self, now: float, *, device: bool, host: bool) -> Batch:
        """Take what a worker should do now.

        Args:
            now: the time.
            device: whether the worker runs units of the device.
            host: whether it runs the other units.
        """
        expired: list[Job] = []
        heads = []
        for unit in list(self._heaps):
            if device if unit.on_device else host:
                head = self._tidy(unit, now, expired)
                if head is not None:
                    heads.append((head[0], unit))
        wait_until: float | None = None
        for _, unit in sorted(heads, key=lambda pair: pair[0]):
            leaves = self._leaves_at(unit)
            if leaves <= now:
                return Batch(unit, self._pop(unit, now, expired), expired, None)
            wait_until = leaves if wait_until is None else min(leaves, wait_until)
        return Batch(None, [], expired, wait_until)

    def _leaves_at(self, unit: Unit) -> float:
        """Return when a batch of ``unit`` goes, full or not."""
        if self.max_delay_s <= 0 or self._live[unit] >= unit.max_batch:
            return -math.inf
        jobs = [entry[-1] for entry in self._heaps[unit] if entry[-1].unit is unit]
        return min(min(job.arrived + self.max_delay_s, job.due) for job in jobs)

    def _pop(self, unit: Unit, now: float, expired: list[Job]) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < unit.max_batch and self._tidy(unit, now, expired) is not None:
            job = heapq.heappop(self._heaps[unit])[-1]
            self._leave(job, unit)
            job.waited += now - job.queued
            if job.first is None:
                job.first, job.begun = unit, now
                job.share.add(now)
            jobs.append(job)
        return jobs

    def _tidy(self, unit: Unit, now: float, expired: list[Job]) -> _Entry | None:
        """Drop shells and expired jobs off the top of a heap; return the first entry left."""
        heap = self._heaps[unit]
        while heap:
            job = heap[0][-1]
            if job.unit is unit and not self._hopeless(job, unit, now):
                return heap[0]
            if job.unit is unit:
                self._leave(job, unit)
                expired.append(job)
            heapq.heappop(heap)
        del self._heaps[unit]
        self._live.pop(unit, None)
        return None

    def _hopeless(self, job: Job, unit: Unit, now: float) -> bool:
        if job.expires is None:
            return False
        if job.first is not None:
            return now > job.expires
        takes, learnt = self._takes.get(unit, (0.0, now))
        if learnt < now - _STALE_S:
            takes = 0.0
        if now + takes <= job.latest_end(overloaded=now < self._shed_at + _OVERLOAD_S):
            return False
        self._shed_at = now
        return True

    def _leave(self, job: Job, unit: Unit) -> None:
        job.unit = None
        self._live[unit] -= 1
        self.size -= 1
