"""Hands and bare arms."""

from __future__ import annotations

import numpy as np

from .arms import ELBOW, Arm, arm_of, limb_edges, points_of, shoulder_points
from .attributes import ArmPose
from .ink import Brush, Ink, Layer
from .look import Look
from .palette import Colour, outline
from .rig import Space
from .spline import FloatArray, Point, line_through, ribbon, smooth, tapered

#: A hand around its wrist, fingers towards +y, thumb towards -x: wrist, then around the fingers.
_OUTLINE: list[Point] = [(6.0, -5), (7.0, 6), (7.8, 14), (7.6, 21), (6.5, 26.5), (4.9, 27, 1)]
_OUTLINE += [(4.6, 31), (3.0, 34), (1.2, 32.6, 1), (0.8, 35.4), (-1.4, 37), (-3.0, 34.8, 1)]
_OUTLINE += [(-4.2, 35), (-6.2, 32.6), (-6.9, 25), (-7.3, 16), (-7.0, 7), (-5.8, -5)]
_GAPS: list[list[Point]] = [
    [(3.9, 16.5), (4.8, 22), (4.9, 27.4)],
    [(0.5, 16), (1.2, 24), (1.2, 33)],
    [(-3.0, 16.5), (-2.9, 25), (-3.0, 35)],
]
_THUMB: list[Point] = [(-5.2, 1.5), (-9.6, 7), (-12, 14.5), (-12.2, 21.5), (-10, 23.6)]
_THUMB += [(-8.2, 19), (-6.8, 14.5), (-4.6, 12)]
_SHADOW: list[Point] = [(2.6, -6), (3.6, 10), (3.0, 22), (5.0, 29), (10, 28), (10, -6)]


def _placing(look: Look, arm: Arm, side: int) -> tuple[FloatArray, FloatArray]:
    """Matrix (2, 2) and offset (2,) from the hand's coordinates to the drawing."""
    wrist = arm.line[-1]
    along = arm.line[-1] - arm.line[-3]
    angle = float(np.arctan2(along[1], along[0])) - np.pi / 2
    match arm.pose:
        case ArmPose.RELAXED:
            angle *= 0.5
        case ArmPose.HIP:
            angle -= side * 0.35
        case ArmPose.CLASPED:
            angle += side * 0.05
        case _:
            pass
    scale = 0.94 if look.feminine else 1.12
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    flip = side if arm.pose in (ArmPose.RELAXED, ArmPose.HIP) else -side
    # Seen from the back, the thumb lies towards the body; before the chest it points up.
    if arm.front:
        flip = -side
    return np.array([[cos * flip, -sin], [sin * flip, cos]]), wrist


def draw_hand(ink: Ink, look: Look, side: int) -> None:
    """The hand of the arm on `side`, open towards the sleeve; nothing if the pose hides it."""
    arm = arm_of(look, side)
    if not arm.hand:
        return
    matrix, wrist = _placing(look, arm, side)

    def placed(points: list[Point]) -> list[Point]:
        moved = np.array([point[:2] for point in points]) @ matrix.T + wrist
        return [
            (float(x), float(y), point[2] if len(point) > 2 else 0)
            for (x, y), point in zip(moved, points, strict=True)
        ]

    with ink.layer(Layer.FRONT if arm.front else arm.layer):
        _draw_skin(ink.on(Space.ARM, 1), look, placed(_OUTLINE), placed(_SHADOW), arm)
        brush = ink.on(Space.ARM, 1)
        line = look.tones.skin_line
        for gap in _GAPS:
            brush.fill(tapered(placed(gap), 0.2, 0.9, 0.7), line, 0.75)
        if arm.thumb:
            brush.shape(smooth(placed(_THUMB)), look.tones.skin, line, 1.0)


def _draw_skin(
    brush: Brush, look: Look, outline: list[Point], shadow: list[Point], arm: Arm
) -> None:
    tones = look.tones
    if arm.front:
        cast = [(p[0] + 1.0, p[1] + 4.0, *p[2:]) for p in outline]
        brush.fill(smooth(cast), CAST, 0.20)
    with brush.part(smooth(outline), tones.skin, tones.skin_line, 0):
        brush.fill(smooth(shadow), tones.skin_shadow, 0.6)
    brush.stroke(line_through(outline), tones.skin_line, 1.1)


#: What an arm throws on the clothes below it.
CAST: Colour = (0.25, 0.16, 0.36)


