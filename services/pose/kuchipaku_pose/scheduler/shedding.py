"""Which jobs are given up before they begin, because they would not be finished in time.

A job that would be finished after it expires, by what half of those that began with the same step
have taken of late, is not begun. Of a queue in which that happens all jobs would be late; so while
there is such a queue, what has waited longer than a job takes expires when it is due, by what
nearly all have taken, and what is served is in time.

A job for which a worker was free when it came has waited for nobody. It is begun however little
time is left to it, unless even the fastest of late would have been too late: nothing else is kept
waiting, and estimates are too high for a while after the machine stood still. Nor is it a sign of a
queue if such a one is given up; and where a worker has had nothing to do for as long as a job
takes, what was shed might have been done, and the queue is over. Otherwise such a moment could cost
a stream its frames for good: where none is asked for early enough to be made before it is due, each
would be shed for that, and count as the queue that the next one is shed for.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from kuchipaku_pose.scheduler.job import Job
from kuchipaku_pose.work import Unit

_OVERLOAD_S = 1.0
"""How long after a job has been shed others are held to their due time, unless a worker is free."""
_STALE_S = 1.0
"""Age at which what jobs took is not believed any more: or nothing might ever begin again."""
_REMEMBERED = 24
"""How many jobs tell what jobs take."""
_ACCIDENTS = 2
"""How many of these are not counted: those that two workers had when the machine stood still."""
_FEW = 4
"""Fewer jobs than this tell nothing about the fastest: the first ones of all are slow."""


@dataclass(eq=False)
class _Pace:
    """What the last jobs have taken, from their beginning to their end."""

    usual: float = 0.0
    """Seconds that nearly all of them kept within."""
    median: float = 0.0
    """Seconds that half of them kept within."""
    fastest: float = 0.0
    """Seconds that each of them took at least."""
    _taken: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """When they began, and how long they took."""
    _learnt: float = -math.inf

    def learn(self, begun: float, now: float) -> None:
        """Count a job that is finished."""
        if self.is_stale(now):
            self._taken.clear()
        if self._taken and self._taken[-1][0] == begun:
            # Those of a batch are slow together, and count as one.
            self._taken.pop()
        self._taken.append((begun, now - begun))
        self._learnt = now
        taken = sorted(seconds for _, seconds in self._taken)
        self.usual = taken[-1 - _ACCIDENTS] if len(taken) > _ACCIDENTS else taken[0]
        self.median = taken[(len(taken) - 1) // 2]
        self.fastest = taken[0] if len(taken) >= _FEW else 0.0

    def is_stale(self, now: float) -> bool:
        """Whether nothing has been learnt for too long."""
        return self._learnt < now - _STALE_S


@dataclass(frozen=True, slots=True)
class _Shed:
    """That a job was given up after it had waited for others."""

    at: float
    takes: float
    """Seconds that it would probably have taken."""


_UNKNOWN = _Pace()


@dataclass(eq=False)
class Shedding:
    """Knows what jobs take, and whether there are too many."""

    _paces: dict[Unit, _Pace] = field(default_factory=dict)
    """Of the jobs that begin with a unit."""
    _shed: dict[bool, _Shed] = field(default_factory=dict)
    """The last one before a unit of the device (True), and before another one."""
    _free_at: float = 0.0
    """Since when the worker that asks has had nothing to do."""

    def learn(self, job: Job, now: float) -> None:
        """Learn from a job that has gone through all its steps."""
        # Bulk frames give way to those that expire, and take longer for it.
        if job.first is not None and job.expires is not None:
            self._paces.setdefault(job.first, _Pace()).learn(job.begun, now)

    def ask(self, now: float, idle_s: float, *, device: bool, host: bool) -> None:
        """Note that a worker asks what to do, as in `Dispatcher.take`."""
        self._free_at = now - idle_s
        for on_device, shed in list(self._shed.items()):
            if (device if on_device else host) and idle_s > shed.takes:
                del self._shed[on_device]

    def is_lost(self, job: Job, unit: Unit, now: float) -> bool:
        """Return whether a job that waits for ``unit`` is not worth going on with."""
        if job.expires is None:
            return False
        if job.first is not None:
            return now > job.expires
        pace = self._paces.get(unit, _UNKNOWN)
        pace = _UNKNOWN if pace.is_stale(now) else pace
        if job.arrived > self._free_at:
            return now + pace.fastest > job.expires
        shed = self._shed.get(unit.on_device)
        overloaded = shed is not None and now < shed.at + _OVERLOAD_S
        lost = now + pace.median > job.expires or (overloaded and _is_late(job, pace, now))
        if lost:
            self._shed[unit.on_device] = _Shed(now, pace.median)
        return lost


def _is_late(job: Job, pace: _Pace, now: float) -> bool:
    """Whether the queue has made a job late, if it is begun only now."""
    # What came when it was due already, or just before, is late through no fault of the queue.
    waited = now - job.arrived > pace.usual
    return waited and job.arrived < job.due < now + pace.usual
