"""The largest batch that memory allows, found by trying."""

from __future__ import annotations

from collections.abc import Callable

from kuchipaku_pose.providers.devicememory import DeviceMemory

HEADROOM = 0.8
"""Share of the free memory that a larger batch may be expected to take."""


def largest_batch(
    run: Callable[[int], object], wanted: int, memory: DeviceMemory | None, *, side_by_side: int = 1
) -> int:
    """Return the most rows, at most ``wanted``, that ``run`` can do and memory has room for.

    Sizes double. What a row takes is measured between two sizes, and a size that would not fit by
    that is not tried; one that fails all the same ends the search as well.

    Args:
        run: runs the stage with a number of rows; raises if it cannot.
        wanted: the most that is asked for.
        memory: what the runs take; None if nobody can tell, then failure alone decides.
        side_by_side: runs that may be at work at the same time.

    Raises:
        Exception: what ``run`` raises for a single row.
    """
    run(1)
    reached = 1
    per_row = 0.0
    while reached < wanted:
        size = min(2 * reached, wanted)
        before = memory.used_bytes() if memory else 0
        if memory and per_row * size * side_by_side > memory.free_bytes() * HEADROOM:
            return reached
        try:
            run(size)
        except Exception:  # a provider's exceptions share no base class
            return reached
        if memory:
            # What the runtime keeps for the next run is never less than what this one took more.
            per_row = max(per_row, (memory.used_bytes() - before) / (size - reached))
        reached = size
    return reached
