"""Work that goes through several steps, so that steps of many streams can run together.

A `Work` (a frame on its way) names the `Unit` that it needs next; a unit (a stage of a model, or
the making of a picture) does its step for several works at once. Who brings the two together is
either `drive`, at once on the calling thread, or the scheduler, which mixes the works of all
streams.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

Outcome: TypeAlias = "Future[Any] | BaseException | None"
"""What a unit did for a work: None, the step is done; a future, the value is under way elsewhere
and `Work.resume` must be called with it once it is done; an exception, the work has failed."""


class Unit(Protocol):
    """One kind of step. Hashable by identity; several threads may run it at once."""

    @property
    def name(self) -> str:
        """The name under which runs are counted."""

    @property
    def max_batch(self) -> int:
        """Most works in one run."""

    @property
    def on_device(self) -> bool:
        """Whether the step belongs on the device's own threads."""

    def run(self, works: Sequence[Any]) -> Sequence[Outcome]:
        """Do the step for each of ``works``; blocks. Returns their outcomes in order."""


class QuickUnit:
    """Base of units whose step takes so little that it needs no turn in the queue.

    A work whose first unit is one may be finished (`drive`) where its result is used.
    """


class Work(Protocol):
    """Something that needs steps of units, one after the other. Used by one thread at a time."""

    def next_unit(self) -> Unit | None:
        """Return the unit that is needed next; None when the work is finished. Never blocks."""

    def resume(self, value: Future[Any]) -> None:
        """Take a value that was under way elsewhere, or note that its maker gave it up."""

    def result(self) -> Any:
        """Return what a finished work has made."""

    def abandon(self, error: BaseException) -> None:
        """Give the work up, because of ``error``; others that wait for its values go on."""


def drive(works: Sequence[Work]) -> list[Any]:
    """Bring ``works`` to their end on this thread, batched by unit; return their results.

    Raises:
        BaseException: whatever failed first; the other works are given up then.
    """
    waiting: deque[tuple[Work, Future[Any]]] = deque()
    try:
        ready = list(works)
        while ready or waiting:
            # Whoever waits holds no claim: what others wait for is always among the ready ones.
            ready = _step(ready, waiting) if ready else [_awaited(waiting)]
    except BaseException as error:
        for work in works:
            work.abandon(error)
        raise
    return [work.result() for work in works]


def _step(ready: Iterable[Work], waiting: deque[tuple[Work, Future[Any]]]) -> list[Work]:
    groups: dict[Unit, list[Work]] = {}
    for work in ready:
        unit = work.next_unit()
        if unit is not None:
            groups.setdefault(unit, []).append(work)
    going_on: list[Work] = []
    for unit, members in groups.items():
        for start in range(0, len(members), unit.max_batch):
            batch = members[start : start + unit.max_batch]
            for work, outcome in zip(batch, unit.run(batch), strict=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                if outcome is None:
                    going_on.append(work)
                else:
                    waiting.append((work, outcome))
    return going_on


def _awaited(waiting: deque[tuple[Work, Future[Any]]]) -> Work:
    work, value = waiting.popleft()
    value.exception()
    work.resume(value)
    return work
