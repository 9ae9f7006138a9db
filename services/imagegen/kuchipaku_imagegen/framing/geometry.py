"""Head boxes, and the turns, scalings and shifts that bring one onto another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgba = NDArray[np.uint8]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadBox:
    """A square around a head with its hair, crown to chin, in pixels of a picture.

    `angle` is in radians: how far the head leans, clockwise. `confidence` is 0..1.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0
    confidence: float = 1.0

    def corners(self) -> Points:
        """(4, 2): top left, top right, bottom right, bottom left of the head."""
        half = self.side / 2
        square = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
        return square @ _turn(self.angle).T + (self.x, self.y)

    def overlap(self, other: HeadBox) -> float:
        """Intersection over union of the two squares, each taken as standing upright."""
        half, other_half = self.side / 2, other.side / 2
        wide = min(self.x + half, other.x + other_half) - max(self.x - half, other.x - other_half)
        high = min(self.y + half, other.y + other_half) - max(self.y - half, other.y - other_half)
        both = max(0.0, wide) * max(0.0, high)
        return both / (self.side**2 + other.side**2 - both)


def _turn(angle: float) -> Points:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


@dataclass(frozen=True, slots=True)
class Similarity:
    """x -> zoom * turn(angle) * (x - origin) + target, in pixels, clockwise."""

    zoom: float
    angle: float
    origin: tuple[float, float]
    target: tuple[float, float]

    @classmethod
    def between(cls, head: HeadBox, wanted: HeadBox) -> Similarity:
        """What brings `head` onto `wanted`."""
        return cls(
            wanted.side / head.side,
            wanted.angle - head.angle,
            (head.x, head.y),
            (wanted.x, wanted.y),
        )

    def points(self, points: Points) -> Points:
        """Map points (n, 2)."""
        return (points - self.origin) @ _turn(self.angle).T * self.zoom + self.target

    def back(self, points: Points) -> Points:
        """Where mapped points (n, 2) come from."""
        return (points - self.target) @ _turn(-self.angle).T / self.zoom + self.origin

    def head(self, head: HeadBox) -> HeadBox:
        """Map a head box."""
        x, y = self.points(np.array([[head.x, head.y]]))[0]
        return replace(
            head,
            x=float(x),
            y=float(y),
            side=head.side * self.zoom,
            angle=head.angle + self.angle,
        )

    def head_back(self, head: HeadBox) -> HeadBox:
        """The box that is mapped to `head`."""
        x, y = self.back(np.array([[head.x, head.y]]))[0]
        return replace(
            head,
            x=float(x),
            y=float(y),
            side=head.side / self.zoom,
            angle=head.angle - self.angle,
        )

    def picture(
        self, picture: Rgba, size: tuple[int, int], fill: tuple[int, ...] | None = None
    ) -> Rgba:
        """Draw a picture (h, w, 3 or 4) through the map onto `size` (width, height).

        Pictures with alpha are scaled premultiplied. Outside of the picture is `fill`, or 0.
        """
        cropped, offset = self._needed(picture, size)
        image = Image.fromarray(cropped)
        if image.mode == "RGBA":
            # So that the colours of invisible pixels do not bleed into the edge.
            image = image.convert("RGBa")
        shrink = min(1.0, self.zoom)
        if shrink < 1.0:
            small = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
            image = image.resize(small, Image.Resampling.LANCZOS)
        across = image.width / cropped.shape[1]
        down = image.height / cropped.shape[0]
        matrix = _turn(-self.angle) / self.zoom
        shift = np.array(self.origin) - offset - matrix @ np.array(self.target)
        rows = np.array([across, down])[:, None] * np.column_stack([matrix, shift])
        drawn = image.transform(
            size,
            Image.Transform.AFFINE,
            tuple(float(value) for value in rows.ravel()),
            Image.Resampling.BICUBIC,
            fillcolor=fill,
        )
        if drawn.mode == "RGBa":
            drawn = drawn.convert("RGBA")
        return np.array(drawn, np.uint8)

    def continued(self, picture: Rgba, drawn: Rgba) -> Rgba:
        """Fill what of `drawn` shows no part of an opaque picture with the picture's border.

        drawn: (h, w, 4), what `picture` has drawn. Returns it with alpha 255 everywhere.
        """
        filled = drawn.copy()
        rows, columns = np.nonzero(drawn[..., 3] < 255)
        if rows.size:
            source = self.back(np.stack([columns + 0.5, rows + 0.5], 1)).astype(int)
            x, y = np.clip(source, 0, [picture.shape[1] - 1, picture.shape[0] - 1]).T
            filled[rows, columns] = picture[y, x]
        filled[..., 3] = 255
        return filled

    def _needed(self, picture: Rgba, size: tuple[int, int]) -> tuple[Rgba, Points]:
        """The part of a picture that can be seen on `size`, and where it begins."""
        width, height = size
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
        corners = self.back(frame)
        margin = 4 + 4 / self.zoom
        low = np.floor(corners.min(0) - margin).astype(int)
        high = np.ceil(corners.max(0) + margin).astype(int)
        left, top = np.clip(low, 0, [picture.shape[1] - 1, picture.shape[0] - 1])
        right = int(np.clip(high[0], left + 1, picture.shape[1]))
        bottom = int(np.clip(high[1], top + 1, picture.shape[0]))
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        return part, np.array([left, top], float)


def letterbox(picture: Rgba, side: int) -> tuple[Rgba, Similarity]:
    """Scale a picture (h, w, 3) into a square of grey, and tell how."""
    height, width = picture.shape[:2]
    zoom = side / max(height, width)
    map_ = Similarity(zoom, 0.0, (width / 2, height / 2), (side / 2, side / 2))
    return map_.picture(picture, (side, side), (128, 128, 128)), map_
