"""The whole animation stage: phones in, mouth shapes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.phones import PhoneSegment, clipped
from kuchipaku_lipsync.rhubarb.finish import animate_pauses, insert_tweens, restrict_track
from kuchipaku_lipsync.rhubarb.rough import animate_rough
from kuchipaku_lipsync.rhubarb.rules import ShapeRule, restrict_rules, shape_rules
from kuchipaku_lipsync.rhubarb.shapes import SHAPE_NAMES, X, mask_of
from kuchipaku_lipsync.rhubarb.static import avoid_static_segments
from kuchipaku_lipsync.rhubarb.timing import optimise_timing
from kuchipaku_lipsync.rhubarb.track import ShapeTrack

ALL_SHAPES: Final = frozenset(MouthShape)
BASIC_SHAPES: Final = frozenset(shape for shape in MouthShape if shape.value in "ABCDEF")

_SHAPE_BY_INDEX: Final = tuple(MouthShape(name) for name in SHAPE_NAMES)


class ShapeCue(NamedTuple):
    """A mouth shape over `start_cs` <= t < `end_cs`."""

    start_cs: int
    end_cs: int
    shape: MouthShape


def animate_phones(
    phones: Iterable[PhoneSegment],
    duration_cs: int,
    shapes: frozenset[MouthShape] = ALL_SHAPES,
) -> list[ShapeCue]:
    """Mouth shapes for a clip of `duration_cs` centiseconds.

    The cues are contiguous over 0..`duration_cs` and neighbours differ; no phones at all give
    one rest cue, a clip of no length none. `shapes` are the shapes that may occur: the basic six
    A to F always, and any of G, H, X (for those left out the nearest basic shape is shown).

    Raises ValueError when `shapes` lacks a basic shape.
    """
    if not shapes >= BASIC_SHAPES:
        raise ValueError("the mouth shapes A to F cannot be left out")
    if duration_cs <= 0:
        return []
    allowed = mask_of("".join(shapes))
    rules = shape_rules(clipped(phones, 0, duration_cs), duration_cs)

    def animate(part: Sequence[ShapeRule]) -> ShapeTrack:
        track = optimise_timing(animate_rough(part))
        return restrict_track(insert_tweens(animate_pauses(track)), allowed)

    # Pauses are found by X, also when the character has no such shape.
    track = avoid_static_segments(restrict_rules(rules, allowed | 1 << X), animate)
    return [ShapeCue(run.start, run.end, _SHAPE_BY_INDEX[run.shape]) for run in track.runs()]
