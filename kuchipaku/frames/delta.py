"""Differences between pictures, exact or within a dead band."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kuchipaku.frames.types import Rgba

_PIXEL = np.dtype("<u4")
_ALPHA = np.uint32(0xFF000000)
_ALPHA_STEP = np.uint32(0x01000000)
_PIXELS_AT_A_TIME = 1 << 14
"""So that intermediate results stay in the cache."""

_Words = NDArray[np.uint32]


def difference(pixels: Rgba, base: Rgba, dead_band: int = 0) -> Rgba:
    """Return what the receiver adds to ``base``, bytewise modulo 256, to show ``pixels``.

    With a dead band b the sum differs from ``pixels`` by at most b in every channel, and not at
    all in alpha where that is 0 or 255: what is transparent or opaque stays so. Within that,
    differences are rounded to multiples of 2b+1, whose small alphabet packs better than leaving
    out small differences alone. Errors do not add up over a stream so long as ``base`` is what
    the receiver has.

    Args:
        pixels: uint8 (height, width, 4).
        base: of the same shape.
        dead_band: 0 for exact differences, at most 16.

    Returns:
        A contiguous array of the same shape.
    """
    if dead_band == 0:
        return np.subtract(pixels, base, order="C")
    table = _nearest_steps(dead_band)
    wanted, known = _words(pixels), _words(base)
    delta = np.zeros(wanted.size, _PIXEL)
    # Of a talking character few pixels change from frame to frame.
    changed = np.flatnonzero(wanted != known)
    for start in range(0, changed.size, _PIXELS_AT_A_TIME):
        part = changed[start : start + _PIXELS_AT_A_TIME]
        delta[part] = _rounded(wanted[part], known[part], table)
    return delta.view(np.uint8).reshape(pixels.shape)


def _words(pixels: Rgba) -> _Words:
    """Pixels as single numbers, alpha on top."""
    return np.ascontiguousarray(pixels).view(_PIXEL).ravel()


def _rounded(wanted: _Words, known: _Words, table: bytes) -> _Words:
    # All in uint8: a wider type would take several times as long.
    pixels, base = wanted.view(np.uint8), known.view(np.uint8)
    falls = pixels < base
    distance = np.maximum(pixels, base)
    distance -= np.minimum(pixels, base)
    steps = np.frombuffer(distance.tobytes().translate(table), np.uint8)
    # 255 where a channel falls, else 0: to xor with it and to subtract it negates.
    sign = np.negative(falls.view(np.uint8))
    room = ~(base ^ sign)
    np.minimum(steps, room, out=room)
    delta = ((room ^ sign) - sign).view(_PIXEL)
    # Alpha 0 and 255 are neighbours modulo 256.
    sharp = (wanted + _ALPHA_STEP) < 2 * _ALPHA_STEP
    alpha = (wanted & _ALPHA) - (known & _ALPHA)
    return np.where(sharp, (delta & ~_ALPHA) | alpha, delta)


@lru_cache
def _nearest_steps(dead_band: int) -> bytes:
    """For each distance 0-255 the nearest multiple of the step, at most 255."""
    step = 2 * dead_band + 1
    distances: NDArray[np.int64] = np.arange(256)
    return bytes(np.minimum((distances + dead_band) // step * step, 255).tolist())
