"""Eyes: lids that morph between open and closed shapes, iris clipped between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .attributes import EyeShape
from .ink import Brush, Ink
from .look import Look
from .palette import Colour, light, mix
from .pose import Pose
from .rig import Space
from .spline import Curve, FloatArray, Point, ellipse, line_through, ribbon, smooth

_SAMPLES = 13
_T = np.linspace(0, 1, _SAMPLES)
_ARCH = np.clip(4 * _T * (1 - _T), 0, 1)
#: Upper and lower lid profiles along the eye, 0 at the corners.
_UPPER = _ARCH**0.60 * (1 + 0.10 * (_T - 0.5))
_LOWER = _ARCH**0.80
#: tilt, height above and below the corners, per eye shape
_SHAPES: dict[EyeShape, tuple[float, float, float]] = {
    EyeShape.ROUND: (0.2, 14.8, 10.6),
    EyeShape.SHARP: (-2.8, 13.0, 9.2),
    EyeShape.GENTLE: (2.4, 13.8, 9.9),
}
_DARK: Colour = (0.07, 0.04, 0.14)
_WHITE: Colour = (0.99, 0.985, 0.995)


@dataclass(frozen=True, slots=True)
class _Lids:
    """Lid curves of one eye in local coordinates (x from inner to outer corner), and closure."""

    x: FloatArray
    upper: FloatArray
    lower: FloatArray
    closed: float

    @property
    def opening(self) -> float:
        return float(np.max(self.lower - self.upper))


def _lids(look: Look, pose: Pose, suffix: str) -> _Lids:
    geometry = look.geometry
    tilt, above, below = _SHAPES[look.attributes.eye_shape]
    tilt += 0.7 * geometry.eye_tilt
    smaller = (0.0 if look.feminine else 2.5) + (0.9 if look.adult else 0.0)
    above += 0.9 * geometry.eye_size - smaller
    below -= smaller * 0.6
    half = (14.2 if look.feminine else 12.9) + 0.8 * geometry.eye_width
    x = half * (2 * _T - 1)
    corner = 1.5 + (_T - 0.5) * 2 * tilt + 1.5 * (1 - _T)
    upper = corner - above * _UPPER
    lower = corner + 1 + below * _LOWER

    surprised = pose[f"eye_surprised_{suffix}"]
    upper = upper - 4.2 * surprised * _UPPER
    lower = lower + 2.0 * surprised * _LOWER
    unimpressed = pose[f"eye_unimpressed_{suffix}"]
    flat = np.maximum(upper, corner - above * 0.18 * (_UPPER > 0))
    upper = upper * (1 - unimpressed) + flat * unimpressed
    lower = lower - pose[f"eye_raised_lower_eyelid_{suffix}"] * 0.36 * (lower - upper) * _LOWER

    closings = {
        "wink": corner + below * 0.78 * _LOWER,
        "happy_wink": corner + 3.5 - 8.0 * _UPPER,
        "relaxed": corner + 1.0 + below * 0.45 * _LOWER,
    }
    weights = {name: pose[f"eye_{name}_{suffix}"] for name in closings}
    total = sum(weights.values())
    closed = min(1.0, total)
    if total > 0:
        target = sum((weights[n] * closings[n] for n in closings), np.zeros(_SAMPLES)) / total
        upper = upper * (1 - closed) + target * closed
        lower = lower * (1 - closed) + target * closed
    return _Lids(x, upper, np.maximum(lower, upper), closed)


class _Eye:
    """Draws one eye; local coordinates have x pointing to the outer corner."""

    def __init__(self, ink: Ink, look: Look, pose: Pose, side: int) -> None:
        self._look, self._pose, self._side = look, pose, side
        self._suffix = "left" if side > 0 else "right"
        self._brush = ink.on(Space.HEAD)
        self._x = side * (23.3 + 1.5 * look.geometry.eye_spacing)
        self._y = 17.0 + 1.6 * look.geometry.eye_level
        self._lids = _lids(look, pose, self._suffix)

    def draw(self) -> None:
        lids = self._lids
        if lids.opening > 0.8:
            region = ribbon(self._edge(lids.x, lids.upper), self._edge(lids.x, lids.lower))
            with self._brush.clip(region):
                self._brush.fill(region, _WHITE)
                self._draw_iris()
                shadow = np.minimum(5.4, (lids.lower - lids.upper) * 0.34)
                self._brush.fill(
                    ribbon(
                        self._edge(lids.x, lids.upper - 3),
                        self._edge(lids.x, lids.upper + shadow),
                    ),
                    (0.36, 0.28, 0.52),
                    0.34,
                )
                self._draw_highlights()
            self._draw_lower_lash()
        self._draw_upper_lash()

    def _edge(self, x: FloatArray, y: FloatArray) -> FloatArray:
        return np.stack([self._x + self._side * x, self._y + y], 1)

    def _curve(self, x: FloatArray, y: FloatArray) -> list[Point]:
        return [(float(u), float(v)) for u, v in self._edge(x, y)]

    # ---- iris

    def _iris_geometry(self) -> tuple[float, float, float, float, float]:
        """Centre x, y, radii and size factor, in drawing coordinates."""
        size = 1 - 0.42 * self._pose[f"iris_small_{self._suffix}"]
        size *= 1 - 0.08 * self._pose[f"eye_surprised_{self._suffix}"]
        grown = size * (1 + 0.04 * self._look.geometry.eye_size)
        rx, ry = (10.7, 13.7) if self._look.feminine else (9.6, 11.9)
        if self._look.adult:
            rx, ry = rx - 0.5, ry - 0.8
        x = self._x - self._side * 0.6 + 4.8 * self._pose["iris_rotation_y"]
        y = self._y + 0.2 - 4.4 * self._pose["iris_rotation_x"]
        return x, y, rx * grown, ry * grown, grown

    def _draw_iris(self) -> None:
        colour = self._look.tones.eye
        brush = self._brush
        x, y, rx, ry, size = self._iris_geometry()
        iris = ellipse(x, y, rx, ry)
        paint = brush.linear(
            (x, y - ry),
            (x, y + ry),
            [
                (0, mix(colour, _DARK, 0.80)),
                (0.38, mix(colour, _DARK, 0.42)),
                (0.66, mix(colour, _DARK, 0.02)),
                (1, light(colour, 0.55)),
            ],
        )
        brush.fill(iris, paint)
        brush.glow(ellipse(x, y + 6.6 * size, rx * 0.84, ry * 0.46), light(colour, 0.72), 0.95)
        brush.stroke(iris, mix(colour, _DARK, 0.74), 1.35, 0.95)
        brush.stroke(ellipse(x, y - 0.2, rx * 0.68, ry * 0.70), mix(colour, _DARK, 0.5), 0.7, 0.35)
        brush.fill(ellipse(x, y - 0.6, rx * 0.40, ry * 0.42), mix(colour, _DARK, 0.88))
        brush.fill(ellipse(x, y + ry * 0.10, rx * 0.22, ry * 0.2), mix(colour, _DARK, 0.45), 0.5)

    def _draw_highlights(self) -> None:
        x, y, rx, ry, size = self._iris_geometry()
        brush = self._brush
        brush.fill(ellipse(x - rx * 0.34, y - ry * 0.38, 3.3 * size, 4.1 * size), (1, 1, 1), 0.97)
        brush.fill(ellipse(x + rx * 0.38, y + ry * 0.36, 1.7 * size, 2.1 * size), (1, 1, 1), 0.88)
        spark = ellipse(x + rx * 0.36, y - ry * 0.50, 1.1 * size, 1.3 * size, points=4)
        brush.fill(spark, light(self._look.tones.eye, 0.75), 0.8)

    # ---- lashes

    def _draw_lower_lash(self) -> None:
        lids = self._lids
        paint = mix(self._look.tones.lash, self._look.tones.skin_line, 0.45)
        outer = slice(6, None)
        thickness = np.linspace(0.2, 1.2, _SAMPLES)[outer]
        x, y = lids.x[outer], lids.lower[outer]
        self._brush.fill(ribbon(self._edge(x, y - 0.1), self._edge(x, y + thickness)), paint, 0.85)
        self._brush.line(self._curve(lids.x[2:8], lids.lower[2:8]), paint, 0.7, 0.5)

    def _draw_upper_lash(self) -> None:
        lids, look, brush = self._lids, self._look, self._brush.raised(0.6)
        weight = (1.0 if look.feminine else 0.86) * (1 - 0.32 * lids.closed)
        thickness = (0.9 + 3.0 * np.sin(np.pi * np.clip(_T * 0.72 + 0.10, 0, 1))) * weight
        thickness[0] = 0.3
        top = self._curve(lids.x, lids.upper - thickness)
        wing = self._curve(lids.x[-1:] + 2.9, lids.upper[-1:] - 1.8 + 2.2 * lids.closed)[0]
        bottom = self._curve(lids.x, lids.upper + 0.5 + 0.6 * _T)
        start = self._curve(lids.x[:1] - 0.3, lids.upper[:1] + 0.3)[0]
        points: list[Point] = [(*start[:2], 1), *top[1:], (*wing[:2], 1), *bottom[:0:-1]]
        brush.fill(smooth(points), look.tones.lash)
        if look.feminine:
            for index, length in ((-1, 3.8), (-3, 2.8)):
                brush.fill(self._spike(index, length, thickness), look.tones.lash)
        crease = lids.upper - thickness - 2.6 - 0.8 * (1 - lids.closed)
        alpha = 0.55 * (1 - 0.3 * lids.closed)
        self._crease(brush, crease, alpha)

    def _spike(self, index: int, length: float, thickness: FloatArray) -> Curve:
        lids = self._lids
        x = float(lids.x[index])
        y = float((lids.upper - thickness)[index]) + 0.8
        rise = length * 0.75 * (1 - 1.4 * lids.closed)
        local = np.array([(x - 1.2, y - 0.2), (x + length, y - rise), (x + 0.6, y + 1.6)])
        edge = self._edge(local[:, 0], local[:, 1])
        return smooth([(u, v, 1) for u, v in edge.tolist()])

    def _crease(self, brush: Brush, y: FloatArray, alpha: float) -> None:
        inner = slice(3, -2)
        points = self._curve(self._lids.x[inner], y[inner])
        brush.stroke(line_through(points), self._look.tones.skin_line, 0.9, alpha)


def draw_eye(ink: Ink, look: Look, pose: Pose, side: int) -> None:
    """Eye on `side` of the picture (+1 right: the character's left)."""
    _Eye(ink, look, pose, side).draw()
