"""Whether a model really computes what it should on this machine, checked once at start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InternalError
from kuchipaku_pose.conventions import Picture
from kuchipaku_pose.posespace import PoseSpace

Tensor = NDArray[np.float32]

TOLERANCE = 2e-2
"""Largest difference to the CPU, in the output's own values, which span 1 or 2: half precision
passes, a wrong kernel does not."""
NORM_TOLERANCE = 2e-4
"""Largest difference at which a provider's own norms count as exact without further asking."""
NORM_SHARE = 1.25
"""And how much larger than with the exact form it may be otherwise."""


def probe_picture(side: int) -> Picture:
    """Return a made-up canvas: a soft-edged ellipse with colour ramps, (side, side, 4) uint8."""
    y, x = np.mgrid[:side, :side] / side
    alpha = np.clip((0.4 - np.hypot(x - 0.5, (y - 0.55) * 0.8)) * side / 4, 0, 1)
    planes = np.stack([x, y, 0.5 + 0.5 * np.sin(20 * x * y), alpha], axis=-1)
    return np.round(planes * 255).astype(np.uint8)


def probe_poses(space: PoseSpace) -> Sequence[Tensor]:
    """Return the neutral pose and one far from it, each float32 (parameters,)."""
    weights = np.random.default_rng(0).random(len(space), dtype=np.float32)
    return [space.neutral, space.minimum + weights * (space.maximum - space.minimum)]


def check_outputs(
    outputs: Sequence[Tensor],
    shape: tuple[int, ...],
    reference: Sequence[Tensor],
    *,
    rounded: bool = False,
) -> float:
    """Check ``outputs`` for shape and finiteness, and against a ``reference``.

    Args:
        outputs: the output tensor of each pose.
        shape: of each of them.
        reference: the same, computed on the CPU one by one; empty where that is what is checked.
        rounded: whether coarse arithmetic was asked for: then the root of the mean square
            counts, not the single worst value.

    Returns the largest difference found; 0 without a reference.

    Raises:
        InternalError: SELF_TEST_FAILED, with what was found.
    """
    for tensor in outputs:
        if tensor.shape != shape:
            raise _failure(f"the output has the shape {tensor.shape}, expected {shape}")
        if not np.isfinite(tensor).all():
            raise _failure("the output is not finite")
    worst = 0.0
    for tensor, expected in zip(outputs, reference, strict=False):
        errors = np.abs(tensor - expected)
        difference = float(np.sqrt(np.mean(errors**2)) if rounded else errors.max())
        if difference > TOLERANCE:
            raise _failure(f"the output differs from the CPU's by {difference:.3g}")
        worst = max(worst, float(errors.max()))
    return worst


def _failure(problem: str) -> InternalError:
    return InternalError(f"The model's self-test failed: {problem}.", reason="SELF_TEST_FAILED")
