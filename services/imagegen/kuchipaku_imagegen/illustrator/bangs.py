"""Shapes of the fringe (notches and tips of its locks) and the outline of the skull's hair."""

from __future__ import annotations

import numpy as np

from .attributes import Bangs, HairStyle
from .look import Look
from .spline import Curve, FloatArray, Point, mirrored, smooth, smoothstep

_Pairs = list[tuple[float, float]]

#: Locks hang between neighbouring notches; (notches, tips) from left to right.
_SHAPES: dict[Bangs, tuple[_Pairs, _Pairs]] = {
    Bangs.SWEPT: (
        [(-47, 2), (-35, -4), (-19, -10), (-2, -16), (15, -22), (33, -18), (47, -2)],
        [(-40, 16), (-25, 8), (-8, 3), (10, -2), (27, -8), (41, 4)],
    ),
    Bangs.PARTED: (
        [(-48, 4), (-38, -2), (-25, -14), (0, -44), (25, -14), (38, -2), (48, 4)],
        [(-43, 20), (-30, 8), (-17, -4), (17, -4), (30, 8), (43, 20)],
    ),
    Bangs.POINTED: (
        [(-47, -2), (-29, -16), (-13, -20), (4, -20), (21, -16), (36, -12), (47, -2)],
        [(-38, 8), (-21, 4), (-5, 12), (13, 2), (29, 8), (42, 4)],
    ),
    Bangs.BETWEEN_EYES: (
        [(-48, 0), (-34, -14), (-18, -20), (-7, -17), (11, -15), (23, -18), (36, -12), (48, 0)],
        [(-41, 14), (-26, -1), (-9, 2), (2, 19), (16, 0), (30, 2), (43, 13)],
    ),
}
_BLUNT_LOCKS = 7

#: Outline over the skull from the right temple to the left one.
_SMOOTH_TOP: list[Point] = [(61, -4), (62, -22), (52, -49), (28, -66), (0, -72)]
_SMOOTH_TOP += [(-28, -66), (-52, -49), (-62, -22), (-61, -4)]
#: (valley, tip) of the clumps of wild hair from the right temple over the crown to the left one.
_MESSY_CLUMPS: list[tuple[float, float, float, float]] = [
    (62, -8, 69, 10),
    (63, -24, 74, -8),
    (59, -42, 73, -32),
    (46, -58, 62, -57),
    (24, -68, 40, -74),
    (2, -71, 12, -80),
    (-18, -70, -22, -80),
    (-42, -61, -50, -68),
    (-58, -46, -68, -46),
    (-63, -30, -75, -22),
    (-62, -14, -74, -2),
    (-60, -2, -68, 14),
]
_SPIKY_CLUMPS: list[tuple[float, float, float, float]] = [
    (62, -8, 71, 14),
    (63, -26, 84, -8),
    (56, -44, 86, -44),
    (40, -60, 68, -76),
    (16, -69, 36, -94),
    (-8, -70, 0, -104),
    (-34, -64, -38, -96),
    (-54, -50, -68, -76),
    (-64, -32, -86, -46),
    (-63, -14, -86, -12),
    (-60, -2, -72, 14),
]
_HEAD_MIDDLE = np.array([0.0, -20.0])


def fringe_shape(look: Look) -> Bangs:
    """The fringe that is drawn: the hime cut always has a blunt one."""
    if look.attributes.hair_style is HairStyle.HIME:
        return Bangs.BLUNT
    return look.attributes.bangs


def fringe_points(look: Look) -> tuple[_Pairs, _Pairs]:
    """(notches, tips) along the lower edge from left to right."""
    shape = fringe_shape(look)
    if shape is Bangs.BLUNT:
        edges = np.linspace(-43, 43, _BLUNT_LOCKS + 1).tolist()
        middle = _BLUNT_LOCKS / 2
        notches = [(x, -3.0) for x in edges]
        tips = [
            ((edges[i] + edges[i + 1]) / 2 + (1.5 if i < middle else -1.5), 3.5)
            for i in range(_BLUNT_LOCKS)
        ]
    else:
        notches, tips = _SHAPES[shape]
    if shape is Bangs.SWEPT and look.attributes.side < 0:
        notches = [(-x, y) for x, y in reversed(notches)]
        tips = [(-x, y) for x, y in reversed(tips)]
    longer = 2.2 * look.geometry.bangs_length
    return notches, [(x, y + longer + 0.8 * (-1) ** i) for i, (x, y) in enumerate(tips)]


