"""Which steps run next, and which of them together: the queue without threads and without a clock.

Every method takes the time, so that a simulation drives the same code as the workers do.

Order. A job is due at a time; times are taken in slots of 40 ms, and within a slot the lane of
which least has been begun of late goes first. Slots cost a job at most that much of its place, and
without them a lane whose frames are always due a moment earlier would get everything of a device
that cannot serve all. A job that has begun keeps its place from step to step.

Contests. Bulk frames are promised a pace, and no device keeps it for any number of lanes: by due
times alone, all of them would soon be overdue and go before every live frame. So where a bulk frame
is due no later than the first live one, the lane of which least has been begun of late goes first,
bulk or live. A live stream that asks for no more than an equal share then waits for nobody, and
bulk lanes get their pace, or as much as live ones that ask for more. What has begun goes before
what would follow from a contest, and before bulk frames: few are under way, and live ones come to
their end.

Batches. The unit whose first job is first in that order runs next, with as many of its jobs as it
may take. A batch that is not full may wait for others, until one of its jobs has been in the queue
for ``max_delay_s`` altogether or is due.

What is not worth beginning is given up: see `Shedding`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kuchipaku_contract.errors import ResourceExhaustedError
from kuchipaku_pose.scheduler.job import Job, Kind, Place, Share
from kuchipaku_pose.scheduler.shedding import Shedding
from kuchipaku_pose.work import Unit


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


_Head = tuple[Place, Job]


@dataclass(eq=False)
class _Waiting:
    """The jobs that wait for one unit."""

    going: list[Job] = field(default_factory=list)
    """Those that have begun, and calls, by their places."""
    fresh: dict[Share, list[Job]] = field(default_factory=dict)
    """The others by lane, each lane's by due time; no list is empty."""
    size: int = 0

    def add(self, job: Job) -> None:
        self.size += 1
        if job.place is not None:
            insort(self.going, job, key=lambda other: other.place or ())
        else:
            lane = self.fresh.setdefault(job.share, [])
            insort(lane, job, key=lambda other: (other.due, other.number))

    def remove(self, job: Job) -> None:
        self.size -= 1
        if job.place is not None:
            self.going.remove(job)
            return
        lane = self.fresh[job.share]
        lane.remove(job)
        if not lane:
            del self.fresh[job.share]

    def all(self) -> Iterator[Job]:
        return itertools.chain(self.going, *self.fresh.values())

    def heads(self, contest: int | None) -> list[_Head]:
        """Return what is next of each lane and of what has begun, as a heap."""
        heads = [(_order(lane[0], contest), lane[0]) for lane in self.fresh.values()]
        if self.going:
            heads.append((_order(self.going[0], contest), self.going[0]))
        heapq.heapify(heads)
        return heads

    def behind(self, job: Job) -> list[Job]:
        """Return those among which ``job`` was next."""
        return self.going if job.place is not None else self.fresh.get(job.share, [])


