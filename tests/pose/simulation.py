"""The scheduler's queue and lanes on a virtual clock, with a device that has a cost model.

A run of n frames takes ``a + b * n`` seconds. Queue, order, batches and lanes are those of the
service; only threads and time are simulated, so that every figure is exact and comes out the same
everywhere. ``python -m tests.pose.scenarios`` prints the table of docs/pose-scheduling.md.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kuchipaku_contract.errors import ResourceExhaustedError
from kuchipaku_pose.scheduler import Dispatcher, Job, Lane
from kuchipaku_pose.work import Outcome, Unit
from tests.pose.fakework import Steps

LEAD_S = 0.1
TOLERANCE_S = 0.1
FPS = 25.0
Stall = tuple[float, float]
"""When all devices stand still, and for how long."""
NO_REQUEST: Any = None
"""What the works of a simulation are made of."""


@dataclass(eq=False)
class CostUnit:
    """A stage whose runs take ``a + b * n`` seconds."""

    name: str
    a: float
    b: float
    max_batch: int
    on_device: bool = True
    batches: list[int] = field(default_factory=list)

    def run(self, works: Sequence[Steps]) -> Sequence[Outcome]:
        for work in works:
            work.done()
        return [None] * len(works)

    def seconds(self, count: int) -> float:
        return self.a + self.b * count


def gpu(max_batch: int = 16) -> list[CostUnit]:
    """Three stages on a GPU: 4 ms a run and 0.8 ms a frame, all together."""
    costs = (("face", 0.0010, 0.0002), ("rotator", 0.0012, 0.0002), ("editor", 0.0018, 0.0004))
    return [CostUnit(name, a, b, max_batch) for name, a, b in costs]


def cpu() -> list[CostUnit]:
    """Three stages on a processor, 30 ms a frame, where batches gain nothing."""
    return [
        CostUnit(name, 0.0, b, 1) for name, b in (("face", 0.008), ("flow", 0.018), ("x", 0.004))
    ]


class Renderer:
    """Frames that need given stages."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units

    def work(self, request: Any) -> Steps:
        return Steps(self.units, request)


@dataclass
class Account:
    """What came of a stream's frames."""

    asked: int = 0
    on_time: int = 0
    late: int = 0
    shed: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    finished_at: list[float] = field(default_factory=list)

    @property
    def finished(self) -> int:
        return len(self.latencies)


class Simulation:
    """Devices that serve a queue. Implements what lanes need of a scheduler."""

    def __init__(
        self,
        *,
        devices: int = 1,
        max_delay_s: float = 0.0,
        max_queued: int = 10_000,
        stalls: Sequence[Stall] = (),
    ) -> None:
        self.now = 0.0
        self.busy_s = 0.0
        self.longest_queue = 0
        self.dispatcher = Dispatcher(max_queued, max_delay_s)
        self._idle_since = deque([0.0] * devices)
        self._devices = devices
        self._stalls = sorted(stalls)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._asked_for = math.inf
        self._answered = False

    def clock(self) -> float:
        return self.now

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def submit(self, job: Job) -> None:
        self.dispatcher.check_room()
        unit = job.work.next_unit()
        assert unit is not None
        self.dispatcher.put(job, unit, self.now)
        self.longest_queue = max(self.longest_queue, self.dispatcher.size)

    def withdraw(self, job: Job) -> None:
        self.dispatcher.withdraw(job)
        job.cancelled = True

    async def run(self, until: float) -> None:
        """Let time pass; events of one moment happen before devices look for work."""
        while self._events and self._events[0][0] <= until:
            self.now = self._events[0][0]
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            await self._settle()
            self._serve()
            await self._settle()
        self.now = until

    @property
    def utilisation(self) -> float:
        return self.busy_s / (self.now * self._devices)

    async def _settle(self) -> None:
        # Callbacks of futures, and what they ask for, run in the next round of the loop.
        while self._answered:
            self._answered = False
            await asyncio.sleep(0)

    def _answer(self, job: Job, result: Any) -> None:
        if not job.context.done():
            job.context.set_result(result)
            self._answered = True

    def _serve(self) -> None:
        awake = self._after(0.0)
        if awake > self.now:
            self.at(awake, lambda: None)
            return
        while self._idle_since:
            idle_s = self.now - self._idle_since[0]
            batch = self.dispatcher.take(self.now, device=True, host=True, idle_s=idle_s)
            for job in batch.expired:
                self._answer(job, None)
            if batch.unit is None:
                if batch.wait_until is not None and batch.wait_until != self._asked_for:
                    self._asked_for = batch.wait_until
                    self.at(batch.wait_until, lambda: None)
                return
            self._start(batch.unit, batch.jobs)

    def _start(self, unit: Any, jobs: list[Job]) -> None:
        seconds = unit.seconds(len(jobs))
        unit.batches.append(len(jobs))
        self._idle_since.popleft()
        self.busy_s += seconds
        self.at(self._after(seconds), lambda: self._end(unit, jobs))

    def _after(self, seconds: float) -> float:
        """Return when work of so many seconds would be done."""
        end = self.now + seconds
        for begin, length in self._stalls:
            if end >= begin and self.now < begin + length:
                end += begin + length - max(self.now, begin)
        return end

    def _end(self, unit: Any, jobs: list[Job]) -> None:
        self._idle_since.append(self.now)
        unit.run([job.work for job in jobs])
        for job in jobs:
            following = job.work.next_unit()
            if job.cancelled:
                continue
            if following is None:
                self.dispatcher.finished(job, self.now)
                self._answer(job, self.now)
            else:
                self.dispatcher.put(job, following, self.now)


