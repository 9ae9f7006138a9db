"""Works and units for tests of whatever runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from kuchipaku_pose.engine import FrameRequest
from kuchipaku_pose.work import Outcome, Unit


class Steps:
    """A work that needs given units, one after the other."""

    def __init__(self, units: Sequence[Unit], request: Any = None) -> None:
        self.units = list(units)
        self.request = request
        self.made: Any = None
        self.abandoned: BaseException | None = None

    def next_unit(self) -> Unit | None:
        return self.units[0] if self.units else None

    def done(self) -> None:
        self.units.pop(0)

    def resume(self, value: Future[Any]) -> None:
        self.done()

    def result(self) -> Any:
        return self.made

    def abandon(self, error: BaseException) -> None:
        self.abandoned = error


class FunctionUnit:
    """A unit that makes results of requests with a function, all in one go."""

    name = "function"
    on_device = False

    def __init__(
        self, function: Callable[[Sequence[Any]], Sequence[Any]], max_batch: int = 1
    ) -> None:
        self.function = function
        self.max_batch = max_batch

    def run(self, works: Sequence[Steps]) -> Sequence[Outcome]:
        for work, made in zip(works, self.function([w.request for w in works]), strict=True):
            work.made = made
            work.done()
        return [None] * len(works)


class FunctionRenderer:
    """A renderer whose frames are made by a function in one step."""

    def __init__(
        self, function: Callable[[Sequence[Any]], Sequence[Any]], max_batch: int = 1
    ) -> None:
        self.unit = FunctionUnit(function, max_batch)

    def work(self, request: FrameRequest) -> Steps:
        return Steps([self.unit], request)
