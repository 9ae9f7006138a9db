"""2.5D rig: control points with a depth are turned in three dimensions by a pose.

Every point lies in a space (face, hair, body...) that gives it a depth and says how far it follows
the head and how far the body. Shading and line work are control points too, so they turn along.
"""

from __future__ import annotations

import math
from enum import Enum, auto

import numpy as np

from .pose import Pose
from .spline import FloatArray, smoothstep

#: Where the origin of the drawing coordinates lies on the 512 x 512 canvas.
ORIGIN = (256.0, 128.0)

_YAW = math.radians(16)
_PITCH = math.radians(15)
_ROLL = math.radians(15)
_BODY_YAW = math.radians(13)
_BODY_ROLL = math.radians(6.5)
_HEAD_PIVOT = (0.0, 40.0, -6.0)
_ROLL_PIVOT = (0.0, 54.0)
_NECK = np.array([[0.0, 72.0]])
_HIP_Y = 310.0


class Space(Enum):
    """What a shape is attached to."""

    HEAD = auto()  #: surface of the face
    JAW = auto()  #: outline of the face
    FLAT = auto()  #: plane through the middle of the head
    HAIR = auto()  #: surface of the hair over the skull
    LOCK = auto()  #: front hair that hangs from the head onto the chest
    BACK = auto()  #: hair that hangs behind the shoulders
    NECK = auto()  #: between head and shoulders
    BODY = auto()  #: surface of the torso
    ARM = auto()  #: plane of the arms


def _dome(x: FloatArray, y: FloatArray, rx: float, ry: float, depth: float) -> FloatArray:
    result: FloatArray = depth * np.sqrt(np.clip(1 - (x / rx) ** 2 - ((y + 4) / ry) ** 2, 0, 1))
    return result


def placement(points: FloatArray, space: Space, depth: float) -> tuple[FloatArray, FloatArray]:
    """Depth z (n,) and body weight (n,) (0 follows the head, 1 the body) of points (n, 2)."""
    x, y = points[:, 0], points[:, 1]
    nothing = np.zeros(len(x))
    match space:
        case Space.HEAD:
            return _dome(x, y, 57, 70, 50) + depth, nothing
        case Space.JAW:
            return 6 + 22 * smoothstep(10, 58, y) + depth, nothing
        case Space.FLAT:
            return nothing + depth, nothing
        case Space.HAIR:
            return _dome(x, y, 64, 70, 58) + depth, nothing
        case Space.LOCK:
            z = _dome(x, np.minimum(y, 20.0), 68, 82, 56) * 0.7 + depth
            return z, smoothstep(62, 170, y) * 0.93
        case Space.BACK:
            # The crown lies on the silhouette, so that a bowed head does not uncover it.
            z = (depth - 12.0) * smoothstep(-62, 0, y) - 14.0 * smoothstep(20, 80, y)
            return z, smoothstep(45, 175, y) * 0.95
        case Space.NECK:
            return nothing + 4.0 + depth, smoothstep(38, 70, y)
        case Space.BODY:
            z = 26 * np.sqrt(np.clip(1 - (x / 66) ** 2, 0, 1)) + depth
            return z, nothing + 1
        case Space.ARM:
            # Hands and forearms before the belly lie in front of it.
            forward = 24.0 * (1 - smoothstep(22, 56, np.abs(x))) * smoothstep(96, 130, y)
            return forward + 2.0 + depth, nothing + 1


def _turned(
    x: FloatArray, y: FloatArray, angle: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


class Rig:
    """The transform of one pose."""

    def __init__(self, pose: Pose) -> None:
        self._pitch = pose["head_x"] * _PITCH
        self._yaw = pose["head_y"] * _YAW
        self._roll = pose["neck_z"] * _ROLL
        self._body_yaw = pose["body_y"] * _BODY_YAW
        self._body_roll = pose["body_z"] * _BODY_ROLL
        self._breath = pose["breathing"]
        self._neck = self._body(_NECK, np.zeros(1))[0]

    def place(self, points: FloatArray, z: FloatArray, weight: FloatArray) -> FloatArray:
        """Canvas coordinates (n, 2) of points (n, 2) with depth (n,) and body weight (n,)."""
        w = weight[:, None]
        placed = self._head(points, z) * (1 - w) + self._body(points, z) * w
        result: FloatArray = placed + ORIGIN
        return result

    def _head(self, points: FloatArray, z: FloatArray) -> FloatArray:
        px, py, pz = _HEAD_PIVOT
        x, depth = _turned(points[:, 0] - px, z - pz, -self._yaw)
        y, _ = _turned(points[:, 1] - py, depth, self._pitch)
        x, y = _turned(x + px - _ROLL_PIVOT[0], y + py - _ROLL_PIVOT[1], self._roll)
        x, y = _turned(x, y + _ROLL_PIVOT[1] - _NECK[0, 1], self._body_roll)
        return np.stack([x + self._neck[0], y + self._neck[1]], 1)

    def _body(self, points: FloatArray, z: FloatArray) -> FloatArray:
        x, y = points[:, 0], points[:, 1]
        above = 1 - smoothstep(150, 330, y)
        yaw = self._body_yaw * above
        turned = x * np.cos(yaw) + (z + 10 * above) * np.sin(yaw)
        chest = self._breath * np.exp(-(((y - 120) / 60) ** 2))
        turned = turned * (1 + 0.018 * chest)
        lifted = y - 2.0 * self._breath * (1 - smoothstep(80, 230, y)) - 1.2 * chest
        lean = self._body_roll * (1 - smoothstep(170, 350, y))
        x2, y2 = _turned(turned, lifted - _HIP_Y, lean)
        return np.stack([x2, y2 + _HIP_Y], 1)
