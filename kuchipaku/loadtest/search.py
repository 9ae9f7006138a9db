"""Finds the largest number of sessions that keeps the SLO."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .run import Result

VERIFICATIONS = 3

Measure = Callable[[int], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search."""

    sessions: int
    """The largest number that kept the SLO every time it was verified; 0: none did."""
    runs: tuple[Result, ...]
    """All runs in order, the verifications last."""
    verified: int
    """How often the number was verified."""


async def search(
    measure: Measure, *, first: int = 1, most: int = 256, verifications: int = VERIFICATIONS
) -> Found:
    """Double until the SLO breaks, halve the gap, verify what is left.

    A number that fails a verification is given up for the next smaller one.
    """
    runs: list[Result] = []

    async def keeps(sessions: int) -> bool:
        result = await measure(sessions)
        runs.append(result)
        # Whoever was refused is not served, however well the others are.
        return result.figures.slo_kept and not result.figures.refused

    good, bad = 0, most + 1
    step = first
    while good < most:
        step = min(step, most)
        if not await keeps(step):
            bad = step
            break
        good, step = step, step * 2
    while bad - good > 1:
        middle = (good + bad) // 2
        if await keeps(middle):
            good = middle
        else:
            bad = middle
    while good:
        passed = 0
        while passed < verifications and await keeps(good):
            passed += 1
        if passed == verifications:
            return Found(good, tuple(runs), passed)
        good -= 1
    return Found(0, tuple(runs), 0)
