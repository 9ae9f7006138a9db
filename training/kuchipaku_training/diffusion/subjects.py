"""The characters of the training: what they look like, and their busts as the illustrator draws."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from typing import Final

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_imagegen.illustrator import Attributes, random_attributes, render_svg
from kuchipaku_imagegen.illustrator.attributes import Accessory

#: Side of the bust in pixels, which is also its side on the illustrator's canvas.
SIZE: Final = 256
_LEFT, _TOP = 128, 8
_CANVAS_TAG: Final = 'width="512" height="512" viewBox="0 0 512 512"'
_BUST_TAG: Final = f'width="{SIZE}" height="{SIZE}" viewBox="{_LEFT} {_TOP} {SIZE} {SIZE}"'

_WORN_ELSEWHERE: Final = (
    Accessory.GLASSES,
    Accessory.EARRINGS,
    Accessory.CHOKER,
    Accessory.SCARF,
)
_ON_THE_HEAD: Final = tuple(name for name in Accessory if name not in _WORN_ELSEWHERE)
_FEMININE_ONLY: Final = (Accessory.RIBBON, Accessory.HEADBAND)


def subject(seed: int) -> Attributes:
    """The character of a seed: the illustrator's draw, but every accessory about as often."""
    attributes = random_attributes(seed)
    rng = random.Random(f"subject-{seed}")  # noqa: S311 - reproducible, not secret
    head = [
        name
        for name in _ON_THE_HEAD
        if attributes.figure.feminine or name not in _FEMININE_ONLY or rng.random() < 0.3
    ]
    worn: list[Accessory] = []
    if rng.random() < 0.6:
        worn.append(rng.choice(head))
    if rng.random() < 0.4:
        worn.append(rng.choice(_WORN_ELSEWHERE))
    return replace(attributes, accessories=tuple(sorted(worn)))


def draw_bust(attributes: Attributes) -> NDArray[np.uint8]:
    """Head and shoulders in the neutral pose: RGBA (256, 256, 4), straight alpha."""
    svg = render_svg(attributes)
    if _CANVAS_TAG not in svg:
        raise AssertionError("the illustrator's canvas has changed")
    png = resvg_py.svg_to_bytes(
        svg_string=svg.replace(_CANVAS_TAG, _BUST_TAG, 1),
        width=SIZE,
        height=SIZE,
        skip_system_fonts=True,
    )
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("RGBA"), np.uint8)
