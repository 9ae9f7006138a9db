"""Which part of the canvas a frame shows, and at which size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.conventions import Picture, Tensor, tensor_to_picture
from kuchipaku_pose.manifest import Convention

MIN_SIDE_PX = LIMITS.min_frame_side_px
MAX_SIDE_PX = LIMITS.max_frame_side_px
MIN_CROP_SIDE_PX = 16


@dataclass(frozen=True, slots=True)
class View:
    """A window of the canvas and the size at which it is delivered, all in pixels."""

    left: int
    top: int
    crop_width: int
    crop_height: int
    width: int
    height: int

    def apply(self, picture: Picture) -> Picture:
        """Return the window of ``picture`` (S, S, 4) as a contiguous (height, width, 4).

        Scaling weighs colours by alpha (Pillow does so for RGBA), so that transparent pixels lend
        no colour to edges.
        """
        window = picture[
            self.top : self.top + self.crop_height, self.left : self.left + self.crop_width
        ]
        if (self.crop_width, self.crop_height) == (self.width, self.height):
            # A view of a part would keep the whole canvas in memory with it.
            return np.ascontiguousarray(window) if self._is_whole(picture) else window.copy()
        resample = (
            Image.Resampling.BOX
            if self._halves_exactly()
            else Image.Resampling.BICUBIC
            if self.width > self.crop_width
            else Image.Resampling.HAMMING
        )
        scaled = Image.fromarray(window).resize((self.width, self.height), resample)
        return np.array(scaled)

    def show(self, tensor: Tensor, convention: Convention) -> Picture:
        """Return the window of a canvas (4, S, S) as a picture (height, width, 4).

        Where pixels are averaged in whole blocks this is done before they become bytes: a third
        of the work of `apply` for half the size, and nothing is rounded twice.
        """
        if self.pools(convention):
            return tensor_to_picture(self._pooled(tensor), convention)
        return self.apply(tensor_to_picture(tensor, convention))

    def pools(self, convention: Convention) -> bool:
        """Whether `show` averages pixels before they become bytes."""
        return convention is Convention.PREMULTIPLIED_SRGB and self._halves_exactly()

    def _pooled(self, tensor: Tensor) -> Tensor:
        """Return the window's means over blocks; colours weigh as much as they are seen."""
        rows = slice(self.top, self.top + self.crop_height)
        columns = slice(self.left, self.left + self.crop_width)
        window = tensor[:, rows, columns]
        down, across = self.crop_height // self.height, self.crop_width // self.width
        blocks = [window[:, y::down, x::across] for y in range(down) for x in range(across)]
        total = blocks[0].copy()
        for block in blocks[1:]:
            total += block
        total *= np.float32(1 / len(blocks))
        return total

    def _is_whole(self, picture: Picture) -> bool:
        return (self.crop_height, self.crop_width) == picture.shape[:2]

    def _halves_exactly(self) -> bool:
        return (
            self.crop_width % self.width == 0
            and self.crop_height % self.height == 0
            and self.crop_width > self.width
        )


def make_view(
    canvas_side: int,
    *,
    crop: tuple[int, int, int, int] | None = None,
    width: int = 0,
    height: int = 0,
    field: str = "config.frame_format",
) -> View:
    """Return the checked view for a request.

    Args:
        canvas_side: side of the model's canvas.
        crop: left, top, width, height within the canvas; None for all of it.
        width: width of the output, 128-1024; 0 follows from the height, or from the crop.
        height: likewise.
        field: path of the request's frame format, for messages.

    Raises:
        InvalidArgumentError: CROP_OUT_OF_CANVAS, FRAME_SIZE_OUT_OF_RANGE or FRAME_ASPECT_CHANGED.
    """
    left, top, crop_width, crop_height = crop or (0, 0, canvas_side, canvas_side)
    inside = left >= 0 and top >= 0
    inside = inside and min(crop_width, crop_height) >= MIN_CROP_SIDE_PX
    if not (inside and left + crop_width <= canvas_side and top + crop_height <= canvas_side):
        raise InvalidArgumentError(
            f"The crop must lie within the canvas of {canvas_side}x{canvas_side} pixels and be at "
            f"least {MIN_CROP_SIDE_PX} pixels wide and high.",
            reason="CROP_OUT_OF_CANVAS",
            field=f"{field}.crop",
            canvas_side_px=canvas_side,
        )
    out_width = width or (round(height * crop_width / crop_height) if height else crop_width)
    out_height = height or round(out_width * crop_height / crop_width)
    for name, side in (("width_px", out_width), ("height_px", out_height)):
        if not MIN_SIDE_PX <= side <= MAX_SIDE_PX:
            raise InvalidArgumentError(
                f"A frame's sides must be {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels; "
                f"{name} would be {side}.",
                reason="FRAME_SIZE_OUT_OF_RANGE",
                field=f"{field}.{name}",
                minimum=MIN_SIDE_PX,
                maximum=MAX_SIDE_PX,
            )
    # One pixel of rounding is no distortion.
    if abs(out_width * crop_height - out_height * crop_width) > max(crop_width, crop_height):
        raise InvalidArgumentError(
            f"{out_width}x{out_height} pixels would distort the crop of "
            f"{crop_width}x{crop_height}.",
            reason="FRAME_ASPECT_CHANGED",
            field=f"{field}.width_px",
        )
    return View(left, top, crop_width, crop_height, out_width, out_height)
