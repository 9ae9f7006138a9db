"""Which part of the canvas a student's character can reach, as rectangles.

A student draws nothing but its one character, so most of what it computes is transparent. The
reach is found by trying: pixels that stay transparent in every one of many poses are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

BAND: Final = 16
"""Rows of one band at full size; a multiple of four, so that bands halve twice."""
MARGIN: Final = 6
"""Pixels added around what was seen."""
VISIBLE: Final = 5e-4
"""How far from transparent (-1 in every channel) a pixel may be and still be left out."""
_GAP = 32


class Rectangle(NamedTuple):
    """Pixels of a picture, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    def halved(self, side: int) -> Rectangle:
        """Return what a bilinear scaling to this part reads of a picture of ``side`` pixels."""
        return Rectangle(
            max(self.top // 2 - 1, 0),
            max(self.left // 2 - 1, 0),
            min((self.bottom + 1) // 2 + 1, side),
            min((self.right + 1) // 2 + 1, side),
        )


class Reach:
    """The pixels that a character can reach."""

    def __init__(self, mask: Mask, band: int = BAND) -> None:
        """Take the mask (S, S) of pixels that may not stay transparent, and the rows of a band."""
        self.mask = mask
        self.band = band

    @classmethod
    def everything(cls, side: int) -> Reach:
        """Return the whole canvas, in one piece."""
        return cls(np.ones((side, side), np.bool_), side)

    @classmethod
    def seen(cls, pictures: Sequence[NDArray[np.float32]]) -> Reach:
        """Return what is visible in any of ``pictures`` (4, S, S), with a margin."""
        visible = np.zeros(pictures[0].shape[1:], np.bool_)
        for picture in pictures:
            visible |= (np.abs(picture + 1) > VISIBLE).any(axis=0)
        return cls(_grown(visible, MARGIN))

    @property
    def share(self) -> float:
        """Part of the canvas that is computed."""
        side = self.mask.shape[0]
        area = sum(part.height * part.width for part in bands(self.mask, self.band))
        return area / side**2

    def levels(self, sides: Sequence[int]) -> list[list[Rectangle]]:
        """Return the parts to compute at each of ``sides``, which double up to full size.

        A smaller size holds everything that a bilinear scaling to the next one reads.
        """
        masks = [self.mask]
        parts = [bands(self.mask, self.band * sides[-1] // self.mask.shape[0])]
        for side in sides[-2::-1]:
            mask = np.zeros((side, side), np.bool_)
            for part in parts[0]:
                top, left, bottom, right = part.halved(side)
                mask[top:bottom, left:right] = True
            masks.insert(0, mask)
            parts.insert(0, bands(mask, self.band * side // self.mask.shape[0]))
        return parts


def bands(mask: Mask, height: int) -> list[Rectangle]:
    """Return rectangles that cover ``mask``: bands of ``height`` rows, each in few pieces."""
    parts = []
    for top in range(0, mask.shape[0], height):
        columns = np.flatnonzero(mask[top : top + height].any(axis=0))
        if not len(columns):
            continue
        breaks = np.flatnonzero(np.diff(columns) > _GAP)
        starts = [columns[0], *columns[breaks + 1]]
        ends = [*columns[breaks], columns[-1]]
        for left, right in zip(starts, ends, strict=True):
            parts.append(Rectangle(top, int(left), top + height, int(right) + 1))
    return parts


def _grown(mask: Mask, margin: int) -> Mask:
    for axis in (0, 1):
        sums = np.cumsum(np.pad(mask.astype(np.int32), _only(axis, margin + 1, margin)), axis=axis)
        width = 2 * margin + 1
        high = np.take(sums, range(width, sums.shape[axis]), axis=axis)
        low = np.take(sums, range(sums.shape[axis] - width), axis=axis)
        mask = high > low
    return mask


def _only(axis: int, before: int, after: int) -> list[tuple[int, int]]:
    return [(before, after) if i == axis else (0, 0) for i in range(2)]
