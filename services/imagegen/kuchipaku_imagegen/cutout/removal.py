"""Removes backgrounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .islands import Region, without_islands
from .models import MattingModel
from .refine import refined, resized
from .rembgmodel import closed_form_alpha

Rgba = NDArray[np.uint8]

#: Longer side at which closed-form matting is solved: its cost grows with the pixels.
_CLOSED_FORM_SIDE = 1024


@dataclass(frozen=True, slots=True)
class CutOut:
    """A picture without its background, and the share of it that is left."""

    picture: Rgba
    """(height, width, 4) uint8, straight alpha; colours are 0 where alpha is 0."""
    coverage: float


def remove_background(
    picture: Rgba,
    model: MattingModel,
    *,
    alpha_matting: bool = False,
    near: Region | None = None,
) -> CutOut:
    """Make the background of a picture (height, width, 4) uint8 transparent.

    What is transparent stays so. With `near`, only what reaches into that part of the picture is
    left. Raises `FailedPreconditionError` ALPHA_MATTING_NOT_INSTALLED.
    """
    seen = over_grey(picture)
    mask = without_islands(model.mask(seen), near)
    if alpha_matting:
        height, width = picture.shape[:2]
        scale = min(1.0, _CLOSED_FORM_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(Image.fromarray(seen).resize(size, Image.Resampling.BOX))
        mask = closed_form_alpha(small, resized(mask, size)).astype(np.float32)
    cut = refined(picture, mask, radius=1 if alpha_matting else 6)
    return CutOut(cut, float(np.mean(cut[..., 3] >= 128)))


def without_holes(picture: Rgba) -> Rgba:
    """The picture (height, width, 4), opaque, with colours from nearby where nothing was to see.

    Colours are averaged in ever larger squares until each holds something visible.
    """
    weight = (picture[..., 3] == 255).astype(np.float32)[..., None]
    planes = np.concatenate([picture[..., :3] * weight, weight], -1)
    levels = [planes]
    while max(planes.shape[:2]) > 1:
        padded = np.pad(planes, [(0, planes.shape[0] % 2), (0, planes.shape[1] % 2), (0, 0)])
        planes = (padded[::2] + padded[1::2])[:, ::2] + (padded[::2] + padded[1::2])[:, 1::2]
        levels.append(planes)
    filled = np.full((1, 1, 3), 128.0, np.float32)
    for planes in reversed(levels):
        height, width = planes.shape[:2]
        coarse = filled.repeat(2, 0).repeat(2, 1)[:height, :width]
        own = planes[..., :3] / np.maximum(planes[..., 3:], 1.0)
        filled = np.where(planes[..., 3:] > 0, own, coarse)
    opaque = np.full((*picture.shape[:2], 1), 255.0, np.float32)
    return np.asarray(np.rint(np.concatenate([filled, opaque], -1)), np.uint8)


def over_grey(picture: Rgba) -> Rgba:
    """The picture (height, width, 3) as it looks on grey."""
    if bool((picture[..., 3] == 255).all()):
        return np.ascontiguousarray(picture[..., :3])
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + np.uint16(128) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
