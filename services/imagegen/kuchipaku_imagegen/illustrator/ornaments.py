"""Small decorations that outfits and accessories share: bows, flowers, frills and buttons."""

from __future__ import annotations

import math

import numpy as np

from .ink import Brush
from .palette import Colour, colour, light, outline, shade
from .spline import Point, ellipse, smooth, tapered

_GOLD = colour("#f0c24a")
_GOLD_LINE = colour("#7b5a1c")


def draw_bow(
    brush: Brush,
    x: float,
    y: float,
    size: float,
    tone: Colour,
    *,
    tails: bool = True,
    angle: float = 0.0,
) -> None:
    """Ribbon bow around its knot at (x, y); `size` is half its width, `angle` in radians."""
    cos, sin = math.cos(angle) * size, math.sin(angle) * size

    def placed(points: list[Point]) -> list[Point]:
        return [
            (x + p[0] * cos - p[1] * sin, y + p[0] * sin + p[1] * cos, p[2] if len(p) > 2 else 0)
            for p in points
        ]

    if tails:
        for side in (1, -1):
            tail: list[Point] = [(0, 0, 1), (side * 0.5, 0.5), (side * 0.78, 1.5, 1)]
            tail += [(side * 0.45, 1.35, 1), (side * 0.25, 1.6, 1), (side * 0.05, 0.6)]
            brush.shape(smooth(placed(tail)), shade(tone, 0.12))
    for side in (1, -1):
        loop: list[Point] = [(0, 0, 1), (side * 0.5, -0.5), (side * 1.15, -0.62)]
        loop += [(side * 1.27, 0), (side * 1.1, 0.55), (side * 0.5, 0.4)]
        with brush.part(smooth(placed(loop)), tone):
            dark: list[Point] = [(0, 0, 1), (side * 0.4, 0.1), (side * 1.0, 0.2)]
            dark += [(side * 1.3, 0.7), (side * 0.4, 0.8)]
            brush.fill(smooth(placed(dark)), shade(tone, 0.25), 0.8)
            lit: list[Point] = [(side * 0.55, -0.42), (side * 1.05, -0.42), (side * 0.8, -0.25)]
            brush.fill(smooth(placed(lit)), light(tone, 0.5), 0.55)
            fold: list[Point] = [(side * 0.2, -0.05), (side * 0.45, -0.16), (side * 0.7, -0.16)]
            brush.fill(tapered(placed(fold), 1.2, 0.8, 0.2), outline(tone), 0.7)
    knot: list[Point] = [(-0.22, -0.26), (0.22, -0.26), (0.25, 0.24), (-0.25, 0.24)]
    brush.raised(1).shape(smooth(placed(knot)), light(tone, 0.08))


def draw_flower(brush: Brush, x: float, y: float, radius: float, tone: Colour) -> None:
    """Five round petals as one outline, with a golden middle."""
    petals: list[Point] = []
    for index in range(5):
        turn = index * 2 * math.pi / 5 - 0.3
        for offset, reach in ((-0.63, 0.62), (-0.32, 1.02), (0.0, 1.08), (0.32, 1.02)):
            a = turn + offset
            corner = 1 if reach < 0.7 else 0
            petals.append(
                (x + radius * reach * math.cos(a), y + radius * reach * math.sin(a), corner)
            )
    brush.shape(smooth(petals), tone, outline(tone, 0.35), 0.7)
    brush.fill(ellipse(x, y, radius * 0.34, radius * 0.34, points=4), _GOLD)


def draw_button(brush: Brush, x: float, y: float, radius: float = 3.2) -> None:
    brush.dot(x, y, radius, _GOLD, _GOLD_LINE)
    brush.fill(ellipse(x - 0.8, y - 0.9, 1, 0.8, points=4), (1, 1, 1), 0.6)


def draw_frill(
    brush: Brush,
    span: tuple[float, float],
    y: float,
    waves: int,
    tone: Colour,
    *,
    height: float,
    sag: float = 9.0,
) -> None:
    """Ruffled border between two x positions that hangs `sag` lower in the middle."""
    left, right = span
    middle, half = (left + right) / 2, (right - left) / 2
    xs = np.linspace(left, right, waves * 2 + 1).tolist()

    def level(x: float) -> float:
        return y + sag * (1 - ((x - middle) / half) ** 2)

    top: list[Point] = [(x, level(x) - height * 0.55) for x in xs]
    hem: list[Point] = [(x, level(x) + height * (0.5 if i % 2 else 0.15)) for i, x in enumerate(xs)]
    ends: list[Point] = [(*top[0][:2], 1), *top[1:-1], (*top[-1][:2], 1), *reversed(hem)]
    with brush.part(smooth(ends), tone):
        for x in xs[1:-1:2]:
            fold: list[Point] = [(x, level(x) - height * 0.4), (x, level(x) + height * 0.12)]
            brush.line(fold, outline(tone), 0.8, 0.5)
