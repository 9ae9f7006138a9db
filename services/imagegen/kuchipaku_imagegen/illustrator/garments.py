"""Pieces of clothing that the outfits are put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .arms import arm_of, limb_edges, points_of, shoulder_points
from .attributes import ArmPose
from .body import draw_legs, torso_side
from .hands import draw_forearm, draw_hand, draw_pocket
from .ink import Brush, Gradient, Ink, Layer
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
    wide: float = 0.0,
    low: float = 0.0,
) -> Iterator[Brush]:
    """Upper garment; yields a brush clipped to it.

    neck: where the garment meets the neck. neckline: y of a pointed neckline, None for a round
    one. bottom: y of the hem. loose: how far the cloth stands off the waist, pixels. wide: how far
    it reaches over the shoulders. low: where its sides begin, for clothes without shoulders.
    """
    brush = ink.on(Space.BODY)
    side: list[Point] = [(neck[0] + 2, neck[1], 1)]
    for point in torso_side(look):
        if low < point[1] < bottom:
            off = loose * min(1.0, max(0.0, (point[1] - 100) / 100))
            off += wide * min(1.0, max(0.0, (130 - point[1]) / 30)) * (point[0] > 40)
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
        brush.fill(tapered(sided(side, fold), 1.9, 1.4, 0.2), line, 0.40)
        pull: list[Point] = [(44, 172), (30, 181), (14, 180), (31, 187), (45, 184)]
        brush.fill(smooth(sided(side, pull)), dark, strength * 0.8)
        drape: list[Point] = [(24, 206), (20, 232), (13, 262), (19, 262), (28, 232), (31, 208)]
        brush.fill(smooth(sided(side, drape)), dark, strength * 0.55)
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
    """Sleeve over the first `length` (0..1) of the arm, sewn to the shoulder.

    A whole sleeve comes with its hand, and with its forearm over whatever covers the body.
    """
    arm = arm_of(look, side)
    whole = length >= 1
    count = max(3, round(length * (len(arm.line) - 1)) + 1)
    wider = 4.0 if look.feminine else 7.5
    end = width * (0.80 if length > 0.5 else 1.02) + flare
    outer, inner = limb_edges(arm.line[:count], np.linspace(width + wider, end, count), side)
    if whole and not arm.front:
        draw_hand(ink, look, side)
    with ink.layer(arm.layer):
        _draw_sleeve(ink, look, side, tone, edges=(outer, inner), cuff=cuff if arm.hand else None)
    if whole and arm.pose is ArmPose.POCKETS:
        draw_pocket(ink, outline(tone), outer[-1], inner[-1])
    if whole and arm.front:
        draw_hand(ink, look, side)
        draw_forearm(ink, (tone, shade(tone, 0.26), outline(tone)), outer, inner)
        if cuff is not None and arm.hand:
            with ink.layer(Layer.FRONT):
                _draw_cuff(ink.on(Space.ARM, 2), outer, inner, cuff)


def _draw_sleeve(
    ink: Ink,
    look: Look,
    side: int,
    tone: Colour,
    *,
    edges: tuple[FloatArray, FloatArray],
    cuff: Colour | None,
) -> None:
    outer, inner = edges
    brush = ink.on(Space.ARM, 2)
    root, tip = shoulder_points(look, side)
    end = points_of(outer[-1:])[0]
    top: list[Point] = [root, tip, *points_of(outer[:-1]), (*end[:2], 1)]
    under: list[Point] = [(*points_of(inner[-1:])[0][:2], 1), *points_of(inner[-2:1:-1])]
    armpit = points_of(inner[:1] + np.array([0.0, 16.0]))[0]
    hidden: Point = (root[0] - side * 3, 97, 1)
    curve = smooth([hidden, *top, *under, (*armpit[:2], 1)])
    with brush.part(curve, cloth_paint(brush, tone, 84, 250), outline(tone), 0):
        _shade_sleeve(brush, look, side, tone, edges=edges)
        if cuff is not None:
            _draw_cuff(brush, outer, inner, cuff)
    brush.stroke(line_through([*top, *under, (*armpit[:2], 0)]), outline(tone), 1.35)


def _shade_sleeve(
    brush: Brush, look: Look, side: int, tone: Colour, *, edges: tuple[FloatArray, FloatArray]
) -> None:
    outer, inner = edges
    dark, line = shade(tone, 0.26), outline(tone)
    depth = np.linspace(0.10, 0.38, len(inner))[:, None]
    edge = inner + (outer - inner) * depth
    away = inner + np.array([-side * 20.0, 8.0])
    start: Point = (side * (38.0 if look.feminine else 50.0), 112.0)
    brush.fill(smooth([start, *points_of(edge[1:]), *points_of(away[::-1])]), dark, 0.85)
    if len(outer) > 6:
        middle = (outer + inner) / 2
        x, y = inner[4] + (inner[4] - middle[4]) * 0.1
        for drop, reach in ((-9.0, 0.75), (-1.0, 1.15), (7.0, 0.85)):
            u, v = inner[4] + (outer[4] - inner[4]) * 0.62 * reach
            fold: list[Point] = [(x, y + drop), ((x + u) / 2, (y + v) / 2 + drop + 3.0)]
            fold.append((float(u), float(v) + drop + 1.5))
            brush.fill(tapered(fold, 2.0, 1.5, 0.2), line, 0.42)
        lit = outer[1:5] + (inner[1:5] - outer[1:5]) * 0.22
        brush.fill(tapered(points_of(lit), 0.3, 2.8, 0.3), light(tone, 0.35), 0.4)
        low = outer[6:8] + (inner[6:8] - outer[6:8]) * 0.25
        brush.fill(tapered(points_of(low), 0.3, 2.0, 0.3), light(tone, 0.35), 0.35)
    for drop, reach in ((0.0, 15.0), (7.0, 10.0)):
        x = side * (41.0 if look.feminine else 53.0)
        crease: list[Point] = [(x, 113 + drop), (x + side * reach * 0.6, 109 + drop)]
        crease.append((x + side * reach, 103 + drop))
        brush.fill(tapered(crease, 1.8, 1.2, 0.2), line, 0.38)


def _draw_cuff(brush: Brush, outer: FloatArray, inner: FloatArray, tone: Colour) -> None:
    along = outer[-1] - outer[-2]
    along = along / max(1e-6, float(np.hypot(*along))) * 9.5
    drop = np.array([0.0, 2.0])
    corners = np.stack([outer[-1] + drop, inner[-1] + drop, inner[-1] - along, outer[-1] - along])
    band = straight(points_of(corners))
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
            (39, 250),
            (46, 280),
            (49, 330),
            (45, 490),
            (6, 490),
            (1.5, 300),
        ]
        with brush.part(
            smooth(sided(side, leg)), cloth_paint(brush, tone, 250, 420), outline(tone)
        ):
            inner: list[Point] = [(0, 270), (13, 290), (18, 490), (-4, 490)]
            brush.fill(smooth(sided(side, inner)), shade(tone, 0.24), 0.75)
            crease: list[Point] = [(27, 306), (29, 360), (28, 490)]
            brush.fill(tapered(sided(side, crease), 0.3, 1.2, 1.0), outline(tone), 0.5)
            for y in (276.0, 284.0):
                fold: list[Point] = [(4, y), (14, y - 2), (22, y - 8)]
                brush.fill(tapered(sided(side, fold), 1.3, 1.0, 0.2), outline(tone), 0.4)


def open_front(
    ink: Ink,
    look: Look,
    tone: Colour,
    inner: list[Point],
    *,
    depth: float = 3,
    loose: float = 1.5,
    hem: float = 262,
) -> None:
    """Both halves of a jacket; `inner` is the free edge of the right half, from hem to neck.

    hem: y where the side seam ends, loose: how far it stands off the waist, pixels.
    """
    brush = ink.on(Space.BODY, depth)
    base = torso_side(look)
    hip = float(np.interp(hem, [p[1] for p in base], [p[0] for p in base])) + loose
    hip += max(4.0, (hem - 262) * 0.10)
    for side in (-1, 1):
        half: list[Point] = [(inner[-1][0], inner[-1][1], 1)]
        half += [(p[0] + loose * (p[1] > 150), p[1]) for p in base if p[1] < hem - 2]
        half += [(hip, hem + 5, 1), *inner[:-1]]
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
