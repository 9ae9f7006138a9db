"""Conversions between straight-alpha uint8 pictures and what the networks take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def premultiply(straight: Pixels) -> Pixels:
    """Multiply sRGB-encoded colour by alpha. (..., 4) uint8 in and out, rounded to nearest."""
    wide = straight.astype(np.uint16)
    result = straight.copy()
    result[..., :3] = (wide[..., :3] * wide[..., 3:] + 127) // 255
    return result


def halve(picture: Pixels) -> Pixels:
    """Average 2 x 2 pixels of a premultiplied picture (H, W, 4), H and W even."""
    height, width, channels = picture.shape
    blocks = picture.reshape(height // 2, 2, width // 2, 2, channels).astype(np.uint16)
    return ((blocks.sum((1, 3)) + 2) // 4).astype(np.uint8)


def over_colour(
    premultiplied: NDArray[np.float32], colour: tuple[float, float, float] = (0.93, 0.93, 0.96)
) -> Pixels:
    """Lay a premultiplied picture (H, W, 4), 0..1, over a plain colour. Returns uint8 (H, W, 3)."""
    picture = np.clip(premultiplied, 0.0, 1.0)
    flat = picture[..., :3] + (1.0 - picture[..., 3:]) * np.array(colour, np.float32)
    return np.asarray(np.rint(np.clip(flat, 0.0, 1.0) * 255.0), np.uint8)