def draw_bare_arm(ink: Ink, look: Look, side: int, start: int) -> None:
    """Skin of the arm from its `start`-th sample (of nine), with the hand."""
    arm = arm_of(look, side)
    ends = (15.5, 10.4) if look.feminine else (19.5, 13.0)
    widths = np.linspace(*ends, len(arm.line))
    widths += np.interp(np.arange(9), [3, 5, 7], [0, 0.9, 0]) * (1 if look.feminine else 2)
    outer, inner = limb_edges(arm.line, widths, side)
    with ink.layer(arm.layer):
        if start:
            _draw_skin_of_arm(ink, look, side, outer[start:], inner[start:])
        else:
            _draw_skin_from_shoulder(ink, look, side, outer, inner)
    tones = look.tones
    if arm.pose is ArmPose.POCKETS:
        draw_pocket(ink, outline(tones.cloth), outer[-1], inner[-1])
    if not arm.front:
        draw_hand(ink, look, side)
        return
    draw_forearm(ink, (tones.skin, tones.skin_shadow, tones.skin_line), outer, inner)
    draw_hand(ink, look, side)


def _draw_skin_of_arm(
    ink: Ink, look: Look, side: int, outer: FloatArray, inner: FloatArray
) -> None:
    tones = look.tones
    brush = ink.on(Space.ARM, 1)
    top = np.array([[-side * 2.0, -12.0]])
    outer = np.concatenate([outer[:1] + top, outer])
    inner = np.concatenate([inner[:1] + top, inner])
    with brush.part(ribbon(outer, inner), tones.skin, tones.skin_line, 0):
        shadow = ribbon(inner + (outer - inner) * 0.30, inner - np.array([side * 8.0, 0.0]))
        brush.fill(shadow, tones.skin_shadow, 0.7)
        x, y = ((outer + inner) / 2)[1]
        cast: list[Point] = [(x - 14, y - 16), (x + 14, y - 16), (x + 14, y + 3), (x, y + 7)]
        brush.fill(smooth([*cast, (x - 14, y + 3)]), tones.skin_shadow, 0.85)
    for edge in (outer, inner):
        brush.stroke(line_through(points_of(edge)), tones.skin_line, 1.15)


def draw_pocket(ink: Ink, line: Colour, outer: FloatArray, inner: FloatArray) -> None:
    """The mouth of the pocket that a hand is in; `outer`, `inner`: ends (2,) of the sleeve."""
    across = (outer - inner) * 0.10
    middle = (outer + inner) / 2 + np.array([0.0, 2.0])
    mouth = points_of(np.stack([outer + across, middle, inner - across]))
    ink.on(Space.ARM, 2).fill(tapered(mouth, 0.8, 2.4, 0.8), line)


def _draw_skin_from_shoulder(
    ink: Ink, look: Look, side: int, outer: FloatArray, inner: FloatArray
) -> None:
    tones = look.tones
    brush = ink.on(Space.ARM, 1)
    root, tip = shoulder_points(look, side)
    over: list[Point] = [(*root[:2], 1), tip, *points_of(outer)]
    armpit = inner[0] + np.array([0.0, 16.0])
    under: list[Point] = [*points_of(inner[:1:-1]), (float(armpit[0]), float(armpit[1]), 1)]
    hidden: Point = (root[0] - side * 2, 104, 1)
    with brush.part(smooth([*over, *under, hidden]), tones.skin, tones.skin_line, 0):
        shadow = ribbon(inner + (outer - inner) * 0.30, inner - np.array([side * 8.0, 0.0]))
        brush.fill(shadow, tones.skin_shadow, 0.7)
    brush.stroke(line_through(over), tones.skin_line, 1.15)
    brush.stroke(line_through(under), tones.skin_line, 1.15)


def draw_forearm(
    ink: Ink, paints: tuple[Colour, Colour, Colour], outer: FloatArray, inner: FloatArray
) -> None:
    """The forearm between two edges (9, 2) once more, over whatever covers the body.

    paints: fill, shadow and line.
    """
    fill, dark, line = paints
    with ink.layer(Layer.FRONT):
        brush = ink.on(Space.ARM, 2)
        outer, inner = outer[ELBOW:], inner[ELBOW:]
        # Only where the body lies below the arm.
        over = np.abs(outer[:, 0]) < 43
        if over.sum() > 1:
            cast = np.array([0.5, 5.5])
            brush.fill(ribbon(outer[over] + cast, inner[over] + cast), CAST, 0.20)
        with brush.part(ribbon(outer, inner), fill, line, 0):
            brush.fill(
                ribbon(outer + np.array([0.0, 6.0]), outer + (inner - outer) * 0.34), dark, 0.75
            )
        for edge in (outer[1:], inner[1:]):
            brush.stroke(line_through(points_of(edge)), line, 1.2)
        x, y = inner[0]
        u, v = ((outer + inner) / 2)[1]
        for drop in (0.0, 5.0):
            fold: list[Point] = [(x, y + drop), ((x + u) / 2, (y + v) / 2 + drop), (u, v + drop)]
            brush.fill(tapered(fold, 1.4, 1.0, 0.2), line, 0.4)
