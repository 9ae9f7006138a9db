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
    return _DECODERS[convention](tensor)


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


_ENCODERS: Final[Mapping[Convention, Callable[[Picture], Tensor]]] = {
    Convention.PREMULTIPLIED_SRGB: _encode_premultiplied_srgb,
}
_DECODERS: Final[Mapping[Convention, Callable[[Tensor], Picture]]] = {
    Convention.PREMULTIPLIED_SRGB: _decode_premultiplied_srgb,
}
