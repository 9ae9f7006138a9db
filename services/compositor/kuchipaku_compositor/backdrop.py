"""What lies behind the character."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_media.picture import check_picture, decode_picture

Rgb = tuple[int, int, int]

DEFAULT_COLOR: Rgb = (0xC9, 0xD6, 0xE6)
"""A soft grey-blue that suits light and dark hair."""

MAX_PICTURE_PIXELS = 4096 * 4096
"""Width x height of a background picture: twice the longest side of a video, squared."""

_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Backdrop:
    """A colour, a picture or nothing (both None) behind the frames."""

    color: Rgb | None = None
    picture: Image.Image | None = None

    @property
    def is_transparent(self) -> bool:
        """Whether frames keep their alpha."""
        return self.color is None and self.picture is None

    def painter(self, width: int, height: int) -> BackdropPainter:
        """A painter for frames that are shown on ``width`` x ``height`` pixels."""
        return BackdropPainter(self, width, height)


class BackdropPainter:
    """Lays frames over one backdrop at one size.

    A frame smaller than the output lies at its upper left; the strip beside it shows the
    backdrop. That is how frames of odd size reach codecs that need even ones.
    """

    def __init__(self, backdrop: Backdrop, width: int, height: int) -> None:
        self._size = (width, height)
        self._transparent = backdrop.is_transparent
        self._plain = self._paint_plain(backdrop)

    def _paint_plain(self, backdrop: Backdrop) -> Image.Image:
        if backdrop.is_transparent:
            return Image.new("RGBA", self._size, (0, 0, 0, 0))
        plain = Image.new("RGBA", self._size, (*(backdrop.color or DEFAULT_COLOR), 255))
        if backdrop.picture is not None:
            plain = Image.alpha_composite(plain, _fit(backdrop.picture, self._size))
        return plain

    def paint(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return ``pixels`` over the backdrop: uint8 (height, width, 4), of the output's size.

        Blended in sRGB, as browsers and editors do. Opaque unless the backdrop is transparent.
        """
        height, width = pixels.shape[:2]
        if self._transparent:
            if (width, height) == self._size:
                return pixels
            padded = np.zeros((self._size[1], self._size[0], 4), np.uint8)
            padded[:height, :width] = pixels
            return padded
        frame = Image.frombuffer("RGBA", (width, height), pixels.tobytes(), "raw", "RGBA", 0, 1)
        if (width, height) == self._size:
            return np.asarray(Image.alpha_composite(self._plain, frame))
        painted = self._plain.copy()
        painted.alpha_composite(frame)
        return np.asarray(painted)


def parse_color(text: str, field: str) -> Rgb:
    """Parse ``#rrggbb``. Raises `InvalidArgumentError` (COLOR_INVALID)."""
    if not _HEX_COLOR.fullmatch(text):
        raise InvalidArgumentError(
            "A colour is written #rrggbb in hexadecimal digits.",
            reason="COLOR_INVALID",
            field=field,
        )
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def check_backdrop_picture(data: bytes, field: str) -> None:
    """Check size and header of an encoded picture without decoding it.

    Raises what `kuchipaku_media.picture.check_picture` raises, IMAGE_TOO_MANY_PIXELS beyond
    `MAX_PICTURE_PIXELS`.
    """
    check_picture(data, field=field, max_pixels=MAX_PICTURE_PIXELS)


def picture_backdrop(data: bytes, size: tuple[int, int], field: str) -> Backdrop:
    """A backdrop from an encoded picture, scaled and cropped to fill ``size``, width and height.

    What is transparent in the picture shows the default colour. Raises what
    `check_backdrop_picture` and `kuchipaku_media.picture.decode_picture` raise.
    """
    pixels = decode_picture(data, field=field, max_pixels=MAX_PICTURE_PIXELS)
    # Only the fitted picture is kept: a photo may be a hundred times larger.
    return Backdrop(DEFAULT_COLOR, _fit(Image.fromarray(pixels), size))


def _fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
