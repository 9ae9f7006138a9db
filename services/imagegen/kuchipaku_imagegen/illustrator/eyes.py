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
from .spline import Curve, FloatArray, Point, ellipse, ribbon, smooth, tapered

_SAMPLES = 13
_T = np.linspace(0, 1, _SAMPLES)
_ARCH = np.clip(4 * _T * (1 - _T), 0, 1)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Eye shape, pixels: outer corner lower than the inner one, lid heights over the corners.

    lean: the highest point of the upper lid lies further in (+) or out (-). bend, low_bend: how
    box-like the lids are, smaller is fuller.
    """

    tilt: float
    above: float
    below: float
    lean: float
    bend: float
    low_bend: float


_SHAPES: dict[EyeShape, _Shape] = {
    EyeShape.ROUND: _Shape(0.2, 15.2, 10.8, 0.0, 0.56, 0.80),
    EyeShape.SHARP: _Shape(-3.2, 13.0, 9.4, 0.16, 0.62, 0.92),
    EyeShape.GENTLE: _Shape(2.8, 14.0, 9.8, 0.05, 0.60, 0.72),
    EyeShape.ALMOND: _Shape(-1.6, 11.9, 8.4, 0.0, 0.70, 0.92),
    EyeShape.SLEEPY: _Shape(0.8, 10.8, 9.9, 0.0, 0.42, 0.80),
}
_DARK: Colour = (0.07, 0.04, 0.14)


#: Upper part of the iris in the shade, in radii.
_IRIS_CAP: list[tuple[float, float]] = [(-1.1, -0.05), (-0.5, -0.28), (0, -0.34), (0.5, -0.28)]
_IRIS_CAP += [(1.1, -0.05), (0.9, -1.2), (-0.9, -1.2)]


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
    geometry, style = look.geometry, look.style.eyes
    shape = _SHAPES[look.attributes.eye_shape]
    tilt = shape.tilt + 0.9 * geometry.eye_tilt + style.tilt
    smaller = (0.0 if look.feminine else 2.3) + (1.4 if look.adult else 0.0)
    smaller += (1.0 if look.elderly else 0.0) - (1.3 if look.child else 0.0)
    above = (shape.above + 1.5 * geometry.eye_size - smaller) * style.height
    below = (shape.below + 0.5 * geometry.eye_size - smaller * 0.6) * style.height
    half = ((14.2 if look.feminine else 13.0) + 1.0 * geometry.eye_width) * style.width
    x = half * (2 * _T - 1)
    corner = 1.5 + (_T - 0.5) * 2 * tilt + 1.5 * (1 - _T)
    # Upper and lower lid profiles along the eye, 0 at the corners.
    leant = _T + shape.lean * _T * (1 - _T)
    arch = np.clip(4 * leant * (1 - leant), 0, 1) ** shape.bend
    low_arch = _ARCH**shape.low_bend
    upper = corner - above * arch
    lower = corner + 1 + below * low_arch

    surprised = pose[f"eye_surprised_{suffix}"]
    upper = upper - 4.2 * style.height * surprised * arch
    lower = lower + 2.0 * style.height * surprised * low_arch
    unimpressed = pose[f"eye_unimpressed_{suffix}"]
    flat = np.maximum(upper, corner - above * 0.18 * (arch > 0))
    upper = upper * (1 - unimpressed) + flat * unimpressed
    lower = lower - pose[f"eye_raised_lower_eyelid_{suffix}"] * 0.36 * (lower - upper) * low_arch

    closings = {
        "wink": corner + below * 0.78 * low_arch,
        "happy_wink": corner + 3.5 - 8.0 * style.height * arch,
        "relaxed": corner + 1.0 + below * 0.45 * low_arch,
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
        self._style = look.style.eyes
        self._suffix = "left" if side > 0 else "right"
        self._brush = ink.on(Space.HEAD)
        self._x = side * (23.3 + 2.0 * look.geometry.eye_spacing + self._style.gap)
        self._y = 17.0 + 1.6 * look.geometry.eye_level + self._style.level
        self._lids = _lids(look, pose, self._suffix)

    def draw(self) -> None:
        lids = self._lids
        if lids.opening > 0.8:
            region = ribbon(self._edge(lids.x, lids.upper), self._edge(lids.x, lids.lower))
            with self._brush.clip(region):
                self._brush.fill(region, self._style.white)
                self._draw_iris()
                shadow = np.minimum(5.4, (lids.lower - lids.upper) * 0.34)
                self._brush.fill(
                    ribbon(
                        self._edge(lids.x, lids.upper - 3),
                        self._edge(lids.x, lids.upper + shadow),
                    ),
                    (0.36, 0.28, 0.52),
                    0.34 * self._style.shadow,
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
        grown = size * (
            1 + 0.03 * self._look.geometry.eye_size + 0.06 * self._look.geometry.iris_size
        )
        rx, ry = (10.7, 13.7) if self._look.feminine else (9.6, 11.9)
        if self._look.adult:
            rx, ry = rx - 0.5, ry - 0.8
        rx, ry = rx * self._style.iris_width, ry * self._style.iris_height
        x = self._x - self._side * 0.6 + 4.8 * self._pose["iris_rotation_y"]
        up = 4.4 * self._pose["iris_rotation_x"] * self._style.iris_height
        y = self._y + 0.2 - up
        return x, y, rx * grown, ry * grown, grown

    def _draw_iris(self) -> None:
        """Dark limbus and upper half, light crescent below, streaks around the pupil."""
        colour, style = self._look.tones.eye, self._style
        brush, depth = self._brush, style.iris_depth
        x, y, rx, ry, size = self._iris_geometry()
        iris = ellipse(x, y, rx, ry)
        deep = mix(colour, _DARK, 0.62 * min(1.0, depth))
        paint = brush.linear(
            (x, y - ry),
            (x, y + ry),
            [
                (0, mix(colour, _DARK, 0.70 * depth)),
                (0.42, mix(colour, _DARK, 0.30 * depth)),
                (0.62, colour),
                (1, light(colour, 0.50 * style.gleam)),
            ],
        )
        brush.fill(iris, paint)
        brush.glow(
            ellipse(x, y + ry * 0.52, rx * 0.86, ry * 0.50), light(colour, 0.78), style.gleam
        )
        for angle in (0.55, 1.10, 1.57, 2.04, 2.59):
            u, v = np.cos(angle), np.sin(angle)
            ray: list[Point] = [(x + u * rx * r, y + v * ry * r) for r in (0.50, 0.68, 0.86)]
            brush.fill(tapered(ray, 0.3, 1.3 * size, 0.3), light(colour, 0.65), 0.6 * style.gleam)
        # The shadow of the lid ends in a clear edge across the iris.
        cap = [(x + rx * u, y + ry * v) for u, v in _IRIS_CAP]
        brush.fill(smooth(cap), deep, 0.75 * style.cap)
        rim = ellipse(x, y, rx - 0.5, ry - 0.5)
        brush.stroke(rim, mix(colour, _DARK, 0.76), 1.7, 0.95 * style.rim)
        pupil = ellipse(x, y + ry * 0.02, rx * 0.38, ry * 0.42)
        brush.fill(pupil, mix(colour, _DARK, 0.90), style.pupil)

    def _draw_highlights(self) -> None:
        x, y, rx, ry, size = self._iris_geometry()
        brush, style = self._brush, self._style
        # In a small eye the lights keep their share of the iris.
        wide, tall = size * min(1.0, style.iris_width), size * min(1.0, style.iris_height)
        bright = min(1.0, style.highlight)
        first = ellipse(x - rx * 0.36, y - ry * 0.40, 3.5 * wide, 4.2 * tall)
        brush.fill(first, (1, 1, 1), 0.98 * bright)
        second = ellipse(x + rx * 0.40, y + ry * 0.42, 1.8 * wide, 2.2 * tall)
        brush.fill(second, (1, 1, 1), 0.92 * bright)
        spark = ellipse(x + rx * 0.30, y - ry * 0.62, 1.0 * wide, 1.2 * tall, points=4)
        brush.fill(spark, light(self._look.tones.eye, 0.75), 0.85 * bright)

    # ---- lashes

    def _draw_lower_lash(self) -> None:
        lids, strength = self._lids, min(1.0, self._style.lower_lash)
        paint = mix(self._look.tones.lash, self._look.tones.skin_line, 0.45)
        outer = slice(6, None)
        thickness = np.linspace(0.2, 1.2, _SAMPLES)[outer]
        x, y = lids.x[outer], lids.lower[outer]
        self._brush.fill(
            ribbon(self._edge(x, y - 0.1), self._edge(x, y + thickness)), paint, 0.85 * strength
        )
        raised = self._pose[f"eye_raised_lower_eyelid_{self._suffix}"]
        inner = slice(2, 8 + round(3 * raised))
        rim = self._curve(lids.x[inner], lids.lower[inner])
        self._brush.line(rim, paint, 0.7 + 0.5 * raised, (0.5 + 0.4 * raised) * strength)
        if raised > 0:
            # The lid that is pushed up makes a fold below it.
            fold = self._curve(lids.x[3:-3], lids.lower[3:-3] + 3.4)
            tone = self._look.tones.skin_line
            self._brush.fill(tapered(fold, 0.2, 1.2, 0.2), tone, 0.6 * raised)

    def _draw_upper_lash(self) -> None:
        lids, look, brush = self._lids, self._look, self._brush.raised(0.6)
        weight = (1.08 if look.feminine else 0.92) + 0.14 * look.geometry.lash_weight
        weight *= (1 - 0.32 * lids.closed) * self._style.lash
        lash = mix(look.tones.lash, look.tones.skin_line, self._style.lash_paleness)
        thickness = (0.8 + 3.3 * np.sin(np.pi * np.clip(_T * 0.68 + 0.10, 0, 1))) * weight
        thickness[0] = 0.3
        reach = 3.2 if look.feminine else 2.0
        top = self._curve(lids.x, lids.upper - thickness)
        wing = self._curve(lids.x[-1:] + reach, lids.upper[-1:] - 2.0 + 2.4 * lids.closed)[0]
        bottom = self._curve(lids.x, lids.upper + 0.5 + 0.7 * _T)
        start = self._curve(lids.x[:1] - 0.3, lids.upper[:1] + 0.3)[0]
        points: list[Point] = [(*start[:2], 1), *top[1:], (*wing[:2], 1), *bottom[:0:-1]]
        brush.fill(smooth(points), lash)
        if look.feminine and not look.elderly and self._style.spikes:
            for index, length in ((-1, 4.0), (-3, 3.0)):
                brush.fill(self._spike(index, length, thickness), lash)
        crease = lids.upper - thickness - 2.2 - 0.6 * (1 - lids.closed)
        self._crease(brush, crease, 0.62 * (1 - 0.4 * lids.closed) * self._style.crease)

    def _spike(self, index: int, length: float, thickness: FloatArray) -> Curve:
        lids = self._lids
        x = float(lids.x[index])
        y = float((lids.upper - thickness)[index]) + 0.8
        rise = length * 0.75 * (1 - 1.4 * lids.closed)
        local = np.array([(x - 1.2, y - 0.2), (x + length, y - rise), (x + 0.6, y + 1.6)])
        edge = self._edge(local[:, 0], local[:, 1])
        return smooth([(u, v, 1) for u, v in edge.tolist()])

    def _crease(self, brush: Brush, y: FloatArray, alpha: float) -> None:
        inner = slice(3, -2) if self._look.feminine else slice(5, -1)
        points = self._curve(self._lids.x[inner], y[inner])
        brush.fill(tapered(points, 0.2, 1.15, 0.2), self._look.tones.skin_line, alpha)


def draw_eye(ink: Ink, look: Look, pose: Pose, side: int) -> None:
    """Eye on `side` of the picture (+1 right: the character's left)."""
    _Eye(ink, look, pose, side).draw()
