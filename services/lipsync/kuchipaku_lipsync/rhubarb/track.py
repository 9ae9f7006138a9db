"""A timeline of shapes, one per centisecond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Run(NamedTuple):
    """One shape held over `start` <= t < `end` (centiseconds)."""

    start: int
    end: int
    shape: int


class ShapeTrack:
    """Shapes over `start` <= t < `end`; writing outside is cut off.

    Neighbours with the same shape are one run.
    """

    def __init__(self, start: int, end: int, fill: int) -> None:
        self.start = start
        self.end = end
        self._shapes = bytearray([fill]) * (end - start)

    @classmethod
    def of_runs(cls, start: int, end: int, fill: int, runs: Iterable[Run]) -> ShapeTrack:
        """A track with the runs written in their order."""
        track = cls(start, end, fill)
        for run in runs:
            track.set(run.start, run.end, run.shape)
        return track

    def copy(self) -> ShapeTrack:
        duplicate = ShapeTrack(self.start, self.start, 0)
        duplicate.end = self.end
        duplicate._shapes = bytearray(self._shapes)
        return duplicate

    def set(self, start: int, end: int, shape: int) -> None:
        first = max(start, self.start) - self.start
        last = min(end, self.end) - self.start
        if first < last:
            self._shapes[first:last] = bytes([shape]) * (last - first)

    def runs(self) -> list[Run]:
        """All runs from left to right."""
        return list(_runs(self._shapes, self.start))

    def runs_within(self, start: int, end: int) -> list[Run]:
        """The runs of a part of the track, cut to it."""
        first, last = max(start, self.start), min(end, self.end)
        if first >= last:
            return []
        return list(_runs(self._shapes[first - self.start : last - self.start], first))


def _runs(shapes: bytearray, start: int) -> Iterator[Run]:
    first, count = 0, len(shapes)
    while first < count:
        shape = shapes[first]
        # Stripping finds the end of a run without a step for each of its frames.
        end = count - len(shapes[first:].lstrip(shapes[first : first + 1]))
        yield Run(start + first, start + end, shape)
        first = end
