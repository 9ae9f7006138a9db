"""The body below the head: neck, arms, hands, legs, and the measures that clothes are cut to."""

from __future__ import annotations

import numpy as np

from .ink import Ink
from .look import Look
from .palette import light
from .rig import Space
from .spline import (
    FloatArray,
    Point,
    line_through,
    normals,
    ribbon,
    sided,
    smooth,
    tapered,
)

#: Right half of the torso from neck to hips.
_FEMININE_TORSO: list[Point] = [(29, 81.5), (42, 86.5), (49, 98), (45, 119), (45.5, 138)]
_FEMININE_TORSO += [(39, 164), (34, 190), (38, 219), (48.5, 251), (52.5, 290)]
_MASCULINE_TORSO: list[Point] = [(36, 80.5), (52, 86.5), (58.5, 100), (52, 124), (50, 150)]
_MASCULINE_TORSO += [(46.5, 180), (43, 205), (43, 230), (46, 258), (48, 290)]

_FEMININE_ARM: list[Point] = [(45.5, 97), (54.5, 132), (60.5, 170), (61, 208), (55.5, 246)]
_MASCULINE_ARM: list[Point] = [(55, 99), (65, 136), (71.5, 178), (71.5, 217), (64.5, 255)]


def torso_side(look: Look) -> list[Point]:
    """Right half of the torso from the shoulder's root (y about 81) to the hips (y 290)."""
    return list(_FEMININE_TORSO if look.feminine else _MASCULINE_TORSO)


def arm_line(look: Look, side: int) -> list[Point]:
    """Middle line of an arm in five points from shoulder to wrist."""
    return sided(side, _FEMININE_ARM if look.feminine else _MASCULINE_ARM)


def shoulder_points(look: Look, side: int) -> tuple[Point, Point]:
    """Two points on the slope of the shoulder, from neck to the outer end."""
    points: list[Point] = [(29, 84.5), (41.5, 86.3)] if look.feminine else [(37, 84), (51.5, 86.2)]
    inner, outer = sided(side, points)
    return inner, outer


def limb_edges(line: list[Point], widths: FloatArray, side: int) -> tuple[FloatArray, FloatArray]:
    """Outer and inner edge (n, 2) of a limb around its middle line with widths (n,)."""
    path = np.array([point[:2] for point in line], np.float64)
    across = normals(path) * widths[:, None] / 2
    left, right = path + across, path - across
    return (right, left) if side > 0 else (left, right)


def draw_legs(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.BODY, -6)
    for side in (1, -1):
        leg: list[Point] = [(52, 270), (53, 320), (47, 440), (7, 440), (3, 300)]
        with brush.part(smooth(sided(side, leg)), tones.skin, tones.skin_line):
            inner: list[Point] = [(-5, 280), (15, 280), (18, 440), (-5, 440)]
            brush.fill(smooth(sided(side, inner)), tones.skin_shadow, 0.65)
            lit: list[Point] = [(41, 326), (41.5, 372), (38, 430)]
            brush.fill(tapered(sided(side, lit), 0.5, 4, 3), light(tones.skin, 0.5), 0.6)


#: Relaxed hand around the wrist, x outwards: outline from the outer to the inner side, and thumb.
_HAND: list[Point] = [(5.6, -4), (7.2, 8), (7.6, 18), (5.6, 29), (1.6, 36, 1), (-2.4, 36.5)]
_HAND += [(-5.2, 31), (-7.2, 19), (-6.8, 7), (-5.6, -4)]
_THUMB: list[Point] = [(-5.5, 2), (-10, 9), (-12, 18), (-10.6, 24), (-8.2, 22), (-5.4, 14)]


def draw_hand(ink: Ink, look: Look, side: int) -> None:
    """Relaxed hand hanging from the wrist, open towards the arm."""
    tones = look.tones
    brush = ink.on(Space.ARM, 1)
    x, y = arm_line(look, side)[-1][:2]
    scale = 1.0 if look.feminine else 1.16

    def placed(points: list[Point]) -> list[Point]:
        return [
            (x + side * p[0] * scale, y + p[1] * scale, p[2] if len(p) > 2 else 0) for p in points
        ]

    wrist: list[Point] = [(-5.6, -8), (5.6, -8)]
    with brush.part(smooth(placed([*wrist, *_HAND])), tones.skin, tones.skin_line, 0):
        dark: list[Point] = [(-8, -8), (-3, -4), (-4, 10), (-3, 22), (-1, 38), (-9, 38)]
        brush.fill(smooth(placed(dark)), tones.skin_shadow, 0.55)
        for finger, top in ((-3.0, 21), (0.4, 20), (3.6, 20)):
            crease: list[Point] = [(finger, top), (finger - 0.4, top + 8), (finger - 1.4, top + 14)]
            brush.fill(tapered(placed(crease), 0.2, 0.9, 0.4), tones.skin_line, 0.6)
    brush.stroke(line_through(placed(_HAND)), tones.skin_line, 1.15)
    brush.shape(smooth(placed(_THUMB)), tones.skin, tones.skin_line, 1.05)


def draw_bare_arm(ink: Ink, look: Look, side: int, start: int) -> None:
    """Skin of the arm from the `start`-th point of its line, with the hand."""
    tones = look.tones
    brush = ink.on(Space.ARM, 1)
    line = arm_line(look, side)[start:]
    x, y = line[0][:2]
    line = [(x - side * 2.0, y - 12), *line]
    ends = (15.5, 11.2) if look.feminine else (18.5, 13.0)
    outer, inner = limb_edges(line, np.linspace(*ends, len(line)), side)
    with brush.part(ribbon(outer, inner), tones.skin, tones.skin_line, 0):
        shadow = ribbon(inner + (outer - inner) * 0.32, inner - (side * 8, 0))
        brush.fill(shadow, tones.skin_shadow, 0.7)
        cast: list[Point] = [(x - 14, y - 16), (x + 14, y - 16), (x + 14, y + 3), (x, y + 7)]
        brush.fill(smooth([*cast, (x - 14, y + 3)]), tones.skin_shadow, 0.85)
    draw_hand(ink, look, side)
    for edge in (outer, inner):
        brush.stroke(line_through([(u, v) for u, v in edge.tolist()]), tones.skin_line, 1.15)


def draw_neck(ink: Ink, look: Look) -> None:
    tones = look.tones
    wide = 11.0 if look.feminine else 14.0
    if look.adult:
        wide += 0.8
    right: list[Point] = [(wide, 36), (wide + 0.3, 60), (wide + 3.5, 74), (wide + 13, 88)]
    outline: list[Point] = [*right, (0, 116), *((-p[0], p[1]) for p in reversed(right))]
    brush = ink.on(Space.NECK)
    with brush.part(smooth(outline), tones.skin, tones.skin_line):
        cast: list[Point] = [(-wide - 9, 38), (-wide, 67), (0, 77), (wide, 67), (wide + 9, 38)]
        brush.fill(smooth(cast), tones.skin_shadow, 0.95)
    body = ink.on(Space.BODY)
    for side in (1, -1):
        bone: list[Point] = [(4, 87), (14, 84), (26, 84.5)]
        body.fill(tapered(sided(side, bone), 0.4, 1.2, 0.2), tones.skin_line, 0.5)
