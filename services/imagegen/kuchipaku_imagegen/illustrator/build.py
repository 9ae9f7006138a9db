"""Proportions of one character: moves the points of the standard drawing before it is posed."""

from __future__ import annotations

import numpy as np

from .attributes import Attributes, Figure
from .rig import Space
from .spline import FloatArray, smoothstep

#: Widths of shoulders, waist and hips, body height, jaw width and chin length against the standard.
_FIGURES: dict[Figure, tuple[float, float, float, float, float, float]] = {
    Figure.GIRL: (0.93, 0.99, 0.96, 0.96, 1.00, 0.0),
    Figure.WOMAN: (0.97, 1.00, 1.01, 1.05, 0.95, 1.4),
    Figure.BOY: (0.90, 0.96, 0.97, 0.96, 1.00, 0.4),
    Figure.MAN: (1.04, 1.03, 1.00, 1.05, 0.98, 2.0),
}
_SCALE_PIVOT_Y = 52.0
_NECK_BASE_Y = 62.0


class Build:
    """Body and head proportions from the figure and the individual geometry."""

    def __init__(self, attributes: Attributes) -> None:
        shoulder, waist, hip, height, jaw, chin = _FIGURES[attributes.figure]
        geometry = attributes.geometry
        self._head_scale = 1.0 + 0.035 * geometry.head_size - 0.01
        self._jaw = jaw - 1 + 0.05 * geometry.jaw_width
        self._chin = chin + 1.4 * geometry.chin_length
        self._height = height + 0.03 * geometry.body_height
        self._shoulder = shoulder + 0.04 * geometry.shoulder_width
        waist = waist + 0.04 * geometry.waist_width
        hip = hip + 0.04 * geometry.hip_width
        self._levels = np.array([60.0, 82.0, 130.0, 190.0, 255.0, 400.0])
        chest = (self._shoulder + waist) / 2
        self._widths = np.array([1.0, self._shoulder, chest, waist, hip, hip])

    def shaped(self, points: FloatArray, space: Space, weight: FloatArray) -> FloatArray:
        """Points (n, 2) of the standard drawing moved to this character's proportions."""
        if space in (Space.BODY, Space.ARM):
            return self._body(points, arm=space is Space.ARM)
        if space in (Space.HEAD, Space.JAW, Space.FLAT, Space.HAIR):
            return self._head(points)
        w = weight[:, None]
        result: FloatArray = self._head(points) * (1 - w) + self._body(points, arm=False) * w
        return result

    def _head(self, points: FloatArray) -> FloatArray:
        x, y = points[:, 0], points[:, 1]
        below = smoothstep(8, 58, y)
        x = x * (1 + self._jaw * below * (1 - smoothstep(70, 120, y))) * self._head_scale
        y = y + self._chin * smoothstep(18, 60, y)
        return np.stack([x, _SCALE_PIVOT_Y + (y - _SCALE_PIVOT_Y) * self._head_scale], 1)

    def _body(self, points: FloatArray, *, arm: bool) -> FloatArray:
        x, y = points[:, 0], points[:, 1]
        width = np.interp(y, self._levels, self._widths)
        if arm:
            width = np.where(y > 82, self._shoulder, width)
        y = np.where(y > _NECK_BASE_Y, _NECK_BASE_Y + (y - _NECK_BASE_Y) * self._height, y)
        return np.stack([x * width, y], 1)
