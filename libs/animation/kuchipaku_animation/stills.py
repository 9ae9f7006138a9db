"""Faces that stand still: an expression, a mouth shape, and eyes as far closed as a blink has them.

They are what a track reaches where one cue lasts and nothing else moves, and what sprite sheets are
made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kuchipaku_animation.cues import MouthShape
from kuchipaku_animation.expressions import blend_corners, close_eyes, expression_pose
from kuchipaku_animation.idle import BLINK_CLOSING_S, BLINK_OPENING_S, BLINK_SHUT_S
from kuchipaku_animation.mouthmap import (
    ONE_OPENING_MOUTH_MAP,
    SHAPE_INDEX,
    THA_MOUTH_MAP,
    MouthMap,
)
from kuchipaku_animation.poses import (
    PARAMETER_NAMES,
    VOWEL_SLICE,
    PoseArray,
    pose_maximum,
    pose_minimum,
)


@dataclass(frozen=True, slots=True)
class Still:
    """One face."""

    expression: str = "neutral"
    """A name of ``EXPRESSIONS``."""
    strength: float = 1.0
    """Of the expression, 0..1."""
    shape: MouthShape = MouthShape.X
    eyes_closed: float = 0.0
    """0..1, beyond what the expression closes."""


@dataclass(frozen=True, slots=True)
class BlinkStep:
    """One drawing of a blink."""

    eyes_closed: float
    duration_s: float


#: A blink in three drawings, each as far closed as the animated blink is while it is shown.
BLINK_STEPS: Final = (
    BlinkStep(0.6, BLINK_CLOSING_S - 0.02),
    BlinkStep(1.0, BLINK_SHUT_S + 0.045),
    BlinkStep(0.4, BLINK_OPENING_S - 0.025),
)


def still_poses(stills: Sequence[Still], mouth_map: MouthMap = THA_MOUTH_MAP) -> PoseArray:
    """Poses of faces, float32 (n, 45) in the order of ``PARAMETER_NAMES``, within the ranges.

    Raises:
        KeyError: there is no such expression.
    """
    if not stills:
        return np.zeros((0, len(PARAMETER_NAMES)), np.float32)
    faces = np.stack([expression_pose(still.expression, still.strength) for still in stills])
    rows = [SHAPE_INDEX[still.shape] for still in stills]
    vowels = mouth_map.arrays().targets[rows]
    faces[:, VOWEL_SLICE] = vowels
    blend_corners(faces, vowels.sum(axis=1))
    close_eyes(faces, np.array([still.eyes_closed for still in stills]))
    return np.clip(faces, pose_minimum(), pose_maximum()).astype(np.float32)


def least_pictures(stills: Sequence[Still], mouth_map: MouthMap = THA_MOUTH_MAP) -> int:
    """How many different pictures faces make at least, whichever kind of model draws them.

    Faces may share a pose, as those that a blink cannot close further, or mouth shapes that a
    model with a single opening does not tell apart.
    """
    maps = (mouth_map, ONE_OPENING_MOUTH_MAP)
    return min(len(np.unique(still_poses(stills, one), axis=0)) for one in maps)
