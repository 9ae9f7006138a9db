"""The pose vectors of one pack: their length, ranges and rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kuchipaku_animation.options import MAX_QUANTUM, MIN_QUANTUM, is_quantum
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.manifest import Parameter

Poses = NDArray[np.float32]


@dataclass(frozen=True)
class CheckedPoses:
    """Poses fit for the engine, and how many of their values had to be clamped."""

    poses: Poses
    """float32 (n, parameters)."""
    clamped_count: int


class PoseSpace:
    """Names, ranges and neutral values of a pack's parameters."""

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.names = tuple(parameter.name for parameter in parameters)
        self.minimum = np.array([p.minimum for p in parameters], np.float32)
        self.maximum = np.array([p.maximum for p in parameters], np.float32)
        self.neutral = np.array([p.neutral for p in parameters], np.float32)

    def __len__(self) -> int:
        return len(self.names)

    def check(self, poses: ArrayLike, *, field: str = "poses") -> CheckedPoses:
        """Return ``poses`` (n, parameters) as float32 within the ranges.

        Raises:
            InvalidArgumentError: POSE_WRONG_LENGTH or POSE_NOT_FINITE.
        """
        values = np.asarray(poses, np.float32)
        if values.ndim != 2 or values.shape[1] != len(self):
            raise InvalidArgumentError(
                f"A pose has {values.shape[-1] if values.ndim else 0} values; "
                f"this model takes {len(self)}.",
                reason="POSE_WRONG_LENGTH",
                field=field,
                expected=len(self),
            )
        if not np.isfinite(values).all():
            raise InvalidArgumentError(
                "A pose holds NaN or infinity.", reason="POSE_NOT_FINITE", field=field
            )
        clamped = np.clip(values, self.minimum, self.maximum)
        return CheckedPoses(clamped, int(np.count_nonzero(clamped != values)))

    def quantise(self, poses: Poses, quantum: float) -> Poses:
        """Return ``poses`` rounded to the neutral plus multiples of ``quantum``, within the ranges.

        0 is exact. The neutral pose, the one that recurs most, stays as it is.

        Raises:
            InvalidArgumentError: QUANTUM_OUT_OF_RANGE.
        """
        check_quantum(quantum)
        if quantum > 0:
            step = np.float32(quantum)
            steps = np.round((poses - self.neutral) / step)
            poses = np.clip(self.neutral + steps * step, self.minimum, self.maximum)
        # Adding zero turns -0.0 into 0.0: equal poses must have equal bytes, which are cache keys.
        return poses.astype(np.float32, copy=False) + np.float32(0.0)


def check_quantum(quantum: float, *, field: str = "quantum") -> None:
    """Raise InvalidArgumentError QUANTUM_OUT_OF_RANGE for a rounding that is no `is_quantum`."""
    if not is_quantum(quantum):
        raise InvalidArgumentError(
            f"The quantum must be 0 or lie between {MIN_QUANTUM:g} and {MAX_QUANTUM:g}.",
            reason="QUANTUM_OUT_OF_RANGE",
            field=field,
            minimum=MIN_QUANTUM,
            maximum=MAX_QUANTUM,
        )
