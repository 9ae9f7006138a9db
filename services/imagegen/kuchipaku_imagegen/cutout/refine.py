"""From a coarse mask to an edge at full size: guided filter, and colours without the background.

The filter is the fast guided filter of He and Sun (arXiv:1505.00996) with the colour picture as
its guide: within small windows the mask is a linear function of the colour, so that its edge
follows the drawn one. Brightness alone, the cheaper guide, follows outlines drawn inside the
figure and makes the network's mask worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgba = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Longer side at which windows are fitted.
_WORK_SIDE = 320
_EPSILON = 1e-4
#: Rows that are finished at a time, so that a picture of 40 megapixels costs little memory.
_BAND = 256


def refined(picture: Rgba, mask: Floats, radius: int = 6) -> Rgba:
    """Cut `picture` out by a coarse mask.

    picture: (height, width, 4) uint8, its alpha is kept where it is smaller; mask: (h, w) 0..1 of
    any size, stretched over the picture. Returns (height, width, 4) uint8, straight alpha; colours
    at the edge are freed of the background, and 0 where alpha is 0.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(
        Image.fromarray(picture).convert("RGB").resize(size, Image.Resampling.BOX), np.float32
    )
    small /= 255.0
    coarse = np.asarray(np.clip(resized(mask, size), 0.0, 1.0), np.float32)
    reach = max(1, round(radius * max(size) / max(mask.shape)))
    *slopes, offset = _linear(small, coarse, reach)
    ground = _local_colour(small, np.clip(1.0 - 1.6 * coarse, 0.0, 1.0), 2 * reach)
    figure = _local_colour(small, np.clip(5.0 * coarse - 4.0, 0.0, 1.0), reach)
    result = np.empty_like(picture)
    for top, bottom in _bands(height):
        box = (0.0, top * size[1] / height, float(size[0]), bottom * size[1] / height)
        part = (width, bottom - top)
        colour = picture[top:bottom, :, :3].astype(np.float32) / 255.0
        filtered = resized(offset, part, box)
        for channel, slope in enumerate(slopes):
            filtered = filtered + resized(slope, part, box) * colour[..., channel]
        alpha = _settled(filtered, resized(coarse, part, box))
        behind, solid = (
            np.stack([resized(planes[..., c], part, box) for c in range(3)], -1)
            for planes in (ground, figure)
        )
        result[top:bottom] = _coloured(colour, alpha, behind, solid)
        np.minimum(
            result[top:bottom, :, 3], picture[top:bottom, :, 3], out=result[top:bottom, :, 3]
        )
    result[result[..., 3] == 0] = 0
    return result


def _bands(height: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, _BAND):
        yield top, min(height, top + _BAND)


def resized(
    plane: Floats, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Floats:
    """Scale a plane (h, w) to `size` (width, height) bilinearly."""
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box), np.float32)


def box_mean(plane: Floats, radius: int) -> Floats:
    """Mean over windows of 2 radius + 1, smaller at the border. plane: (h, w)."""
    result = plane.astype(np.float64)
    for axis in (0, 1):
        length = result.shape[axis]
        low = np.clip(np.arange(length) - radius, 0, length)
        high = np.clip(np.arange(length) + radius + 1, 0, length)
        pad = [(1, 0) if one == axis else (0, 0) for one in (0, 1)]
        total = np.pad(np.cumsum(result, axis), pad)
        count = (high - low).reshape((-1, 1) if axis == 0 else (1, -1))
        result = (total.take(high, axis) - total.take(low, axis)) / count
    return result.astype(np.float32)


def _linear(guide: Floats, mask: Floats, radius: int) -> list[Floats]:
    """The guided filter's planes: mask = red * r + green * g + blue * b + offset.

    guide: (h, w, 3); mask: (h, w).
    """
    colours = [np.ascontiguousarray(guide[..., channel]) for channel in range(3)]
    means = [box_mean(colour, radius) for colour in colours]
    mask_mean = box_mean(mask, radius)
    spread = np.empty((*mask.shape, 3, 3), np.float32)
    for one, other in combinations_with_replacement(range(3), 2):
        common = box_mean(colours[one] * colours[other], radius) - means[one] * means[other]
        spread[..., one, other] = spread[..., other, one] = common
    spread += np.eye(3, dtype=np.float32) * _EPSILON
    common = np.stack(
        [
            box_mean(colour * mask, radius) - mean * mask_mean
            for colour, mean in zip(colours, means, strict=True)
        ],
        -1,
    )
    slopes = np.linalg.solve(spread, common[..., None])[..., 0]
    offset = mask_mean - (slopes * np.stack(means, -1)).sum(-1)
    return [box_mean(np.ascontiguousarray(slopes[..., c]), radius) for c in range(3)] + [
        box_mean(offset, radius)
    ]


def _settled(alpha: Floats, plain: Floats) -> Floats:
    """Trust the filter near the edge alone, and make nearly solid solid."""
    near = np.clip(np.minimum(plain, 1.0 - plain) * 12.0, 0.0, 1.0)
    mixed = alpha * near + plain * (1.0 - near)
    return np.asarray(np.clip((mixed - 0.06) / 0.88, 0.0, 1.0), np.float32)


def _local_colour(picture: Floats, weight: Floats, radius: int) -> Floats:
    """Weighted mean colour (h, w, 3) around every pixel; the picture's own where nothing weighs."""
    total = box_mean(weight, radius) + 1e-5
    share = np.minimum(1.0, total * 50.0)[..., None]
    planes = [box_mean(picture[..., c] * weight, radius) / total for c in range(3)]
    return np.asarray(np.stack(planes, -1) * share + picture * (1.0 - share), np.float32)


def _coloured(colour: Floats, alpha: Floats, behind: Floats, solid: Floats) -> Rgba:
    """Take the background's share out of half-transparent pixels.

    The result stays between what is seen and what the figure looks like nearby, so that a wrong
    alpha leaves no fringe of the opposite colour.
    """
    share = alpha[..., None]
    pure = (colour - (1.0 - share) * behind) / np.maximum(share, 0.2)
    within = np.clip(pure, np.minimum(colour, solid), np.maximum(colour, solid))
    edge = (share > 0.0) & (share < 0.99)
    shown = np.where(edge, np.clip(within, 0.0, 1.0), colour)
    return np.asarray(np.rint(np.concatenate([shown, share], -1) * 255.0), np.uint8)
