"""Mouth shapes of the last seconds, and the part of them that has become final."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.phones import PhoneSegment, clipped
from kuchipaku_lipsync.rhubarb.finish import animate_pauses, insert_tweens, restrict_track
from kuchipaku_lipsync.rhubarb.rough import animate_rough
from kuchipaku_lipsync.rhubarb.rules import restrict_rules, shape_rules
from kuchipaku_lipsync.rhubarb.shapes import (
    EVERY_MASK,
    SHAPE_NAMES,
    X,
    mask_of,
    nearest_allowed,
)
from kuchipaku_lipsync.rhubarb.timing import optimise_timing

# A shape that has begun is held for so long, though it be doubted by then: eyes take less as
# flicker.
MIN_RUN_CS: Final = 3
_SHAPES: Final = tuple(MouthShape(name) for name in SHAPE_NAMES)


@dataclass(frozen=True, slots=True)
class ShapeRun:
    """One shape over ``start_cs`` <= t < ``end_cs``; ``open_ended`` where it may go on."""

    start_cs: int
    end_cs: int
    shape: MouthShape
    open_ended: bool


def animate_window(
    phones: Sequence[PhoneSegment], start_cs: int, end_cs: int, allowed: int
) -> list[int]:
    """The shape of each centisecond, as a number, by Rhubarb's rules.

    Without the search that breaks up static stretches: it looks back and forth over seconds.
    """
    inside = [phone.shifted(-start_cs) for phone in phones]
    duration = end_cs - start_cs
    if duration <= 0:
        return []
    rules = shape_rules(clipped(inside, 0, duration), duration)
    if allowed != EVERY_MASK:
        rules = restrict_rules(rules, allowed | 1 << X)
    track = insert_tweens(animate_pauses(optimise_timing(animate_rough(rules))))
    if allowed != EVERY_MASK:
        track = restrict_track(track, allowed)
    result: list[int] = []
    for run in track.runs():
        result += [run.shape] * (run.end - run.start)
    return result


class Committer:
    """Takes the newest view of the shapes again and again, and gives each frame out once."""

    def __init__(self, shapes: frozenset[MouthShape]) -> None:
        """Use only ``shapes``."""
        self.allowed = mask_of("".join(shapes))
        self.until_cs = 0
        self._shape = nearest_allowed(X, self.allowed)
        self._run_cs = MIN_RUN_CS

    def commit(self, view: Sequence[int], origin_cs: int, until_cs: int) -> list[ShapeRun]:
        """The runs up to ``until_cs``; ``view`` holds the shape of each frame from ``origin_cs``.

        They continue where those before ended.
        """
        fresh = []
        for shape in view[self.until_cs - origin_cs : max(until_cs - origin_cs, 0)]:
            if shape != self._shape and self._run_cs >= MIN_RUN_CS:
                self._shape, self._run_cs = shape, 0
            self._run_cs += 1
            fresh.append(self._shape)
        runs = list(_runs(fresh, self.until_cs))
        self.until_cs = max(self.until_cs, until_cs)
        return runs

    def guess(self, view: Sequence[int], origin_cs: int) -> list[ShapeRun]:
        """What follows the committed frames in ``view``."""
        return list(_runs(view[self.until_cs - origin_cs :], self.until_cs))


def _runs(shapes: Sequence[int], start_cs: int) -> Iterator[ShapeRun]:
    position = start_cs
    end_cs = start_cs + len(shapes)
    for shape, group in groupby(shapes):
        after = position + sum(1 for _ in group)
        yield ShapeRun(position, after, _SHAPES[shape], open_ended=after == end_cs)
        position = after
