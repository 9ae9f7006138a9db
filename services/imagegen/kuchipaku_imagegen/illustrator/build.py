"""Proportions of one character: moves the points of the standard drawing before it is posed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .attributes import Age, Attributes, FaceShape, Figure
from .rig import Space
from .spline import FloatArray, smoothstep
from .style import OWN_HAND, Style


@dataclass(frozen=True, slots=True)
class _Proportions:
    """Widths of shoulders, waist, hips and jaw and the height of the body against the standard.

    chin: how much longer the chin is, pixels.
    """

    shoulder: float
    waist: float
    hip: float
    height: float
    jaw: float
    chin: float


_FIGURES: dict[Figure, _Proportions] = {
    Figure.GIRL: _Proportions(0.91, 0.98, 0.96, 0.96, 0.99, 0.0),
    Figure.WOMAN: _Proportions(0.98, 1.00, 1.05, 1.05, 0.94, 2.4),
    Figure.BOY: _Proportions(0.90, 0.94, 0.96, 0.96, 0.97, 0.8),
    Figure.MAN: _Proportions(1.08, 1.04, 1.02, 1.05, 0.95, 3.4),
}
_AGES: dict[Age, _Proportions] = {
    Age.CHILD: _Proportions(0.86, 1.02, 0.95, 0.90, 1.0, -1.2),
    Age.YOUNG: _Proportions(1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    Age.ELDERLY: _Proportions(0.96, 1.06, 1.02, 0.97, 1.03, 0.8),
}
#: Jaw width and chin length of a face shape.
_FACES: dict[FaceShape, tuple[float, float]] = {
    FaceShape.OVAL: (0.0, 0.4),
    FaceShape.ROUND: (0.02, -1.6),
    FaceShape.POINTED: (-0.07, 1.8),
    FaceShape.SQUARE: (0.03, 0.8),
}
_SCALE_PIVOT_Y = 52.0
_NECK_BASE_Y = 62.0


def _proportions(attributes: Attributes, style: Style) -> _Proportions:
    figure, age = _FIGURES[attributes.figure], _AGES[attributes.age]
    jaw, chin = _FACES[attributes.face_shape]
    geometry = attributes.geometry
    return replace(
        figure,
        shoulder=figure.shoulder * age.shoulder + 0.04 * geometry.shoulder_width,
        waist=figure.waist * age.waist + 0.04 * geometry.waist_width,
        hip=figure.hip * age.hip + 0.04 * geometry.hip_width,
        height=figure.height * age.height + 0.03 * geometry.body_height,
        jaw=figure.jaw * age.jaw - 1 + jaw + 0.04 * geometry.jaw_width + style.jaw,
        chin=figure.chin + age.chin + chin + 1.4 * geometry.chin_length + style.chin,
    )


class Build:
    """Body and head proportions from figure, age, face shape and the individual geometry."""

    def __init__(self, attributes: Attributes, style: Style = OWN_HAND) -> None:
        of = _proportions(attributes, style)
        geometry = attributes.geometry
        self._head_scale = 1.0 + 0.035 * geometry.head_size - 0.01
        self._jaw, self._chin, self._height = of.jaw, of.chin, of.height
        self._shoulder = of.shoulder
        self._levels = np.array([60.0, 82.0, 130.0, 190.0, 255.0, 400.0])
        chest = (of.shoulder + of.waist) / 2
        self._widths = np.array([1.0, of.shoulder, chest, of.waist, of.hip, of.hip])
        self._sway = 5.5 * geometry.hip_sway
        self._tilt = 0.045 * geometry.shoulder_tilt

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
            # Arms hang from the shoulders, hands before the belly keep to its middle.
            width = np.where(y > 82, self._shoulder, width)
        wide = x * width
        # The weight on one leg: hips to one side, the shoulder above them lower.
        wide = wide + self._sway * smoothstep(110, 270, y)
        drop = self._tilt * wide * smoothstep(66, 92, y) * (1 - smoothstep(110, 240, y))
        y = np.where(y > _NECK_BASE_Y, _NECK_BASE_Y + (y - _NECK_BASE_Y) * self._height, y)
        return np.stack([wide, y + drop], 1)
