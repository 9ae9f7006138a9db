"""Pieces of clothing that the outfits are put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .body import arm_line, draw_hand, draw_legs, limb_edges, shoulder_points, torso_side
from .ink import Brush, Gradient, Ink
from .look import Look
from .palette import Colour, light, outline, shade
from .rig import Space
from .spline import (
    FloatArray,
    Point,
    line_through,
    sided,
    smooth,
    straight,
    symmetric,
    tapered,
)


def cloth_paint(brush: Brush, tone: Colour, top: float, bottom: float) -> Gradient:
    """Cloth lit from above."""
    stops = [(0.0, light(tone, 0.10)), (0.4, tone), (1.0, shade(tone, 0.09))]
    return brush.linear((0, top), (0, bottom), stops)


@contextmanager
def torso(
    ink: Ink,
    look: Look,
    tone: Colour,
    *,
    neck: tuple[float, float] = (14, 72),
    neckline: float | None = None,
    bottom: float = 300,
    loose: float = 0.0,
) -> Iterator[Brush]:
    """Upper garment; yields a brush clipped to it.

    neck: where the garment meets the neck. neckline: y of a pointed neckline, None for a round
    one. bottom: y of the hem. loose: how far the cloth stands off the waist, pixels.
    """
    brush = ink.on(Space.BODY)
    side: list[Point] = [(neck[0] + 2, neck[1], 1)]
    for point in torso_side(look):
        if point[1] < bottom:
            off = loose * min(1.0, max(0.0, (point[1] - 100) / 100))
            side.append((point[0] + off, point[1]))
    side.append((side[-1][0] + loose * 0.3, bottom, 1))
    middle: Point = (0, neck[1] + 10) if neckline is None else (0, neckline, 1)
    curve = smooth(symmetric([middle, *side, (0, bottom + 2)]))
    with brush.part(curve, cloth_paint(brush, tone, 80, bottom + 40), outline(tone)):
        shade_chest(brush, look, tone)
        yield brush


def shade_chest(brush: Brush, look: Look, tone: Colour, strength: float = 0.75) -> None:
    """Shadows at both sides of the torso and folds at the waist."""
    dark = shade(tone, 0.22)
    line = outline(tone)
    for side in (1, -1):
        if look.feminine and look.adult:
            area: list[Point] = [(52, 118), (41, 141), (22, 150), (8, 146), (17, 158), (30, 172)]
            area += [(34, 205), (44, 250), (46, 300), (72, 300), (72, 130)]
        elif look.feminine:
            area = [(54, 114), (40, 140), (33, 168), (28, 196), (34, 240), (42, 300), (74, 300)]
        else:
            area = [(62, 118), (46, 148), (38, 200), (39, 300), (72, 300)]
        brush.fill(smooth(sided(side, area)), dark, strength)
        fold: list[Point] = [(38, 186), (28, 193), (17, 195)]
        brush.fill(tapered(sided(side, fold), 1.6, 1.1, 0.2), line, 0.35)
        crease: list[Point] = [(40, 108), (33, 118), (29, 130)]
        brush.fill(tapered(sided(side, crease), 1.4, 1.0, 0.2), line, 0.4)


def sleeve(
    ink: Ink,
    look: Look,
    side: int,
    tone: Colour,
    *,
    length: float = 1.0,
    width: float = 20.0,
    cuff: Colour | None = None,
    flare: float = 0.0,
) -> None:
    """Sleeve over the first `length` (0..1) of the arm, sewn to the shoulder."""
    if length >= 1:
        draw_hand(ink, look, side)
    brush = ink.on(Space.ARM, 2)
    count = max(2, round(length * 4) + 1)
    line = arm_line(look, side)[:count]
    wider = 4.0 if look.feminine else 7.0
    end = width * (0.80 if length > 0.5 else 1.02) + flare
    outer, inner = limb_edges(line, np.linspace(width + wider, end, count), side)
    root, tip = shoulder_points(look, side)
    top: list[Point] = [root, tip, *_points(outer[:-1]), (*_points(outer[-1:])[0][:2], 1)]
    under: list[Point] = [(*_points(inner[-1:])[0][:2], 1), *_points(inner[-2:0:-1])]
    armpit = _points(inner[:1] + np.array([0.0, 14.0]))[0]
    hidden: Point = (root[0] - side * 3, 97, 1)
    whole = smooth([hidden, *top, *under, (*armpit[:2], 1)])
    with brush.part(whole, cloth_paint(brush, tone, 84, 250), outline(tone), 0):
        _shade_sleeve(brush, look, side, tone, edges=(outer, inner))
        if cuff is not None:
            _draw_cuff(brush, outer, inner, cuff)
    brush.stroke(line_through([*top[1:], *under, (*armpit[:2], 0)]), outline(tone))


def _points(rows: FloatArray) -> list[Point]:
    return [(float(x), float(y)) for x, y in rows]


def _shade_sleeve(
    brush: Brush, look: Look, side: int, tone: Colour, *, edges: tuple[FloatArray, FloatArray]
) -> None:
    outer, inner = edges
    dark, line = shade(tone, 0.26), outline(tone)
    depth = np.linspace(0.10, 0.38, len(inner))[:, None]
    edge = inner + (outer - inner) * depth
    away = inner + np.array([-side * 20.0, 8.0])
    start: Point = (side * (38.0 if look.feminine else 46.0), 112.0)
    brush.fill(smooth([start, *_points(edge[1:]), *_points(away[::-1])]), dark, 0.85)
    if len(outer) > 3:
        x, y = ((outer + inner) / 2)[2]
        for drop, reach in ((-10.0, 7.0), (0.0, 9.0), (8.0, 6.0)):
            fold: list[Point] = [(x - side * 10, y + drop), (x - side * 3, y + drop + 4)]
            fold.append((x + side * (reach - 4), y + drop + 4.5))
            brush.fill(tapered(fold, 1.6, 1.1, 0.2), line, 0.42)
        lit = outer[1:4] + (inner[1:4] - outer[1:4]) * 0.22
        brush.fill(tapered(_points(lit), 0.3, 2.6, 0.3), light(tone, 0.35), 0.4)


def _draw_cuff(brush: Brush, outer: FloatArray, inner: FloatArray, tone: Colour) -> None:
    along = outer[-1] - outer[-2]
    along = along / max(1e-6, float(np.hypot(*along))) * 9.5
    drop = np.array([0.0, 2.0])
    corners = np.stack([outer[-1] + drop, inner[-1] + drop, inner[-1] - along, outer[-1] - along])
    band = straight(_points(corners))
    brush.fill(band, tone)
    brush.stroke(band, outline(tone), 1.0)


def skirt(
    ink: Ink,
    look: Look,
    tone: Colour,
    *,
    top: float = 206,
    hem: float = 330,
    waist: float = 37,
    spread: float = 80,
    pleats: int = 9,
    trim: Colour | None = None,
    legs: bool = True,
) -> None:
    """Legs (unless hidden) and a pleated skirt with a waistband.

    waist, spread: half widths at the top and at the hem, pixels.
    """
    if legs:
        draw_legs(ink, look)
    brush = ink.on(Space.BODY, 4)
    upper = np.linspace(-waist, waist, pleats + 1).tolist()
    lower = np.linspace(-spread, spread, pleats + 1).tolist()
    edge: list[Point] = []
    for index, x in enumerate(lower):
        y = hem + 9 * (1 - (x / spread) ** 2)
        edge.append((x, y, 1))
        if pleats > 2 and index < pleats:
            edge.append((x * 0.35 + lower[index + 1] * 0.65, y + 3.5, 1))
    hip = waist + (spread - waist) * 0.30
    around: list[Point] = [
        (-waist, top, 1),
        (-hip, top + 36),
        *edge,
        (hip, top + 36),
        (waist, top, 1),
    ]
    paint = cloth_paint(brush, tone, top - 20, hem + 30)
    with brush.part(smooth(around, tension=0.3), paint, outline(tone)):
        for index in range(pleats):
            turn = lower[index] * 0.35 + lower[index + 1] * 0.65
            a, b = upper[index + 1], lower[index + 1]
            fold: list[Point] = [(a * 0.96, top), (a, top), (b, hem + 14), (turn, hem + 14)]
            brush.polygon(fold, shade(tone, 0.26), 0.8)
            middle = (b * 0.72 + a * 0.28, (top + hem) / 2 + 20)
            crease: list[Point] = [(a, top), middle, (b, hem + 14)]
            brush.fill(tapered(crease, 0.5, 1.2, 0.9), outline(tone), 0.7)
        if trim is not None:
            border: list[Point] = [(p[0] * 0.985, p[1] - 7) for p in edge]
            brush.stroke(line_through(border), trim, 3)
        brush.polygon(
            [(-60, top - 4), (60, top - 4), (60, top + 10), (-60, top + 10)], shade(tone, 0.3), 0.6
        )
    band: list[Point] = [(-waist, top - 6, 1), (0, top - 3), (waist, top - 6, 1)]
    band += [(waist + 1, top + 5, 1), (0, top + 8), (-waist - 1, top + 5, 1)]
    brush.raised(1).shape(smooth(band), shade(tone, 0.1))


def trousers(ink: Ink, tone: Colour) -> None:
    brush = ink.on(Space.BODY)
    for side in (1, -1):
        leg: list[Point] = [
            (1, 250),
            (47, 250),
            (52, 290),
            (53, 345),
            (49, 440),
            (4, 440),
            (1.5, 300),
        ]
        with brush.part(
            smooth(sided(side, leg)), cloth_paint(brush, tone, 250, 420), outline(tone)
        ):
            inner: list[Point] = [(0, 270), (13, 290), (17, 440), (-4, 440)]
            brush.fill(smooth(sided(side, inner)), shade(tone, 0.24), 0.75)
            crease: list[Point] = [(27, 306), (29, 360), (28, 440)]
            brush.fill(tapered(sided(side, crease), 0.3, 1.2, 1.0), outline(tone), 0.5)
            for y in (276.0, 284.0):
                fold: list[Point] = [(4, y), (14, y - 2), (22, y - 8)]
                brush.fill(tapered(sided(side, fold), 1.3, 1.0, 0.2), outline(tone), 0.4)


def open_front(
    ink: Ink, look: Look, tone: Colour, inner: list[Point], *, depth: float = 3, loose: float = 1.5
) -> None:
    """Both halves of a jacket; `inner` is the free edge of the right half, from hem to neck."""
    brush = ink.on(Space.BODY, depth)
    base = torso_side(look)
    hip = base[-3][0] + 7
    for side in (-1, 1):
        half: list[Point] = [(inner[-1][0], inner[-1][1], 1)]
        half += [(p[0] + loose * (p[1] > 150), p[1]) for p in base if p[1] < 262]
        half += [(hip, 267, 1), *inner[:-1]]
        with brush.part(
            smooth(sided(side, half)), cloth_paint(brush, tone, 80, 320), outline(tone)
        ):
            shade_chest(brush, look, tone, 0.7)


def hem_band(ink: Ink, look: Look, tone: Colour, y: float, loose: float) -> None:
    """Ribbed band at the hem of a pullover that stands `loose` pixels off the waist."""
    side = np.array([point[:2] for point in torso_side(look)])
    half = float(np.interp(y, side[:, 1], side[:, 0])) + loose + 1.0
    brush = ink.on(Space.BODY, 5)
    band: list[Point] = [(-half, y), (0, y + 6), (half, y), (half - 1.5, y + 15)]
    band += [(0, y + 21), (1.5 - half, y + 15)]
    with brush.part(smooth(band), tone):
        for x in range(-44, 45, 8):
            rib: list[Point] = [(x, y + 3), (x * 0.98, y + 20)]
            brush.line(rib, outline(tone), 0.8, 0.35)


def stand_collar(ink: Ink, tone: Colour, *, top: float = 60, bottom: float = 86) -> None:
    """Collar around the neck: turtleneck or stand-up collar."""
    brush = ink.on(Space.BODY, 7)
    band: list[Point] = [(-17, top, 1), (0, top + 8), (17, top, 1), (20, bottom - 8)]
    band += [(0, bottom + 2), (-20, bottom - 8)]
    with brush.part(smooth(band), tone):
        low: list[Point] = [(-22, bottom - 14), (0, bottom - 5), (22, bottom - 14)]
        low += [(22, bottom + 6), (-22, bottom + 6)]
        brush.fill(smooth(low), shade(tone, 0.2), 0.5)