def root_x(look: Look) -> float:
    """Where on the crown the strands of the fringe start."""
    return -14.0 * look.attributes.side if fringe_shape(look) is Bangs.SWEPT else 0.0


def fringe_curve(look: Look, drop: float = 0.0) -> Curve:
    """Closed outline of fringe and skull hair; `drop` lowers the fringe (for its shadow)."""
    notches, tips = fringe_points(look)
    pieces: list[FloatArray] = [np.array([notches[0]], np.float64)]
    for index, tip in enumerate(tips):
        left = tip[0] < 0
        pieces.append(_edge(notches[index], tip, -0.02 if left else -0.10))
        pieces.append(_edge(tip, notches[index + 1], -0.10 if left else -0.02))
    first, last = notches[0], notches[-1]
    # A pointed lock in front of each ear ends the outline.
    ear = 25.0 if look.feminine else 18.0
    clumps = crown_clumps(look)
    top = _clump_outline(clumps) if clumps else _SMOOTH_TOP
    if look.attributes.side < 0:
        top = mirrored(reversed(top))
    around: list[Point] = [(*last, 1), (52, ear - 8), (56, ear, 1), (59.5, ear - 12), *top]
    around += [(-59.5, ear - 12), (-56, ear, 1), (-52, ear - 8), (*first, 1)]
    control = np.concatenate([*pieces, smooth(around, closed=False).control[1:]])
    if drop:
        control[:, 1] += drop * smoothstep(-40, -20, control[:, 1])
    return Curve(control, closed=True)


def crown_clumps(look: Look) -> list[tuple[float, float, float, float]]:
    """(valley x, y, tip x, y) of the clumps over the skull; empty for smooth hair.

    As they lie for side +1; the outline is mirrored for the other side.
    """
    wild = {HairStyle.MESSY: _MESSY_CLUMPS, HairStyle.SPIKY: _SPIKY_CLUMPS}
    return wild.get(look.attributes.hair_style, [])


def _clump_outline(clumps: list[tuple[float, float, float, float]]) -> list[Point]:
    """Flame-like clumps: the upper edge of each bulges, the lower edge is hollow."""
    ends = [clump[:2] for clump in clumps[1:]] + [(-60.0, -2.0)]
    outline: list[Point] = []
    for (vx, vy, tx, ty), after in zip(clumps, ends, strict=True):
        rising = tx > 0
        outline.append((vx, vy, 1))
        outline.append(_bulged((vx, vy), (tx, ty), -1.2 if rising else 4.2))
        outline.append((tx, ty, 1))
        outline.append(_bulged((tx, ty), after, 4.2 if rising else -1.2))
    outline.append((-60, -2, 1))
    return outline


def _bulged(start: tuple[float, float], end: tuple[float, float], offset: float) -> Point:
    """Middle of a line, moved away from the middle of the head."""
    middle = (np.array(start) + np.array(end)) / 2
    outward = middle - _HEAD_MIDDLE
    x, y = middle + outward / np.linalg.norm(outward) * offset
    return float(x), float(y)


def _edge(start: tuple[float, float], end: tuple[float, float], bulge: float) -> FloatArray:
    """One Bezier triple from `start` to `end`, bulging to its left by a share of its length."""
    a, b = np.array(start, np.float64), np.array(end, np.float64)
    along = b - a
    across = np.array([-along[1], along[0]]) * bulge
    return np.stack([a + along * 0.4 + across, a + along * 0.75 + across * 0.8, b])