@dataclass(eq=False)
class Dispatcher:
    """The queue. Not safe for threads: callers hold a lock."""

    max_queued: int
    """Jobs that may wait; more are refused."""
    max_delay_s: float = 0.0
    """How long a job may be kept waiting for others to share its batch."""
    size: int = 0
    """Jobs that wait."""
    _waiting: dict[Unit, _Waiting] = field(default_factory=dict)
    """By unit; none is empty."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _shedding: Shedding = field(default_factory=Shedding)

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
        job.number = job.number or next(self._numbers)
        if job.kind is Kind.CALL and job.place is None:
            job.place = job.place_now()
        self._waiting.setdefault(unit, _Waiting()).add(job)
        self.size += 1

    def finished(self, job: Job, now: float) -> None:
        """Learn from a job that has gone through all its steps."""
        self._shedding.learn(job, now)

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the queue at once; return whether it waited."""
        unit = job.unit
        if unit is None:
            return False
        self._leave(job, unit)
        return True

    def waiting(self) -> list[Job]:
        """Return all jobs that wait."""
        return [job for waiting in self._waiting.values() for job in waiting.all()]

    def take(self, now: float, *, device: bool, host: bool, idle_s: float = 0.0) -> Batch:
        """Take what a worker should do now.

        Args:
            now: the time.
            device: whether the worker runs units of the device.
            host: whether it runs the other units.
            idle_s: how long it has had nothing to do.
        """
        self._shedding.ask(now, idle_s, device=device, host=host)
        expired: list[Job] = []
        units = [unit for unit in self._waiting if (device if unit.on_device else host)]
        for unit in units:
            self._tidy(unit, now, expired)
        found = {unit: self._waiting[unit] for unit in units if unit in self._waiting}
        contest = _contest(found.values())
        heads = {unit: waiting.heads(contest) for unit, waiting in found.items()}
        wait_until: float | None = None
        for unit in sorted(heads, key=lambda unit: heads[unit][0]):
            leaves = self._leaves_at(unit)
            if leaves <= now:
                jobs = self._pop(unit, heads[unit], now, contest, expired)
                return Batch(unit, jobs, expired, None)
            wait_until = leaves if wait_until is None else min(leaves, wait_until)
        return Batch(None, [], expired, wait_until)

    def _leaves_at(self, unit: Unit) -> float:
        """Return when a batch of ``unit`` goes, full or not."""
        waiting = self._waiting[unit]
        if self.max_delay_s <= 0 or waiting.size >= unit.max_batch:
            return -math.inf
        return min(min(job.arrived + self.max_delay_s, job.due) for job in waiting.all())

    def _pop(
        self, unit: Unit, heads: list[_Head], now: float, contest: int | None, expired: list[Job]
    ) -> list[Job]:
        waiting = self._waiting[unit]
        jobs: list[Job] = []
        while heads and len(jobs) < unit.max_batch:
            _, job = heapq.heappop(heads)
            self._leave(job, unit)
            behind = waiting.behind(job)
            job.waited += now - job.queued
            _begin(job, unit, now)
            jobs.append(job)
            self._drop(behind, unit, now, expired)
            if behind:
                heapq.heappush(heads, (_order(behind[0], contest), behind[0]))
        return jobs

    def _tidy(self, unit: Unit, now: float, expired: list[Job]) -> None:
        """Drop what has expired before what is next of each lane."""
        waiting = self._waiting[unit]
        for jobs in [waiting.going, *waiting.fresh.values()]:
            if jobs and jobs[0].expires is not None:
                self._drop(jobs, unit, now, expired)

    def _drop(self, jobs: list[Job], unit: Unit, now: float, expired: list[Job]) -> None:
        while jobs and self._shedding.is_lost(jobs[0], unit, now):
            job = jobs[0]
            self._leave(job, unit)
            job.waited += now - job.queued
            expired.append(job)

    def _leave(self, job: Job, unit: Unit) -> None:
        job.unit = None
        self.size -= 1
        waiting = self._waiting[unit]
        waiting.remove(job)
        if not waiting.size:
            del self._waiting[unit]


def _begin(job: Job, unit: Unit, now: float) -> None:
    if job.first is None:
        job.first, job.begun = unit, now
        job.place = job.place or job.place_now()
        if job.kind is not Kind.CALL:
            job.share.add(now)


def _contest(queues: Iterable[_Waiting]) -> int | None:
    """Return the slot of the first live frame that has not begun, if bulk is due no later."""
    first: dict[Kind, int] = {}
    for waiting in queues:
        for lane in waiting.fresh.values():
            head = lane[0]
            if head.slot < first.get(head.kind, math.inf):
                first[head.kind] = head.slot
    live, bulk = first.get(Kind.LIVE), first.get(Kind.BULK)
    return live if live is not None and bulk is not None and bulk <= live else None


def _order(job: Job, contest: int | None) -> Place:
    """Return a job's order among all that are first of their lane or of those under way."""
    if job.place is not None:
        return 0, *job.place
    if contest is None:
        return int(job.kind is Kind.BULK), *job.place_now()
    if job.kind is Kind.LIVE or job.slot <= contest:
        return 1, job.share.standing, job.due, job.number
    return 2, *job.place_now()
