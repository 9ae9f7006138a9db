"""Last passes: what the mouth does in pauses, and in-betweens from shape to shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kuchipaku_lipsync.rhubarb.shapes import RELAXED, SHAPE_NAMES, X, nearest_allowed
from kuchipaku_lipsync.rhubarb.track import Run, ShapeTrack

HOLD_PAUSE_BELOW_CS = 12
RELAX_PAUSE_UP_TO_CS = 35
MIN_TWEEN_CS = 4
MAX_TWEEN_CS = 8

_EARLY, _CENTRED, _LATE = range(3)
# Mouths pop open but close slowly, so most in-betweens work in one direction only.
_TWEENS = {
    (SHAPE_NAMES.index(first), SHAPE_NAMES.index(second)): (SHAPE_NAMES.index(between), timing)
    for first, second, between, timing in (
        ("D", "A", "C", _EARLY),
        ("D", "B", "C", _CENTRED),
        ("D", "G", "C", _EARLY),
        ("D", "X", "C", _LATE),
        ("C", "F", "E", _CENTRED),
        ("F", "C", "E", _CENTRED),
        ("D", "F", "E", _CENTRED),
        ("H", "F", "E", _LATE),
        ("F", "H", "E", _EARLY),
    )
}


def _neighbours(runs: Sequence[Run], size: int) -> Iterator[Sequence[Run]]:
    """Groups of `size` neighbouring runs in the order in which Rhubarb visits them.

    Rhubarb's loop (tools/tools.h, for_each_adjacent) takes the last run of the first group
    twice and stops before the very last group. It shows at the ends of a clip, so it is kept.
    """
    if len(runs) < size:
        return
    visited = [*runs[:size], *runs[size - 1 : -1]]
    for first in range(len(visited) - size + 1):
        yield visited[first : first + size]


def _pause_shape(previous: int, following: int, duration: int) -> int:
    if duration < HOLD_PAUSE_BELOW_CS:
        return previous
    if duration <= RELAX_PAUSE_UP_TO_CS:
        shape = previous
        while True:
            relaxed = RELAXED[shape]
            if relaxed != following:
                return relaxed
            if relaxed == shape:
                break
            shape = relaxed
    return X


def animate_pauses(animation: ShapeTrack) -> ShapeTrack:
    """Short pauses between shapes hold or relax the mouth instead of resting it."""
    result = animation.copy()
    for before, pause, after in _neighbours(animation.runs(), 3):
        if pause.shape == X:
            shape = _pause_shape(before.shape, after.shape, pause.end - pause.start)
            result.set(pause.start, pause.end, shape)
    return result


def _tween(first: Run, second: Run) -> Run | None:
    found = _TWEENS.get((first.shape, second.shape))
    if found is None:
        return None
    shape, timing = found
    first_duration, second_duration = first.end - first.start, second.end - second.start
    if timing == _EARLY:
        duration = min(first_duration // 3, MAX_TWEEN_CS)
        start = first.end - duration
    elif timing == _CENTRED:
        duration = min(first_duration // 4, second_duration // 4, MAX_TWEEN_CS)
        start = first.end - duration // 2
    else:
        duration = min(second_duration // 3, MAX_TWEEN_CS)
        start = second.start
    return Run(start, start + duration, shape) if duration >= MIN_TWEEN_CS else None


def insert_tweens(animation: ShapeTrack) -> ShapeTrack:
    """The animation with in-betweens where two neighbours differ a lot."""
    result = animation.copy()
    for first, second in _neighbours(animation.runs(), 2):
        tween = _tween(first, second)
        if tween is not None:
            result.set(*tween)
    return result


def restrict_track(animation: ShapeTrack, allowed: int) -> ShapeTrack:
    """The animation with every shape replaced by its nearest one in the set `allowed`."""
    result = animation.copy()
    for run in animation.runs():
        result.set(run.start, run.end, nearest_allowed(run.shape, allowed))
    return result
