"""Pieces of a mask: what hangs together, and what a figure has nothing to do with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .refine import resized

Floats = NDArray[np.float32]

_SIDE: Final = 160
_FOREGROUND: Final = 0.35
#: Pieces smaller than this share of the largest one are left-overs of the background.
_LEAST_SHARE: Final = 0.06


@dataclass(frozen=True, slots=True)
class Region:
    """A box within a picture, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


def without_islands(mask: Floats, near: Region | None = None) -> Floats:
    """Clear pieces of a mask (h, w), 0..1, that are small beside the largest.

    With `near`, whatever does not reach into it is cleared instead, if anything does.
    """
    small = resized(mask, (_SIDE, _SIDE))
    labels = labelled(small > _FOREGROUND)
    areas = np.bincount(labels.ravel())
    if len(areas) < 2:
        return mask
    areas[0] = 0
    kept = areas >= _LEAST_SHARE * areas.max()
    if near is not None:
        edges = np.array([near.left, near.top, near.right, near.bottom]) * _SIDE
        left, top, right, bottom = np.clip(np.rint(edges), 0, _SIDE).astype(int)
        inside = np.unique(labels[top:bottom, left:right])
        reached = np.zeros(len(areas), bool)
        reached[inside] = True
        if (areas[reached] > 0).any():
            kept &= reached
    kept[0] = True
    keep = resized(_grown(kept[labels]).astype(np.float32), (mask.shape[1], mask.shape[0]))
    return np.asarray(mask * np.clip(keep * 2.0, 0.0, 1.0), np.float32)


def _grown(keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Clear one pixel more around what is cleared: the soft rim of an island."""
    padded = np.pad(keep, 1, constant_values=True)
    height, width = keep.shape
    parts = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.asarray(np.logical_and.reduce(parts), bool)


def labelled(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the pieces (4-connected) of a mask (h, w) from 1; 0 is outside."""
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    labels = np.zeros(mask.shape, np.int64)
    above: list[tuple[int, int, int]] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.view(np.int8), [0]])))
        runs = []
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            touching = [root(one) for low, high, one in above if low < end and start < high]
            label = min(touching, default=len(parents))
            if not touching:
                parents.append(label)
            for other in touching:
                parents[other] = label
            labels[row, start:end] = label
            runs.append((start, end, label))
        above = runs
    final = np.array([root(label) for label in range(len(parents))])
    numbers = np.unique(final, return_inverse=True)[1]
    return np.asarray(numbers[labels], np.int64)
