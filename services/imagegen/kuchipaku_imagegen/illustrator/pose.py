"""A read-only view of one pose of the 45 parameters of THA3 and THA4."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kuchipaku_animation.poses import PARAMETER_NAMES, pose_minimum

_LOWEST = pose_minimum().astype(np.float64)


class Pose:
    """One pose, read by parameter name; values are clipped to their ranges (0..1 or -1..1)."""

    def __init__(self, values: ArrayLike | None = None) -> None:
        """`values`: 45 numbers in the order of PARAMETER_NAMES, or None for the neutral pose.

        Raises ValueError if the shape is not (45,) or a value is not finite.
        """
        count = len(PARAMETER_NAMES)
        vector = np.zeros(count) if values is None else np.asarray(values, np.float64)
        if vector.shape != (count,):
            raise ValueError(f"a pose has shape ({count},), not {vector.shape}")
        if not np.isfinite(vector).all():
            raise ValueError("a pose holds finite numbers only")
        self._values: dict[str, float] = dict(
            zip(PARAMETER_NAMES, np.clip(vector, _LOWEST, 1.0).tolist(), strict=True)
        )

    def __getitem__(self, name: str) -> float:
        return self._values[name]
