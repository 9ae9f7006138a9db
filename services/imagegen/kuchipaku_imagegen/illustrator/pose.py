"""The 45 pose parameters of THA3/THA4 and a read-only view of one pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _pairs(group: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{group}_{name}_{side}" for name in names for side in ("left", "right"))


#: Names in the order of `tha3/poser/modes/pose_parameters.py`. "left" is the character's own left,
#: which is the right-hand side of the picture.
POSE_PARAMETERS: tuple[str, ...] = (
    *_pairs("eyebrow", ("troubled", "angry", "lowered", "raised", "happy", "serious")),
    *_pairs(
        "eye",
        ("wink", "happy_wink", "surprised", "relaxed", "unimpressed", "raised_lower_eyelid"),
    ),
    "iris_small_left",
    "iris_small_right",
    *(f"mouth_{name}" for name in ("aaa", "iii", "uuu", "eee", "ooo", "delta")),
    *_pairs("mouth", ("lowered_corner", "raised_corner")),
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

#: Index of each parameter in the pose vector.
POSE_INDEX: dict[str, int] = {name: index for index, name in enumerate(POSE_PARAMETERS)}

_SIGNED = ("iris_rotation_x", "iris_rotation_y", "head_x", "head_y", "neck_z", "body_y", "body_z")
_LOWEST = np.array([-1.0 if name in _SIGNED else 0.0 for name in POSE_PARAMETERS])


def pose_from(values: dict[str, float]) -> NDArray[np.float32]:
    """Build a pose vector from named values; a name without `_left`/`_right` sets both sides.

    Returns: float32 (45,). Raises KeyError for a name that is not a parameter.
    """
    pose = np.zeros(len(POSE_PARAMETERS), np.float32)
    for name, value in values.items():
        if name in POSE_INDEX:
            pose[POSE_INDEX[name]] = value
        else:
            pose[POSE_INDEX[f"{name}_left"]] = value
            pose[POSE_INDEX[f"{name}_right"]] = value
    return pose


class Pose:
    """One pose, read by parameter name; values are clipped to their ranges (0..1 or -1..1)."""

    def __init__(self, values: ArrayLike | None = None) -> None:
        """`values`: 45 numbers in the order of POSE_PARAMETERS, or None for the neutral pose.

        Raises ValueError if the shape is not (45,) or a value is not finite.
        """
        count = len(POSE_PARAMETERS)
        vector = np.zeros(count) if values is None else np.asarray(values, np.float64)
        if vector.shape != (count,):
            raise ValueError(f"a pose has shape ({count},), not {vector.shape}")
        if not np.isfinite(vector).all():
            raise ValueError("a pose holds finite numbers only")
        self._values: dict[str, float] = dict(
            zip(POSE_PARAMETERS, np.clip(vector, _LOWEST, 1.0).tolist(), strict=True)
        )

    def __getitem__(self, name: str) -> float:
        return self._values[name]
