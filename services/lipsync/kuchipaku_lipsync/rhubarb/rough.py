"""First pass: one shape per rule, slurred forwards and anticipating vowels backwards."""

from __future__ import annotations

from collections.abc import Sequence

from kuchipaku_lipsync.rhubarb.rules import ShapeRule
from kuchipaku_lipsync.rhubarb.shapes import BASIC, RELAXED, X, closest_shape
from kuchipaku_lipsync.rhubarb.track import Run, ShapeTrack

MAX_ANTICIPATION_CS = 20


def _anticipate(
    rules: Sequence[ShapeRule], shapes: list[int], vowel: int, last_anticipated_start: int
) -> None:
    """Spreads the shape of the vowel at index `vowel` to the rules before it."""
    target = shapes[vowel]
    reference = target
    for index in range(vowel - 1, -1, -1):
        start = rules[index].start
        if start == last_anticipated_start:
            break
        if rules[vowel].start - start > MAX_ANTICIPATION_CS:
            break
        reference = shapes[index] = closest_shape(reference, rules[index].shapes)
        if BASIC[reference] != BASIC[target]:
            break


def animate_rough(rules: Sequence[ShapeRule]) -> ShapeTrack:
    """The rough animation over the (non-empty, contiguous) range of the rules."""
    shapes: list[int] = []
    reference = X
    last_anticipated_start = -1
    for index, rule in enumerate(rules):
        shape = closest_shape(reference, rule.shapes)
        shapes.append(shape)
        if rule.single_vowel:
            _anticipate(rules, shapes, index, last_anticipated_start)
            last_anticipated_start = rule.start
            reference = shape
        else:
            reference = RELAXED[shape]
    runs = (Run(rule.start, rule.end, shape) for rule, shape in zip(rules, shapes, strict=True))
    return ShapeTrack.of_runs(rules[0].start, rules[-1].end, X, runs)
