"""Second pass: no shape and no closure too short for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kuchipaku_lipsync.rhubarb.shapes import A, C, D, X
from kuchipaku_lipsync.rhubarb.track import Run, ShapeTrack

MIN_SHAPE_CS = 7
MIN_SEGMENT_CS = 8
MAX_EXTENSION_CS = 6

_IDLE, _CLOSED, _OPEN = range(3)


class _Range(NamedTuple):
    start: int
    end: int


def _mouth_state(shape: int) -> int:
    if shape == X:
        return _IDLE
    return _CLOSED if shape == A else _OPEN


def _segments(animation: ShapeTrack) -> list[Run]:
    """Runs of idle, closed and open mouth."""
    segments: list[Run] = []
    for run in animation.runs():
        state = _mouth_state(run.shape)
        if segments and segments[-1].shape == state:
            segments[-1] = Run(segments[-1].start, run.end, state)
        else:
            segments.append(Run(run.start, run.end, state))
    return segments


def _representative(runs: Sequence[Run]) -> int:
    """The shape that holds longest (first by name if equal); C gives way to any D."""
    weights = [0] * (X + 1)
    for run in runs:
        weights[run.shape] += run.end - run.start
    best = weights.index(max(weights))
    return D if best == C and weights[D] > 0 else best


def _candidate_range(source: Sequence[Run], target: _Range, write_position: int) -> _Range:
    """The stretch of the source that decides the next shape, written from right to left."""
    source_start, source_end = source[0].start, source[-1].end
    remaining = write_position - target.start
    split_evenly = MIN_SHAPE_CS < remaining < 2 * MIN_SHAPE_CS
    start = write_position - (remaining // 2 if split_evenly else MIN_SHAPE_CS)
    end = write_position
    if write_position == target.end:
        end = max(end, source_end)
    if start >= source_end:
        start = source[-1].start
    if end <= source_start:
        end = source[0].end
    return _Range(max(start, source_start), min(end, source_end))


def _retime(animation: ShapeTrack, source: _Range, target: _Range) -> list[Run]:
    """The shapes of `source` laid out over `target`, each at least `MIN_SHAPE_CS` long."""
    runs = animation.runs_within(*source)
    result: list[Run] = []
    write_position = target.end
    while runs and write_position > target.start:
        candidates = _candidate_range(runs, target, write_position)
        shape = _representative(animation.runs_within(*candidates))
        start = candidates.start
        if start <= source.start:
            start = min(start, target.start)
        result.append(Run(max(start, target.start), min(candidates.end, write_position), shape))
        write_position = start
    return result


def optimise_timing(animation: ShapeTrack) -> ShapeTrack:
    """The animation with short open and closed stretches extended to the left, without flicker."""
    segments = _segments(animation)
    result = ShapeTrack(animation.start, animation.end, X)

    def write(source: Run, target: _Range) -> None:
        for run in _retime(animation, _Range(source.start, source.end), target):
            result.set(run.start, run.end, run.shape)

    written_from = animation.end
    index = len(segments) - 1
    while index >= 0:
        segment = segments[index]
        if segment.shape == _IDLE:
            index -= 1
            continue
        written_from = min(segment.end, written_from)
        if written_from - segment.start >= MIN_SEGMENT_CS:
            write(segment, _Range(segment.start, written_from))
            written_from = segment.start
            index -= 1
            continue
        first = _first_short(segments, index)
        target_start = segments[first].start - _extension(segments, first, index)
        for position in range(index, first - 1, -1):
            share = int((written_from - target_start) / (position - first + 1))
            write(segments[position], _Range(written_from - share, written_from))
            written_from -= share
        index = first - 1
    return result


def _first_short(segments: Sequence[Run], last: int) -> int:
    """The leftmost of the unbroken chain of short segments that ends at `last`."""
    first = last
    while first > 0:
        before = segments[first - 1]
        if before.shape == _IDLE or before.end - before.start >= MIN_SEGMENT_CS:
            break
        first -= 1
    return first


def _extension(segments: Sequence[Run], first: int, last: int) -> int:
    """How far the short segments `first`..`last` may grow to the left."""
    desired = MIN_SEGMENT_CS * (last - first + 1) - (segments[last].end - segments[first].start)
    available = 0
    if first > 0:
        available = segments[first - 1].end - segments[first - 1].start - 1
    return min(desired, available, MAX_EXTENSION_CS)