class Live:
    """A stream that asks for a frame each period, a little ahead of when it is due."""

    def __init__(
        self,
        simulation: Simulation,
        units: Sequence[Unit],
        *,
        phase: float,
        fps: float = FPS,
        lead_s: float = LEAD_S,
        until: float = math.inf,
    ) -> None:
        self.account = Account()
        self._lead_s = lead_s
        self._until = until
        self._simulation = simulation
        self._renderer = Renderer(units)
        self._lane = Lane(simulation)
        self._period = 1 / fps
        simulation.at(phase, self._ask)

    def _ask(self) -> None:
        now = self._simulation.now
        if now + self._period < self._until:
            self._simulation.at(now + self._period, self._ask)
        self.account.asked += 1
        due = now + self._lead_s
        try:
            expires = due + TOLERANCE_S
            future = self._lane.render(self._renderer, NO_REQUEST, due=due, expires=expires)
        except ResourceExhaustedError:
            self.account.refused += 1
            return
        future.add_done_callback(lambda done: self._note(done.result(), now, due))

    def _note(self, finished: Any, asked: float, due: float) -> None:
        account = self.account
        if finished is None:
            account.shed += 1
            return
        account.latencies.append(finished - asked)
        account.finished_at.append(finished)
        account.on_time += finished <= due
        account.late += finished > due


class Bulk:
    """A stream that always has ``window`` frames under way."""

    def __init__(
        self, simulation: Simulation, units: Sequence[Unit], *, window: int, start: float = 0.0
    ) -> None:
        self.account = Account()
        self.start = start
        self.lane = Lane(simulation)
        self._simulation = simulation
        self._renderer = Renderer(units)
        simulation.at(start, self._begin)
        self._window = window

    def _begin(self) -> None:
        for _ in range(self._window):
            self._ask()

    def _ask(self) -> None:
        now = self._simulation.now
        self.account.asked += 1
        future = self.lane.render(self._renderer, NO_REQUEST)
        future.add_done_callback(lambda done: self._note(done, now))

    def _note(self, done: asyncio.Future[Any], asked: float) -> None:
        if done.cancelled():
            return
        self.account.latencies.append(done.result() - asked)
        self.account.finished_at.append(done.result())
        self._ask()


def fill(units: Sequence[CostUnit]) -> float:
    """Return the mean number of frames of a run."""
    batches = [size for unit in units for size in unit.batches]
    return sum(batches) / len(batches)


def fairness(amounts: Sequence[float]) -> float:
    """Return Jain's index: 1 where all have the same, 1/n where one has everything."""
    square = sum(amounts) ** 2
    return square / (len(amounts) * sum(amount**2 for amount in amounts))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def longest_gap(times: Sequence[float], start: float, end: float) -> float:
    """Return the longest time in which nothing was finished."""
    marks = [start, *sorted(times), end]
    return max(after - before for before, after in itertools.pairwise(marks))
