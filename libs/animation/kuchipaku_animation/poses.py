"""The pose vector: 45 parameters of Talking Head Anime 3 and 4, in their order.

Source: pkhungurn/talking-head-anime-3-demo, tha3/poser/modes/pose_parameters.py. Left and right
are the character's own. Neutral is zero everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
PoseArray = npt.NDArray[np.float32]

_PAIRED_BROW_AND_EYE = (
    "eyebrow_troubled",
    "eyebrow_angry",
    "eyebrow_lowered",
    "eyebrow_raised",
    "eyebrow_happy",
    "eyebrow_serious",
    "eye_wink",
    "eye_happy_wink",
    "eye_surprised",
    "eye_relaxed",
    "eye_unimpressed",
    "eye_raised_lower_eyelid",
    "iris_small",
)

VOWEL_NAMES: Final = (
    "mouth_aaa",
    "mouth_iii",
    "mouth_uuu",
    "mouth_eee",
    "mouth_ooo",
    "mouth_delta",
)
"""The parameters that open the mouth. Speech owns them; their sum is the mouth opening."""

PARAMETER_NAMES: Final[tuple[str, ...]] = (
    *(f"{group}_{side}" for group in _PAIRED_BROW_AND_EYE for side in ("left", "right")),
    *VOWEL_NAMES,
    "mouth_lowered_corner_left",
    "mouth_lowered_corner_right",
    "mouth_raised_corner_left",
    "mouth_raised_corner_right",
    "mouth_smirk",
    "iris_rotation_x",
    "iris_rotation_y",
    "head_x",
    "head_y",
    "neck_z",
    "body_y",
    "body_z",
    "breathing",
)
"""Names of the pose parameters, index = position in the pose vector."""

POSE_SIZE: Final = len(PARAMETER_NAMES)

_SIGNED = frozenset(
    {"iris_rotation_x", "iris_rotation_y", "head_x", "head_y", "neck_z", "body_y", "body_z"}
)

PARAMETER_INDEX: Final[Mapping[str, int]] = MappingProxyType(
    {name: index for index, name in enumerate(PARAMETER_NAMES)}
)
"""Position of each parameter in the pose vector."""

PARAMETER_RANGES: Final[tuple[tuple[float, float], ...]] = tuple(
    (-1.0 if name in _SIGNED else 0.0, 1.0) for name in PARAMETER_NAMES
)
"""Lowest and highest value of each parameter, in vector order."""

EYEBROW_SLICE: Final = slice(0, 12)
"""What the eyebrow network reads."""
FACE_SLICE: Final = slice(12, 39)
"""What the face network reads: eyes, mouth, irises."""
ROTATION_SLICE: Final = slice(39, 45)
"""What the rotation networks read: head, neck, body, breathing."""
VOWEL_SLICE: Final = slice(26, 32)
"""The mouth-opening parameters, ``VOWEL_NAMES``."""


@cache
def pose_minimum() -> PoseArray:
    """Lowest value of each parameter, shape (45,); read-only."""
    return _read_only([low for low, _ in PARAMETER_RANGES])


@cache
def pose_maximum() -> PoseArray:
    """Highest value of each parameter, shape (45,); read-only."""
    return _read_only([high for _, high in PARAMETER_RANGES])


def neutral_pose() -> PoseArray:
    """The neutral pose, shape (45,): all zeros, mouth closed, eyes open."""
    return np.zeros(POSE_SIZE, dtype=np.float32)


def pose_from(values: Mapping[str, float]) -> PoseArray:
    """The neutral pose with the named parameters set, shape (45,).

    A name without ``_left`` or ``_right`` sets both sides.

    Raises:
        KeyError: a name is not a pose parameter.
    """
    pose = neutral_pose()
    for name, value in values.items():
        if name in PARAMETER_INDEX:
            pose[PARAMETER_INDEX[name]] = value
        else:
            pose[PARAMETER_INDEX[f"{name}_left"]] = value
            pose[PARAMETER_INDEX[f"{name}_right"]] = value
    return pose


def _read_only(values: Sequence[float]) -> PoseArray:
    array = np.array(values, dtype=np.float32)
    array.flags.writeable = False
    return array


def mouth_opening(poses: PoseArray) -> PoseArray:
    """Sum of the vowel weights of poses (..., 45): 0 is shut, 1 is wide open."""
    opening: PoseArray = poses[..., VOWEL_SLICE].sum(axis=-1)
    return opening
