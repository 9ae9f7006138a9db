"""How the arms are held: the middle line of each arm, and what lies before or behind the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .attributes import ArmPose, Outfit
from .ink import Layer
from .look import Look
from .spline import FloatArray, Point, normals

#: Samples along an arm, and the sample of the elbow.
SAMPLES = 9
ELBOW = 4

_Line = list[tuple[float, float]]

#: Shoulder, upper arm, elbow, forearm and wrist of the right-hand arm of a girl.
_RELAXED: _Line = [(46.5, 100), (55, 134), (58.5, 168), (56.5, 206), (49.5, 241)]
_BACK: _Line = [(46.5, 100), (57.5, 133), (63, 166), (52, 192), (30, 210)]
_LINES: dict[ArmPose, _Line] = {
    ArmPose.RELAXED: _RELAXED,
    ArmPose.HIP: [(46.5, 100), (64, 131), (82, 164), (72, 187), (54, 203)],
    ArmPose.CLASPED: [(46.5, 100), (57.5, 134), (59, 172), (42, 199), (17, 215)],
    ArmPose.BEHIND: _BACK,
    ArmPose.CHEST: [(46.5, 100), (58, 134), (62, 170), (42, 155), (22, 139)],
    ArmPose.BOOK: [(46.5, 100), (58, 134), (61, 170), (42, 177), (20, 172)],
    ArmPose.CROSSED: [(46.5, 100), (59, 132), (63, 166), (31, 170), (-10, 160)],
    ArmPose.POCKETS: [(46.5, 100), (61, 133), (71, 167), (60, 203), (37, 231)],
}
#: How far the other relaxed arm lies from the first.
_LOOSER = np.array([(0.0, 0.0), (1.0, 0.0), (3.0, -1.0), (2.0, -2.0), (-2.5, -3.0)])
#: Poses that only the arm on the character's favoured side takes; the other one hangs.
_ONE_ARM = frozenset({ArmPose.HIP, ArmPose.CHEST})
_BEFORE_THE_BODY = frozenset({ArmPose.CLASPED, ArmPose.CHEST, ArmPose.BOOK, ArmPose.CROSSED})
#: Clothes with wide or heavy sleeves that only hang or meet in front.
_WIDE_SLEEVES = frozenset({Outfit.KIMONO})


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of the standard drawing.

    line: (9, 2) from shoulder to wrist, already on its side. layer: where the whole arm lies.
    front: the forearm lies before the body. hand: the hand is visible. thumb: with its thumb.
    """

    pose: ArmPose
    line: FloatArray
    layer: Layer
    front: bool
    hand: bool
    thumb: bool


def held_pose(look: Look) -> ArmPose:
    """The pose that is drawn: clothes with wide sleeves leave only some of them."""
    pose = look.attributes.arms
    if look.attributes.outfit in _WIDE_SLEEVES:
        return ArmPose.CLASPED if pose in _BEFORE_THE_BODY else ArmPose.RELAXED
    return pose


def arm_of(look: Look, side: int) -> Arm:
    """The arm on `side` of the picture (+1 right, -1 left)."""
    pose = held_pose(look)
    if pose in _ONE_ARM and side != look.attributes.side:
        pose = ArmPose.RELAXED
    line = np.array(_LINES[pose], np.float64)
    if pose is ArmPose.RELAXED and side != look.attributes.side:
        # Two arms never hang alike.
        line += _LOOSER
    if not look.feminine:
        line = _masculine(line)
    hidden = pose in (ArmPose.BEHIND, ArmPose.POCKETS) or (pose is ArmPose.CROSSED and side > 0)
    if pose is ArmPose.CROSSED and side > 0:
        # The lower one of the crossed arms ends below the other.
        line[-1] = (12.0, 166.0)
    sampled = _sampled(line)
    sampled[:, 0] *= side
    return Arm(
        pose=pose,
        line=sampled,
        layer=Layer.BEHIND if pose is ArmPose.BEHIND else Layer.MIDDLE,
        front=pose in _BEFORE_THE_BODY,
        hand=not hidden,
        thumb=pose is not ArmPose.HIP and not (pose is ArmPose.CLASPED and side > 0),
    )


def _masculine(line: FloatArray) -> FloatArray:
    """Wider at the shoulders, longer."""
    share = np.clip(line[:, 0] / 46.5, 0, 1)
    return np.stack([line[:, 0] + 11.5 * share, 100 + (line[:, 1] - 100) * 1.04 + 1], 1)


def _sampled(line: FloatArray) -> FloatArray:
    """Catmull-Rom curve through five points at nine samples."""
    padded = np.concatenate([2 * line[:1] - line[1:2], line, 2 * line[-1:] - line[-2:-1]])
    middle = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    result = np.empty((SAMPLES, 2))
    result[::2], result[1::2] = line, middle
    return result


def limb_edges(line: FloatArray, widths: FloatArray, side: int) -> tuple[FloatArray, FloatArray]:
    """Outer and inner edge (n, 2) of a limb around its middle line (n, 2) with widths (n,)."""
    across = normals(line) * widths[:, None] / 2
    left, right = line + across, line - across
    return (right, left) if side > 0 else (left, right)


def shoulder_points(look: Look, side: int) -> tuple[Point, Point]:
    """Two points on the slope of the shoulder, from neck to the outer end."""
    x1, y1, x2, y2 = (33.0, 82.6, 47.0, 87.2) if look.feminine else (43.0, 80.6, 59.5, 86.2)
    return (side * x1, y1), (side * x2, y2)


def points_of(rows: FloatArray) -> list[Point]:
    return [(float(x), float(y)) for x, y in rows]
