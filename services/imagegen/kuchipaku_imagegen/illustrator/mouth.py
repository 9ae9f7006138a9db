"""Mouth: lip curves mixed linearly from the visemes, with teeth and tongue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ink import Brush, Ink
from .look import Look
from .palette import Colour, mix
from .pose import Pose
from .rig import Space
from .spline import FloatArray, Point, line_through, ribbon, smooth

_T = np.linspace(-1, 1, 15)
_ROUND = np.sqrt(np.clip(1 - _T**2, 0, 1))
_BOW = 1 - _T**2
_TENT = 1 - np.abs(_T)

_CAVITY: Colour = (0.50, 0.13, 0.18)
_TONGUE: Colour = (0.94, 0.50, 0.50)
_TEETH: Colour = (0.995, 0.98, 0.98)


@dataclass(frozen=True, slots=True)
class _Viseme:
    """Half width; profiles of upper and lower lip (15,), pixels; depth of upper teeth; tongue."""

    half_width: float
    upper: FloatArray
    lower: FloatArray
    teeth: float
    tongue: float


_CLOSED = _Viseme(8.4, np.zeros(15), np.zeros(15), 0.0, 0.0)
_VISEMES: dict[str, _Viseme] = {
    "aaa": _Viseme(10.6, -2.6 * _ROUND, 11.2 * _BOW**0.62, 1.9, 1.0),
    "iii": _Viseme(12.0, -1.3 * _ROUND, 4.6 * _BOW**0.45, 3.2, 0.0),
    "uuu": _Viseme(4.4, -2.1 * _ROUND, 3.4 * _ROUND, 0.0, 0.3),
    "eee": _Viseme(10.8, -1.7 * _ROUND, 7.2 * _BOW**0.50, 2.0, 0.8),
    "ooo": _Viseme(6.2, -3.8 * _ROUND, 8.2 * _ROUND, 0.0, 0.7),
    "delta": _Viseme(9.2, -4.8 * _TENT, 4.8 * _BOW**0.35, 1.0, 0.6),
}


@dataclass(frozen=True, slots=True)
class _Lips:
    x: FloatArray
    upper: FloatArray
    lower: FloatArray
    half_width: float
    teeth: float
    tongue: float

    @property
    def gap(self) -> float:
        return float(np.max(self.lower - self.upper))


def _lips(look: Look, pose: Pose) -> _Lips:
    weights = {name: pose[f"mouth_{name}"] for name in _VISEMES}
    scale = 1 / max(1.0, sum(weights.values()))
    weights = {name: weight * scale for name, weight in weights.items()}
    rest = max(0.0, 1 - sum(weights.values()))
    shapes = [(rest, _CLOSED)] + [(weights[name], _VISEMES[name]) for name in _VISEMES]
    half = sum(w * shape.half_width for w, shape in shapes)
    half *= 1 + 0.08 * look.geometry.mouth_width
    upper = sum((w * shape.upper for w, shape in shapes), np.zeros(15))
    lower = sum((w * shape.lower for w, shape in shapes), np.zeros(15))
    smile = 1.5 * (_BOW - 0.5) * (rest + 0.6 * (weights["aaa"] + weights["iii"] + weights["eee"]))
    smirk = pose["mouth_smirk"]
    right, left = np.clip(_T, 0, 1), np.clip(-_T, 0, 1)
    corners = (
        (3.6 * pose["mouth_lowered_corner_left"] - 3.8 * pose["mouth_raised_corner_left"])
        * right**1.8
        + (3.6 * pose["mouth_lowered_corner_right"] - 3.8 * pose["mouth_raised_corner_right"])
        * left**1.8
        - 4.0 * smirk * right**1.8
        + 0.8 * smirk * left
    )
    upper = upper + smile * 0.9 + corners
    lower = np.maximum(lower + smile + corners, upper)
    return _Lips(
        x=_T * half + 1.8 * smirk,
        upper=upper,
        lower=lower,
        half_width=half,
        teeth=sum(w * shape.teeth for w, shape in shapes),
        tongue=sum(w * shape.tongue for w, shape in shapes),
    )


def draw_mouth(ink: Ink, look: Look, pose: Pose) -> None:
    lips = _lips(look, pose)
    tones = look.tones
    brush = ink.on(Space.HEAD, 3)
    level = 44.2 + 1.1 * look.geometry.mouth_level
    upper = np.stack([lips.x, level + lips.upper], 1)
    lower = np.stack([lips.x, level + lips.lower], 1)
    line = mix(tones.skin_line, (0.40, 0.12, 0.14), 0.55)
    if lips.gap > 0.6:
        _draw_open(brush, lips, upper, lower, line)
    if lips.gap < 2.2:
        alpha = min(1.0, (2.2 - lips.gap) / 1.2)
        points: list[Point] = [(x, y) for x, y in upper.tolist()]
        brush.stroke(line_through(points), line, 1.25, alpha)
        brush.line(points[4:11], line, 0.8, alpha * 0.7)
    bottom = float(np.max(lower[:, 1])) + 4.0
    brush.line([(-2.6, bottom), (0, bottom + 0.5), (2.6, bottom)], tones.skin_shadow, 1.2, 0.8)


def _draw_open(
    brush: Brush, lips: _Lips, upper: FloatArray, lower: FloatArray, line: Colour
) -> None:
    alpha = min(1.0, lips.gap / 1.6)
    hole = ribbon(upper, lower)
    with brush.clip(hole):
        brush.fill(hole, _CAVITY, alpha)
        if lips.tongue > 0.05:
            _draw_tongue(brush, lips, float(np.max(lower[:, 1])), alpha)
        teeth = lips.teeth * min(1.0, lips.gap / 3)
        if teeth > 0.15:
            band = ribbon(upper - np.array([0.0, 2.0]), upper + np.array([0.0, teeth]))
            brush.fill(band, _TEETH, min(1.0, teeth))
    brush.stroke(hole, line, 1.2, alpha)


def _draw_tongue(brush: Brush, lips: _Lips, bottom: float, alpha: float) -> None:
    width = lips.half_width * 0.78
    top = bottom - lips.gap * (0.2 + 0.3 * min(1.0, lips.tongue))
    points: list[Point] = [(-width, top + 2.0), (0, top - 0.6), (width, top + 2.0)]
    points += [(width * 1.3, bottom + 3), (-width * 1.3, bottom + 3)]
    brush.fill(smooth(points), _TONGUE, alpha)
    brush.line([(0, top + 0.6), (0.2, bottom)], mix(_TONGUE, _CAVITY, 0.4), 0.7, alpha * 0.6)
