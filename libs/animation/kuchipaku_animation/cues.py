"""Mouth cues: which mouth shape the speech asks for, and when.

The shapes are those of Rhubarb Lip Sync (https://github.com/DanielSWolf/rhubarb-lip-sync):
six basic shapes A-F after Preston Blair, the extended shapes G and H, and the rest shape X.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

OVERLAP_TOLERANCE_S = 1e-6
"""Overlaps up to this length are rounding, not mistakes."""


class MouthShape(StrEnum):
    """A mouth shape in Rhubarb's alphabet."""

    A = "A"
    """Closed lips: m, b, p."""
    B = "B"
    """Clenched teeth: most consonants, ee."""
    C = "C"
    """Open: eh, ae."""
    D = "D"
    """Wide open: aa."""
    E = "E"
    """Slightly rounded: ao, er."""
    F = "F"
    """Puckered: uw, ow, w."""
    G = "G"
    """Upper teeth on the lower lip: f, v."""
    H = "H"
    """Tongue raised behind the teeth: a long l."""
    X = "X"
    """Rest: a pause."""


@dataclass(frozen=True, slots=True)
class MouthCue:
    """One mouth shape held from ``start`` until ``end`` (seconds from the utterance's start)."""

    start: float
    end: float
    shape: MouthShape
    loudness: float = 1.0
    """0..1, relative to the speech level of the utterance."""


def validate_cues(
    cues: Sequence[MouthCue], *, field: str = "cues", not_before: float = 0.0, first: int = 0
) -> None:
    """Check that cues are finite, sorted, free of overlaps and within the limits.

    Gaps are allowed: they count as rest. ``not_before`` is the earliest start that the first
    cue may have, in seconds (the end of what an earlier call delivered); ``first`` is its number
    in errors, where more went before.

    Raises:
        InvalidArgumentError: the error's field names the offending cue, e.g. ``cues[3].end``.
    """
    if len(cues) > LIMITS.max_cues:
        raise InvalidArgumentError(
            f"{len(cues)} cues; at most {LIMITS.max_cues} are accepted",
            reason="TOO_MANY_CUES",
            field=field,
        )
    previous_end = not_before
    for index, cue in enumerate(cues, first):
        _validate_cue(cue, f"{field}[{index}]")
        if cue.start < previous_end - OVERLAP_TOLERANCE_S:
            raise InvalidArgumentError(
                f"cue starts at {cue.start:g} s, before {previous_end:g} s where the one "
                "before it ends; cues must be sorted and must not overlap",
                reason="CUES_OVERLAP",
                field=f"{field}[{index}].start",
            )
        previous_end = cue.end


def _validate_cue(cue: MouthCue, field: str) -> None:
    if not (math.isfinite(cue.start) and cue.start >= 0.0):
        raise InvalidArgumentError(
            f"cue start must be a finite time >= 0, got {cue.start}",
            reason="CUE_TIME_INVALID",
            field=f"{field}.start",
        )
    if not (math.isfinite(cue.end) and cue.end > cue.start):
        raise InvalidArgumentError(
            f"cue end must be finite and after its start {cue.start:g} s, got {cue.end}",
            reason="CUE_TIME_INVALID",
            field=f"{field}.end",
        )
    if cue.end > LIMITS.max_audio_duration_s:
        raise InvalidArgumentError(
            f"cue ends at {cue.end:g} s; at most {LIMITS.max_audio_duration_s:g} s are accepted",
            reason="CUE_TIME_INVALID",
            field=f"{field}.end",
        )
    if not 0.0 <= cue.loudness <= 1.0:
        raise InvalidArgumentError(
            f"cue loudness must lie in 0..1, got {cue.loudness}",
            reason="CUE_LOUDNESS_INVALID",
            field=f"{field}.loudness",
        )
