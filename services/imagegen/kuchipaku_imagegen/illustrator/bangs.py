"""Shapes of the fringe (notches and tips of its locks) and the outline of the skull's hair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .attributes import Bangs, HairStyle
from .look import Look
from .spline import Curve, FloatArray, Point, mirrored, smooth, smoothstep

_Pairs = list[tuple[float, float]]

#: Locks hang between neighbouring notches; (notches, tips) from left to right.
_SHAPES: dict[Bangs, tuple[_Pairs, _Pairs]] = {
    Bangs.SWEPT: (
        [(-49, 4), (-37, -3), (-20, -8), (-3, -14), (18, -31), (40, -12), (49, 4)],
        [(-45, 25), (-31, 9), (-15, 6), (1, 1), (34, 2), (46, 22)],
    ),
    Bangs.PARTED: (
        [(-49, 5), (-39, -3), (-25, -16), (0, -46), (25, -16), (39, -3), (49, 5)],
        [(-45, 26), (-33, 9), (-21, -1), (21, -1), (33, 9), (45, 26)],
    ),
    Bangs.POINTED: (
        [(-48, 2), (-34, -11), (-22, -17), (-6, -19), (9, -17), (21, -18), (36, -11), (48, 2)],
        [(-44, 23), (-29, 3), (-14, 6), (2, 11), (15, -2), (28, 5), (44, 22)],
    ),
    Bangs.BETWEEN_EYES: (
        [(-48, 2), (-34, -12), (-18, -19), (-7, -20), (7, -19), (20, -18), (35, -12), (48, 2)],
        [(-44, 24), (-27, 5), (-12, 3), (1, 22), (12, 2), (27, 6), (44, 23)],
    ),
    Bangs.BLUNT: (
        [(-48, 0), (-37, -1), (-25, -2), (-9, -3), (4, -3), (21, -2), (30, -1), (48, 0)],
        [(-43, 6), (-31, 4.5), (-17, 4), (-2, 4), (12, 4), (26, 4.5), (39, 5)],
    ),
}
_HAIRLINE: tuple[_Pairs, _Pairs] = (
    [
        (-49, 10),
        (-46, -6),
        (-40, -28),
        (-20, -44),
        (0, -40),
        (20, -44),
        (40, -28),
        (46, -6),
        (49, 10),
    ],
    [(-48, 2), (-44, -17), (-31, -38), (-10, -43), (10, -43), (31, -38), (44, -17), (48, 2)],
)
_SLICKED_TOP: list[Point] = [(61, 0), (64, -26), (59, -53), (39, -75), (10, -83)]
_SLICKED_TOP += [(-20, -81), (-48, -66), (-63, -34), (-61, 0)]
_CURLS: tuple[_Pairs, _Pairs] = (
    [(-49, 4), (-39, -6), (-24, -12), (-8, -14), (9, -13), (25, -12), (40, -6), (49, 4)],
    [(-46, 10), (-32, 3), (-16, 0), (1, 1), (17, 0), (33, 3), (46, 10)],
)

#: Outline over the skull from the right temple to the left one.
_SMOOTH_TOP: list[Point] = [(61, -4), (63, -24), (55, -50), (33, -68), (6, -75)]
_SMOOTH_TOP += [(-4, -74), (-30, -69), (-54, -51), (-63, -24), (-61, -4)]
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
    (62, -6, 70, 16),
    (63, -24, 80, -4),
    (58, -42, 82, -36),
    (44, -58, 68, -66),
    (22, -68, 42, -86),
    (-2, -72, 10, -94),
    (-26, -68, -26, -92),
    (-46, -58, -54, -78),
    (-59, -42, -76, -56),
    (-64, -24, -83, -26),
    (-62, -8, -74, 4),
]
_WOLF_CLUMPS: list[tuple[float, float, float, float]] = [
    (61, -2, 67, 18),
    (62, -24, 71, -6),
    (54, -50, 66, -38),
    (26, -70, 42, -68),
    (-2, -74, 10, -78),
    (-30, -69, -28, -78),
    (-54, -51, -60, -56),
    (-63, -26, -70, -22),
]
_UNDERCUT_CLUMPS: list[tuple[float, float, float, float]] = [
    (58, -24, 60, -22),
    (56, -44, 66, -44),
    (40, -62, 58, -68),
    (16, -72, 38, -86),
    (-10, -74, 12, -92),
    (-34, -68, -16, -88),
    (-53, -50, -56, -68),
]
_HEAD_MIDDLE = np.array([0.0, -20.0])


def fringe_shape(look: Look) -> Bangs:
    """The fringe that is drawn: a hime cut always has a blunt one, an undercut never."""
    if look.attributes.hair_style is HairStyle.HIME:
        return Bangs.BLUNT
    if look.attributes.hair_style is HairStyle.UNDERCUT and look.attributes.bangs is Bangs.BLUNT:
        return Bangs.SWEPT
    return look.attributes.bangs


def swept_back(look: Look) -> bool:
    """The hair leaves the forehead free."""
    return look.attributes.hair_style is HairStyle.SLICKED


def fringe_points(look: Look) -> tuple[_Pairs, _Pairs]:
    """(notches, tips) along the lower edge from left to right."""
    shape = fringe_shape(look)
    notches, tips = _SHAPES[shape]
    if swept_back(look):
        return _HAIRLINE
    if look.attributes.hair_style is HairStyle.CURLY:
        notches, tips = _CURLS
    elif look.attributes.side < 0:
        notches = [(-x, y) for x, y in reversed(notches)]
        tips = [(-x, y) for x, y in reversed(tips)]
    longer = 2.2 * look.geometry.bangs_length
    return notches, [(x, y + longer + 0.8 * (-1) ** i) for i, (x, y) in enumerate(tips)]


def root_x(look: Look) -> float:
    """Where on the crown the strands of the fringe start."""
    if fringe_shape(look) is Bangs.SWEPT and not swept_back(look):
        return 16.0 * look.attributes.side
    return 3.0 * look.attributes.side


def fringe_curve(look: Look, drop: float = 0.0) -> Curve:
    """Closed outline of fringe and skull hair; `drop` lowers the fringe (for its shadow)."""
    notches, tips = fringe_points(look)
    pieces: list[FloatArray] = [np.array([notches[0]], np.float64)]
    for index, tip in enumerate(tips):
        start, end = _bulges(look, (notches[index], tip, notches[index + 1]))
        pieces.append(_edge(notches[index], tip, start))
        pieces.append(_edge(tip, notches[index + 1], end))
    first, last = notches[0], notches[-1]
    # A pointed lock in front of each ear ends the outline.
    ear = 25.0 if look.feminine else 18.0
    clumps = crown_clumps(look)
    top = _clump_outline(clumps) if clumps else _SMOOTH_TOP
    if look.attributes.hair_style is HairStyle.CURLY:
        top = _curly_top()
    elif swept_back(look):
        top = _SLICKED_TOP
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
    wild = {
        HairStyle.MESSY: _MESSY_CLUMPS,
        HairStyle.SPIKY: _SPIKY_CLUMPS,
        HairStyle.WOLF: _WOLF_CLUMPS,
        HairStyle.UNDERCUT: _UNDERCUT_CLUMPS,
    }
    return wild.get(look.attributes.hair_style, [])


def _bulges(look: Look, lock: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """How far both edges of a lock (notch, tip, notch) bulge, as shares of their lengths."""
    if look.attributes.hair_style is HairStyle.CURLY:
        return 0.36, 0.36
    if fringe_shape(look) is Bangs.BLUNT or swept_back(look):
        return 0.10, 0.10
    # Locks are crescents: hollow on the side they point to.
    lean = lock[1][0] - (lock[0][0] + lock[2][0]) / 2
    lean = lean if abs(lean) > 1.5 else lock[1][0]
    return (0.10, -0.20) if lean < 0 else (-0.20, 0.10)


def _curly_top() -> list[Point]:
    """Round curls around the skull."""
    angles = np.linspace(0.08, np.pi - 0.08, 12)
    outline: list[Point] = [(61, -2, 1)]
    for one, other in pairwise(angles):
        middle = (one + other) / 2
        outline.append((float(74 * np.cos(middle)), float(-6 - 76 * np.sin(middle))))
        outline.append((float(66 * np.cos(other)), float(-4 - 69 * np.sin(other)), 1))
    outline[-1] = (-60, -2, 1)
    return outline


def _clump_outline(clumps: list[tuple[float, float, float, float]]) -> list[Point]:
    """Flame-like clumps: the upper edge of each bulges, the lower edge is hollow."""
    ends = [clump[:2] for clump in clumps[1:]] + [(-60.0, -2.0)]
    outline: list[Point] = []
    for (vx, vy, tx, ty), after in zip(clumps, ends, strict=True):
        rising = tx > 0
        outline.append((vx, vy, 1))
        outline.append(_bulged((vx, vy), (tx, ty), -2.0 if rising else 5.6))
        outline.append((tx, ty, 1))
        outline.append(_bulged((tx, ty), after, 5.6 if rising else -2.0))
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
