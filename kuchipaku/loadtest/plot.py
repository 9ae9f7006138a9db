"""A small plot as SVG: lines over a linear x axis and a logarithmic y axis with a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 20, 50
_COLOURS = ("#2563eb", "#db2777", "#059669", "#d97706")
_FLOOR = 1.0
"""What is smaller, early frames too, is drawn at the bottom."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a name and its points (x, y), sorted by x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    x_max: float
    y_max: float

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / self.x_max

    def y(self, value: float) -> float:
        part = math.log10(max(value, _FLOOR) / _FLOOR) / math.log10(self.y_max / _FLOOR)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * part


def plot(series: Sequence[Series], limit: float, *, x_title: str, y_title: str) -> str:
    """Draw the lines, and ``limit`` as a dashed one."""
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    top = 10 ** math.ceil(math.log10(max([limit, *ys]) * 1.001))
    scale = _Scale(max([1.0, *xs]) * 1.05, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_axes(scale, x_title, y_title),
        _line(scale, [(0, limit), (scale.x_max, limit)], "#6b7280", 'stroke-dasharray="6 4"'),
        f'<text x="{_LEFT + 6}" y="{scale.y(limit) - 5:.1f}" fill="#6b7280">SLO</text>',
    ]
    for number, one in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(_line(scale, one.points, colour, ""))
        parts += [
            f'<circle cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="3.5" fill="{colour}"/>'
            for x, y in one.points
        ]
        label_y = _TOP + 16 * (number + 1)
        parts.append(
            f'<text x="{_LEFT + 12}" y="{label_y}" fill="{colour}">{escape(one.name)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(scale: _Scale, x_title: str, y_title: str) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    decade = _FLOOR
    while decade <= scale.y_max:
        y = scale.y(decade)
        parts.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" '
            'stroke="#e5e7eb"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{decade:g}</text>'
        )
        decade *= 10
    step = max(1, round(scale.x_max / 10))
    for value in range(0, int(scale.x_max) + 1, step):
        x = scale.x(value)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value}</text>')
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    parts += [
        f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - _RIGHT}" y2="{bottom}" stroke="black"/>',
        f'<line x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{bottom}" stroke="black"/>',
        f'<text x="{middle_x}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>',
        f'<text x="18" y="{middle_y}" text-anchor="middle" '
        f'transform="rotate(-90 18 {middle_y})">{escape(y_title)}</text>',
    ]
    return parts


def _line(scale: _Scale, points: Sequence[tuple[float, float]], colour: str, extra: str) -> str:
    path = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" {extra}/>'
