"""From a picture to a canvas that can be animated.

The framing is that of talking-head-anime 3 and 4 by Pramook Khungurn
(https://github.com/pkhungurn/talking-head-anime-3-demo): 512x512 with alpha, upright, facing
forward, the head within the 128x128 box in the middle of the upper half.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

Rgba = NDArray[np.uint8]

_SIDE = LIMITS.canvas_side_px
_HEAD_ROWS = slice(64, 192)
_HEAD_COLUMNS = slice(192, 320)
# A cut-out leaves at least a rim; less is a picture with its background.
_MIN_TRANSPARENT = 0.02
_MAX_TRANSPARENT = 0.97
_MIN_HEAD_COVERAGE = 0.45
# Hats and ears rise above the head box; a figure that begins below this row stands too low.
_LOWEST_TOP_ROW = 112


class Verdict(Enum):
    """How grave a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    verdict: Verdict
    message: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A canvas and what was found on the way to it."""

    canvas: Rgba
    """(512, 512, 4) uint8, straight alpha, sRGB; colours are 0 where alpha is 0."""
    checks: tuple[Check, ...]


def fit_canvas(picture: Rgba, *, check_only: bool = False) -> Fit:
    """Crop the middle square of a picture, scale it to the canvas, and check it.

    picture: (height, width, 4) uint8, straight alpha, sRGB.
    Raises `InvalidArgumentError`: SIZE_NOT_CANVAS where `check_only` forbids scaling,
    PICTURE_HAS_BACKGROUND where nothing is transparent, PICTURE_EMPTY where nearly all is.
    """
    height, width = picture.shape[:2]
    if check_only and (height, width) != (_SIDE, _SIDE):
        raise InvalidArgumentError(
            f"The picture has {width}x{height} pixels; a canvas has {_SIDE}x{_SIDE}.",
            reason="SIZE_NOT_CANVAS",
            field="image",
            width_px=width,
            height_px=height,
        )
    _require_cut_out(picture)
    canvas = _scale(_middle_square(picture))
    canvas[canvas[..., 3] == 0] = 0
    checks = (_check_size(width, height), _check_alpha(canvas), _check_head(canvas))
    return Fit(canvas, checks)


def _require_cut_out(picture: Rgba) -> None:
    transparent = float(np.mean(picture[..., 3] < 8))
    if transparent < _MIN_TRANSPARENT:
        raise InvalidArgumentError(
            "The picture has a background. Send a PNG or WebP whose background is transparent.",
            reason="PICTURE_HAS_BACKGROUND",
            field="image",
            transparent_share=f"{transparent:.3f}",
        )
    if transparent > _MAX_TRANSPARENT:
        raise InvalidArgumentError(
            "The picture is almost entirely transparent: there is no character to animate.",
            reason="PICTURE_EMPTY",
            field="image",
            transparent_share=f"{transparent:.3f}",
        )


def _middle_square(picture: Rgba) -> Rgba:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _scale(square: Rgba) -> Rgba:
    if square.shape[0] == _SIDE:
        return square.copy()
    # Pillow scales "RGBa" (premultiplied), so that invisible colours do not bleed into the edge.
    image = Image.fromarray(square).convert("RGBa")
    scaled = image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.array(scaled.convert("RGBA"), np.uint8)


def _check_size(width: int, height: int) -> Check:
    side = min(width, height)
    if side < _SIDE:
        message = f"The picture was enlarged from {width}x{height}: it will look soft."
        return Check("size", Verdict.WARN, message, float(side))
    if width != height:
        message = f"The middle square of {width}x{height} was used."
        return Check("size", Verdict.WARN, message, float(side))
    return Check("size", Verdict.OK, "The picture is large enough.", float(side))


def _check_alpha(canvas: Rgba) -> Check:
    share = float(np.mean(canvas[..., 3] < 8))
    return Check("alpha", Verdict.OK, f"{share:.0%} of the canvas is transparent.", share)


def _check_head(canvas: Rgba) -> Check:
    visible = canvas[..., 3] >= 128
    coverage = float(np.mean(visible[_HEAD_ROWS, _HEAD_COLUMNS]))
    rows = np.flatnonzero(visible[:, _HEAD_COLUMNS].any(axis=1))
    top = int(rows[0]) if rows.size else _SIDE
    if coverage < _MIN_HEAD_COVERAGE or top > _LOWEST_TOP_ROW:
        message = (
            "The head does not seem to lie in columns 192-319 and rows 64-191: move or scale the "
            "figure so that it does."
        )
        return Check("head_box", Verdict.WARN, message, coverage)
    return Check("head_box", Verdict.OK, "The figure fills the head's place.", coverage)
