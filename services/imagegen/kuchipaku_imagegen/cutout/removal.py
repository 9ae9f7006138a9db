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


def over_grey(picture: Rgba) -> Rgba:
    """The picture (height, width, 3) as it looks on grey."""
    if bool((picture[..., 3] == 255).all()):
        return np.ascontiguousarray(picture[..., :3])
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + np.uint16(128) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
