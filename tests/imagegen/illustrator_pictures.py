"""Helpers for tests that look at drawn pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # left, top, right, bottom


def change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Largest difference of the premultiplied channels per pixel (h, w), 0..255."""

    def premultiplied(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        alpha = picture[..., 3:].astype(np.float64)
        return np.concatenate([picture[..., :3] * alpha / 255, alpha], -1)

    difference: NDArray[np.float64] = np.abs(premultiplied(one) - premultiplied(other)).max(-1)
    return difference


def share_inside(amount: NDArray[np.float64], box: Box) -> float:
    """How much of the change lies in the box, 0..1."""
    left, top, right, bottom = box
    return float(amount[top:bottom, left:right].sum() / max(1e-9, amount.sum()))


def alpha_box(picture: NDArray[np.uint8]) -> Box:
    """Smallest box around what is not transparent."""
    rows = np.flatnonzero(picture[..., 3].max(1) > 8)
    columns = np.flatnonzero(picture[..., 3].max(0) > 8)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
