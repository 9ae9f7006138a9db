"""Pictures as users have them, made of the illustrator's characters."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_animation.poses import PARAMETER_INDEX, POSE_SIZE
from kuchipaku_imagegen.illustrator import Character, random_attributes

Rgba = NDArray[np.uint8]


def character(seed: int, **pose: float) -> Rgba:
    """A canvas of the character of `seed`; parameters of both sides by their common name."""
    values = np.zeros(POSE_SIZE, np.float32)
    for name, value in pose.items():
        for full in (name, f"{name}_left", f"{name}_right"):
            if full in PARAMETER_INDEX:
                values[PARAMETER_INDEX[full]] = value
    return Character(random_attributes(seed)).render(values)


def gradient(width: int, height: int) -> Rgba:
    """A soft background."""
    y, x = np.mgrid[:height, :width]
    colour = np.stack([120 + 90 * x / width, 150 + 60 * y / height, 190 - 60 * x / width], -1)
    return np.dstack([colour, np.full((height, width), 255)]).astype(np.uint8)


def placed(
    figure: Rgba, onto: Rgba, *, scale: float = 1.0, at: tuple[int, int] = (0, 0), turn: float = 0
) -> Rgba:
    """Lay a figure over a picture, its canvas's corner at `at`, turned by degrees clockwise."""
    image = Image.fromarray(figure).convert("RGBa")
    side = round(figure.shape[0] * scale)
    image = image.resize((side, side), Image.Resampling.LANCZOS)
    image = image.rotate(-turn, Image.Resampling.BICUBIC)
    result = Image.new("RGBA", (onto.shape[1], onto.shape[0]))
    result.paste(image.convert("RGBA"), at)
    under = Image.fromarray(onto)
    under.alpha_composite(result)
    return np.array(under)


def encoded(picture: Rgba, kind: str = "PNG", mode: str = "RGBA", **options: Any) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(out, kind, **options)
    return out.getvalue()


def overlap(one: Rgba, other: Rgba) -> float:
    """Intersection over union of what is visible."""
    a, b = one[..., 3] >= 128, other[..., 3] >= 128
    return float((a & b).sum() / max(1, (a | b).sum()))
