"""Palettes of up to 255 colours and one transparent entry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS = 6
_LEVELS = 1 << _BITS
_SHIFT = 8 - _BITS
_COLORS = 255
_TRANSPARENT = 255
_OPAQUE_FROM = 128
_SAMPLES = 1 << 18


class Histogram:
    """Counts the opaque colours of many frames at six bits a channel."""

    def __init__(self) -> None:
        self._counts = np.zeros(_LEVELS**3, np.int64)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Count a frame: uint8 of shape (height, width, 4)."""
        opaque = pixels[pixels[..., 3] >= _OPAQUE_FROM]
        self._counts += np.bincount(_cells(opaque), minlength=_LEVELS**3)

    def palette(self) -> Palette:
        """Choose the palette by median cut (Heckbert 1982, in Pillow's implementation).

        Counts enter by their square root: a mouth that shows for a few frames matters more to
        the eye than its share of all pixels.
        """
        cells = np.flatnonzero(self._counts)
        if len(cells) == 0:
            return Palette(np.zeros((1, 3), np.uint8), cells)
        weights = np.sqrt(self._counts[cells])
        repeats = np.maximum(1, (weights / weights.sum() * _SAMPLES).astype(np.int64))
        samples = _centres(cells).repeat(repeats, axis=0)
        image = Image.fromarray(samples[np.newaxis])
        quantized = image.quantize(_COLORS, Image.Quantize.MEDIANCUT, kmeans=1)
        flat = quantized.getpalette() or [0, 0, 0]
        used = np.array(flat, np.uint8).reshape(-1, 3)[:_COLORS]
        return Palette(used, cells)


class Palette:
    """Colours and, for every colour cell that occurs, the nearest of them."""

    def __init__(self, colors: NDArray[np.uint8], cells: NDArray[np.int64]) -> None:
        self.argb = np.zeros((256, 4), np.uint8)
        """uint8 of shape (256, 4) in the order A, R, G, B; entry 255 is transparent."""
        # Unused entries are opaque too: writers take the first transparent one as the key.
        self.argb[:_TRANSPARENT, 0] = 255
        self.argb[: len(colors), 1:] = colors
        self._lookup = np.zeros(_LEVELS**3, np.uint8)
        wanted = _centres(cells).astype(np.float32)
        targets = colors.astype(np.float32)
        for start in range(0, len(cells), 4096):
            part = wanted[start : start + 4096]
            distance = (targets**2).sum(axis=1) - 2 * part @ targets.T
            self._lookup[cells[start : start + 4096]] = distance.argmin(axis=1)

    def indices(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map a frame to palette indices: uint8 of shape (height, width)."""
        mapped = self._lookup[_cells(pixels)]
        mapped[pixels[..., 3] < _OPAQUE_FROM] = _TRANSPARENT
        return mapped


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    reduced = pixels[..., :3].astype(np.int64) >> _SHIFT
    cells: NDArray[np.int64] = (
        (reduced[..., 0] << 2 * _BITS) | (reduced[..., 1] << _BITS) | reduced[..., 2]
    )
    return cells


def _centres(cells: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The colours in the middle of ``cells``, uint8 of shape (n, 3); the ends stay exact."""
    levels = np.stack([cells >> 2 * _BITS, cells >> _BITS, cells], axis=1) % _LEVELS
    return np.rint(levels * (255 / (_LEVELS - 1))).astype(np.uint8)
