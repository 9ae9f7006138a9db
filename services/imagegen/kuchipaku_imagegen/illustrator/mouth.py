"""Mouth: lip curves mixed linearly from the visemes, with teeth and tongue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ink import Brush, Ink
from .look import Look
from .palette import Colour, light, mix
from .pose import Pose
from .rig import Space
from .spline import FloatArray, Point, ribbon, smooth, tapered
from .style import MouthStyle

_T = np.linspace(-1, 1, 15)
_ROUND = np.sqrt(np.clip(1 - _T**2, 0, 1))
_BOW = 1 - _T**2
_TENT = 1 - np.abs(_T)

_THROAT: Colour = (0.34, 0.07, 0.13)
_LIP: Colour = (0.90, 0.42, 0.44)
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


_CLOSED = _Viseme(9.2, np.zeros(15), np.zeros(15), 0.0, 0.0)
_VISEMES: dict[str, _Viseme] = {
    "aaa": _Viseme(12.2, -3.6 * _ROUND, 12.4 * _BOW**0.60, 2.6, 1.0),
    "iii": _Viseme(14.0, -1.8 * _ROUND, 5.4 * _BOW**0.45, 3.6, 0.0),
    "uuu": _Viseme(4.4, -2.5 * _ROUND, 3.8 * _ROUND, 0.0, 0.3),
    "eee": _Viseme(12.2, -2.1 * _ROUND, 8.2 * _BOW**0.50, 2.6, 0.8),
    "ooo": _Viseme(6.9, -4.8 * _ROUND, 9.4 * _ROUND, 0.0, 0.7),
    "delta": _Viseme(9.6, -5.4 * _TENT, 5.0 * _BOW**0.35, 1.4, 0.6),
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
    style = look.style.mouth
    weights = {name: pose[f"mouth_{name}"] for name in _VISEMES}
    scale = 1 / max(1.0, sum(weights.values()))
    weights = {name: weight * scale for name, weight in weights.items()}
    rest = max(0.0, 1 - sum(weights.values()))
    shapes = [(rest, _CLOSED)] + [(weights[name], _VISEMES[name]) for name in _VISEMES]
    half = sum(w * shape.half_width for w, shape in shapes)
    half *= (1 + 0.08 * look.geometry.mouth_width) * (style.width + rest * (style.rest - 1))
    upper = sum((w * shape.upper for w, shape in shapes), np.zeros(15)) * style.height
    lower = sum((w * shape.lower for w, shape in shapes), np.zeros(15)) * style.height
    smile = (
        (1.6 + 0.9 * look.geometry.smile)
        * (_BOW - 0.5)
        * (rest + 0.6 * (weights["aaa"] + weights["iii"] + weights["eee"]))
    )
    smirk = pose["mouth_smirk"]
    right, left = np.clip(_T, 0, 1), np.clip(-_T, 0, 1)
    corners = (
        (4.8 * pose["mouth_lowered_corner_left"] - 5.0 * pose["mouth_raised_corner_left"])
        * right**1.8
        + (4.8 * pose["mouth_lowered_corner_right"] - 5.0 * pose["mouth_raised_corner_right"])
        * left**1.8
        - 5.6 * smirk * right**1.8
        + 1.2 * smirk * left
    )
    # Corners of a smaller mouth reach less far.
    smile, corners = smile * style.width, corners * style.width
    upper = upper + smile * 0.9 + corners
    lower = np.maximum(lower + smile + corners, upper)
    return _Lips(
        x=_T * half + 2.4 * smirk,
        upper=upper,
        lower=lower,
        half_width=half,
        teeth=sum(w * shape.teeth for w, shape in shapes) * style.teeth,
        tongue=sum(w * shape.tongue for w, shape in shapes) * style.tongue,
    )


def draw_mouth(ink: Ink, look: Look, pose: Pose) -> None:
    lips = _lips(look, pose)
    tones, style = look.tones, look.style.mouth
    brush = ink.on(Space.HEAD, 3)
    level = 43.4 + 1.1 * look.geometry.mouth_level + style.level
    upper = np.stack([lips.x, level + lips.upper], 1)
    lower = np.stack([lips.x, level + lips.lower], 1)
    line = mix(tones.skin_line, (0.40, 0.12, 0.14), 0.55)
    lip = mix(tones.skin_shadow, _LIP, 0.55 if look.feminine else 0.25)
    _draw_lip(brush, look, lower, lip)
    if lips.gap > 0.6:
        _draw_open(brush, lips, style, upper, lower, line)
    if lips.gap < 2.2:
        alpha = min(1.0, (2.2 - lips.gap) / 1.2)
        points: list[Point] = [(x, y) for x, y in upper.tolist()]
        thin = style.line
        quiet = mix(line, tones.skin_shadow, style.paleness)
        brush.fill(tapered(points, 1.0 * thin, 1.9 * thin, 1.0 * thin), quiet, alpha)
    bottom = float(np.max(lower[:, 1]))
    bottom = min(bottom + 4.4, bottom * 0.5 + 29.5)
    shadow: list[Point] = [(-3.4, bottom), (0, bottom + 0.7), (3.4, bottom)]
    brush.fill(tapered(shadow, 0.2, 1.7, 0.2), tones.skin_shadow, min(1.0, 0.9 * style.under))


def _draw_lip(brush: Brush, look: Look, lower: FloatArray, tone: Colour) -> None:
    """Tint of the lower lip."""
    middle = lower[4:11] + np.array([0.0, 0.9])
    points: list[Point] = [(x, y) for x, y in middle.tolist()]
    wide = 3.2 if look.feminine and not look.child else 2.2
    full = look.feminine and look.adult
    strength = (0.9 if full else 0.7) * look.style.mouth.lip
    brush.fill(tapered(points, 0.4, wide + 0.6 * full, 0.4), tone, min(1.0, strength))


def _draw_open(  # noqa: PLR0917
    brush: Brush,
    lips: _Lips,
    style: MouthStyle,
    upper: FloatArray,
    lower: FloatArray,
    line: Colour,
) -> None:
    alpha = min(1.0, lips.gap / 1.6)
    hole = ribbon(upper, lower)
    top, bottom = float(np.min(upper[:, 1])), float(np.max(lower[:, 1]))
    with brush.clip(hole):
        throat = mix(_THROAT, style.cavity, style.flatness)
        low_tone = light(style.cavity, 0.12 * (1 - style.flatness))
        stops = [(0.0, throat, alpha), (0.7, style.cavity, alpha), (1.0, low_tone, alpha)]
        brush.fill(hole, brush.linear((0, top), (0, bottom), stops))
        if lips.tongue > 0.05:
            _draw_tongue(brush, lips, bottom, alpha)
        teeth = lips.teeth * min(1.0, lips.gap / 3)
        if teeth > 0.15:
            drop = teeth * (0.55 + 0.45 * _BOW[:, None])
            band = ribbon(upper - np.array([0.0, 2.0]), upper + drop * np.array([0.0, 1.0]))
            brush.fill(band, _TEETH, min(1.0, teeth))
        if lips.teeth > 3.0:
            low = ribbon(lower - np.array([0.0, 1.3]), lower + np.array([0.0, 2.0]))
            brush.fill(low, _TEETH, min(1.0, lips.teeth - 3.0) * 0.95)
    brush.stroke(hole, line, 1.15, alpha * style.outline)
    edge: list[Point] = [(x, y) for x, y in upper.tolist()]
    heavy = min(1.0, lips.half_width / 9)
    brush.fill(tapered(edge, heavy, 1.9 * heavy, heavy), line, alpha * style.outline)


def _draw_tongue(brush: Brush, lips: _Lips, bottom: float, alpha: float) -> None:
    width = lips.half_width * 0.76
    top = bottom - lips.gap * (0.2 + 0.3 * min(1.0, lips.tongue))
    points: list[Point] = [(-width, top + 2.2), (-width * 0.4, top), (0, top + 0.9)]
    points += [(width * 0.4, top), (width, top + 2.2)]
    points += [(width * 1.3, bottom + 3), (-width * 1.3, bottom + 3)]
    brush.fill(smooth(points), _TONGUE, alpha)
    shine: list[Point] = [(-width * 0.5, top + 1.9), (-width * 0.2, top + 1.5), (0, top + 2.2)]
    brush.fill(tapered(shine, 0.3, 1.1, 0.3), light(_TONGUE, 0.45), alpha * 0.8)
