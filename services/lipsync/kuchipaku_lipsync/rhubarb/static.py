"""Long stretches of speech in which the mouth would not move are broken up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from kuchipaku_lipsync.phones import VOWELS
from kuchipaku_lipsync.rhubarb.rules import ShapeRule
from kuchipaku_lipsync.rhubarb.shapes import B, C
from kuchipaku_lipsync.rhubarb.track import Run, ShapeTrack

MIN_STATIC_CS = 75
MIN_SYLLABLES = 3
MAX_REPLACEMENTS = 3
# Rhubarb tries all combinations, whatever the time. An endless hum would take minutes, so here
# the work for one clip ends after about a second; speech needs a hundredth of that.
MAX_RULE_VISITS = 100_000

AnimateRules = Callable[[Sequence[ShapeRule]], ShapeTrack]


def _syllables(rules: Sequence[ShapeRule], starts: Sequence[int], run: Run) -> int:
    first = bisect_right(starts, run.start) - 1
    last = bisect_left(starts, run.end)
    count = 0
    for rule in rules[first:last]:
        middle = (rule.phone_start + rule.phone_end) // 2
        if rule.phone in VOWELS and run.start <= middle < run.end:
            count += 1
    return count


def _static_runs(rules: Sequence[ShapeRule], animation: ShapeTrack) -> list[Run]:
    long_runs = [run for run in animation.runs() if run.end - run.start >= MIN_STATIC_CS]
    if not long_runs:
        return []
    starts = [rule.start for rule in rules]
    return [run for run in long_runs if _syllables(rules, starts, run) >= MIN_SYLLABLES]


def _changed(rules: Sequence[ShapeRule], indices: Sequence[int]) -> list[ShapeRule]:
    """The rules with the vowels at `indices` shown slightly more open where they are B."""
    result = list(rules)
    for index in indices:
        if result[index].shapes == 1 << B:
            result[index] = replace(result[index], shapes=1 << C)
    return result


@dataclass(frozen=True, slots=True)
class _Scenario:
    rules: list[ShapeRule]
    is_static: bool
    duration_squares: float

    @classmethod
    def of(cls, rules: list[ShapeRule], animate: AnimateRules) -> _Scenario:
        animation = animate(rules)
        squares = 0.0
        # Summed in seconds, run by run, as Rhubarb does: equal scenarios must tie or break alike.
        for run in animation.runs():
            seconds = (run.end - run.start) / 100.0
            squares += seconds * seconds
        return cls(rules, bool(_static_runs(rules, animation)), squares)

    def is_better_than(self, other: _Scenario) -> bool:
        if not self.is_static and other.is_static:
            return True
        return self.duration_squares < other.duration_squares


def _fixed_rules(
    rules: list[ShapeRule], animate: AnimateRules, max_visits: int
) -> tuple[list[ShapeRule], int]:
    """The rules, changed where that breaks up static runs, and how many were visited."""
    candidates = [index for index, rule in enumerate(rules) if rule.single_vowel]
    best = _Scenario.of(rules, animate)
    visits = len(rules)
    for count in range(1, min(len(candidates), MAX_REPLACEMENTS) + 1):
        if not best.is_static:
            break
        for indices in combinations(candidates, count):
            if visits >= max_visits:
                return best.rules, visits
            visits += len(rules)
            scenario = _Scenario.of(_changed(rules, indices), animate)
            if scenario.is_better_than(best):
                best = scenario
    return best.rules, visits


def _fixed_span(rules: Sequence[ShapeRule], run: Run) -> tuple[int, int]:
    """Indices of the rules from the fixed one at or before the run to the one at or after it."""
    starts = [rule.start for rule in rules]
    first = bisect_right(starts, run.start) - 1
    while first > 0 and rules[first].flexible:
        first -= 1
    last = bisect_left(starts, run.end) - 1
    while last + 1 < len(rules) and rules[last].flexible:
        last += 1
    return first, last + 1


def avoid_static_segments(rules: Sequence[ShapeRule], animate: AnimateRules) -> ShapeTrack:
    """The animation of the rules, with static stretches broken up where that helps."""
    animation = animate(rules)
    static_runs = _static_runs(rules, animation)
    if not static_runs:
        return animation
    fixed = list(rules)
    visits_left = MAX_RULE_VISITS
    for run in static_runs:
        first, last = _fixed_span(fixed, run)
        fixed[first:last], visits = _fixed_rules(fixed[first:last], animate, visits_left)
        visits_left -= visits
    return animate(fixed)
