"""Pictures to tensors and back, in each convention that packs use.

A picture is uint8 (height, width, 4): RGBA, straight alpha, sRGB. A tensor is float32
(4, height, width) in the convention's own terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.manifest import Convention

Picture = NDArray[np.uint8]
Tensor = NDArray[np.float32]

_MAX: Final = np.float32(255.0)
_HALF: Final = np.float32(0.5)
_LEAST_VISIBLE: Final = np.float32(0.5 / 255.0)


def picture_to_tensor(picture: Picture, convention: Convention) -> Tensor:
    """Return ``picture`` (H, W, 4) as a contiguous float32 tensor (4, H, W)."""
    return _ENCODERS[convention](picture)


def tensor_to_picture(tensor: Tensor, convention: Convention) -> Picture:
    """Return ``tensor`` (4, H, W) as a picture (H, W, 4).

    Values are rounded to the nearest of 256 levels; what networks overshoot is clipped. Pixels
    whose alpha rounds to 0 are (0, 0, 0, 0), so that invisible noise costs no bytes in a codec.
    """
    decode = _DECODERS[convention]
    # Around a character there is a lot of nothing: half the canvas, and half the time.
    rows, columns = _visible(tensor[3], convention)
    visible = tensor[:, rows, columns]
    if visible.shape == tensor.shape:
        return decode(tensor)
    picture = np.zeros((*tensor.shape[1:], 4), np.uint8)
    if visible.size:
        picture[rows, columns] = decode(visible)
    return picture


def _visible(alpha: Tensor, convention: Convention) -> tuple[slice, slice]:
    """Return rows and columns outside of which alpha rounds to 0."""
    least = float(_LEAST_VISIBLE) * 0.99
    if convention is not Convention.PREMULTIPLIED_SRGB:
        least = 2 * least - 1
    # Written so that what is not a number counts as visible.
    seen = ~(alpha < least)
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0), slice(0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _encode_premultiplied_srgb(picture: Picture) -> Tensor:
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float32)
    planes /= _MAX
    planes[:3] *= planes[3]
    return planes


def _decode_premultiplied_srgb(tensor: Tensor) -> Picture:
    # Plane by plane in one scratch buffer: 1.3 ms at 512x512 where whole-array expressions take
    # 1.7 ms, because a plane fits the second-level cache.
    alpha = tensor[3]
    picture = np.empty((*alpha.shape, 4), np.uint8)
    scratch = np.empty_like(alpha)
    levels = np.empty(alpha.shape, np.uint8)
    scale = _MAX / np.maximum(alpha, _LEAST_VISIBLE)
    scale *= alpha >= _LEAST_VISIBLE
    for channel, factor in enumerate((scale, scale, scale, _MAX)):
        np.multiply(tensor[channel], factor, out=scratch)
        np.add(scratch, _HALF, out=scratch)
        np.clip(scratch, 0, _MAX, out=scratch)
        np.copyto(levels, scratch, casting="unsafe")
        picture[..., channel] = levels
    return picture


def _encode_straight_linear_unmasked(picture: Picture) -> Tensor:
    planes = _linear_planes(picture)
    planes *= 2
    planes -= 1
    return planes


def _encode_straight_linear(picture: Picture) -> Tensor:
    planes = _linear_planes(picture)
    planes[:3] *= planes[3] > 0
    planes *= 2
    planes -= 1
    return planes


def _encode_premultiplied_linear(picture: Picture) -> Tensor:
    planes = _linear_planes(picture)
    planes[:3] *= planes[3]
    planes *= 2
    planes -= 1
    return planes


def _linear_planes(picture: Picture) -> Tensor:
    planes = np.empty((4, *picture.shape[:2]), np.float32)
    for channel in range(3):
        np.take(_LINEAR, picture[..., channel], out=planes[channel])
    np.divide(picture[..., 3], _MAX, out=planes[3])
    return planes


def _decode_straight_linear(tensor: Tensor) -> Picture:
    levels = _alpha_levels(tensor)
    picture = np.empty((*levels.shape, 4), np.uint8)
    picture[..., 3] = levels
    hidden = levels == 0
    for channel in range(3):
        colour = _encoded((tensor[channel] + 1) * _HALF)
        colour[hidden] = 0
        picture[..., channel] = colour
    return picture


def _decode_premultiplied_linear(tensor: Tensor) -> Picture:
    levels = _alpha_levels(tensor)
    picture = np.empty((*levels.shape, 4), np.uint8)
    picture[..., 3] = levels
    # What is not visible gets the factor 0, and with it the colour 0.
    factor = np.reciprocal(np.clip((tensor[3] + 1) * _HALF, _LEAST_VISIBLE, 1))
    factor *= levels > 0
    for channel in range(3):
        picture[..., channel] = _encoded((tensor[channel] + 1) * _HALF * factor)
    return picture


def _alpha_levels(tensor: Tensor) -> NDArray[np.uint8]:
    alpha = (tensor[3] + 1) * (_MAX * _HALF)
    np.clip(alpha, 0, _MAX, out=alpha)
    levels: NDArray[np.uint8] = np.rint(alpha, out=alpha).astype(np.uint8)
    return levels


def _encoded(linear: Tensor) -> NDArray[np.uint8]:
    """Return the sRGB levels of linear light; what is outside of [0, 1] is clipped."""
    index = np.clip(linear, 0, 1)
    np.sqrt(index, out=index)
    index *= np.float32(_STEPS)
    index += _HALF
    return np.take(_ENCODED, index.astype(np.int32))


def _srgb_to_linear(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


_STEPS: Final = 1 << 18
"""Steps of the table below; even in the square root of light, a level takes some 700 of them."""
_LINEAR: Final = _srgb_to_linear(np.arange(256) / 255).astype(np.float32)
_ENCODED: Final = np.rint(255 * _linear_to_srgb((np.arange(_STEPS + 1) / _STEPS) ** 2)).astype(
    np.uint8
)

_ENCODERS: Final[Mapping[Convention, Callable[[Picture], Tensor]]] = {
    Convention.PREMULTIPLIED_SRGB: _encode_premultiplied_srgb,
    Convention.STRAIGHT_LINEAR: _encode_straight_linear,
    Convention.STRAIGHT_LINEAR_UNMASKED: _encode_straight_linear_unmasked,
    Convention.PREMULTIPLIED_LINEAR: _encode_premultiplied_linear,
}
_DECODERS: Final[Mapping[Convention, Callable[[Tensor], Picture]]] = {
    Convention.PREMULTIPLIED_SRGB: _decode_premultiplied_srgb,
    Convention.STRAIGHT_LINEAR: _decode_straight_linear,
    Convention.STRAIGHT_LINEAR_UNMASKED: _decode_straight_linear,
    Convention.PREMULTIPLIED_LINEAR: _decode_premultiplied_linear,
}
