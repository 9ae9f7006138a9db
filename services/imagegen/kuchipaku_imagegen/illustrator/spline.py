"""Smooth curves through points, as cubic Bezier control points.

A curve is given by the points it passes through; a point with a third element that is true is a
corner. Coordinates are pixels relative to the middle of the head, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Point = tuple[float, float] | tuple[float, float, int]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Cubic Bezier path: `control` (1 + 3 * segments, 2) holds the start, then triples."""

    control: FloatArray
    closed: bool


def smooth(points: Sequence[Point], *, closed: bool = True, tension: float = 0.36) -> Curve:
    """Curve through `points` with Catmull-Rom tangents, sharp at corners."""
    through = np.array([point[:2] for point in points], np.float64)
    corner = np.array([len(point) > 2 and bool(point[2]) for point in points])
    tangent = np.roll(through, -1, 0) - np.roll(through, 1, 0)
    if not closed:
        tangent[0] = through[1] - through[0]
        tangent[-1] = through[-1] - through[-2]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    start = np.arange(len(through) if closed else len(through) - 1)
    end = (start + 1) % len(through)
    chord = through[end] - through[start]
    length = np.linalg.norm(chord, axis=1, keepdims=True)
    leaving = np.where(corner[start][:, None], chord, tangent[start] * length)
    arriving = np.where(corner[end][:, None], chord, tangent[end] * length)
    triples = np.stack(
        [through[start] + leaving * tension, through[end] - arriving * tension, through[end]], 1
    )
    return Curve(np.concatenate([through[:1], triples.reshape(-1, 2)]), closed)


def straight(points: Sequence[Point], *, closed: bool = True) -> Curve:
    """Polygon or polyline through `points`."""
    return smooth([(point[0], point[1], 1) for point in points], closed=closed)


def line_through(points: Sequence[Point], *, tension: float = 0.36) -> Curve:
    """Open smooth curve."""
    return smooth(points, closed=False, tension=tension)


def ellipse(x: float, y: float, rx: float, ry: float, *, points: int = 8) -> Curve:
    """Ellipse with axis-aligned radii."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    ring = [(x + rx * float(np.cos(a)), y + ry * float(np.sin(a))) for a in angle]
    # Tension at which cubic segments of equal angle touch the circle.
    step = 2 * np.pi / points
    tension = 4 / 3 * np.tan(step / 4) / (2 * np.sin(step / 2))
    return smooth(ring, tension=float(tension))


def mirrored(points: Iterable[Point]) -> list[Point]:
    return [_flip(point) for point in points]


def _flip(point: Point) -> Point:
    return (-point[0], point[1]) if len(point) == 2 else (-point[0], point[1], point[2])


def sided(side: int, points: Iterable[Point]) -> list[Point]:
    """Points given for the picture's right side, on `side` (+1 right, -1 left)."""
    return list(points) if side > 0 else mirrored(points)


def symmetric(right_half: Sequence[Point]) -> list[Point]:
    """Closed outline from its right half, given from top to bottom."""
    left = [_flip(point) for point in reversed(right_half) if abs(point[0]) > 1e-6]
    return [*right_half, *left]


def tapered(points: Sequence[Point], start: float, middle: float, end: float) -> Curve:
    """Outline of a brush stroke along `points` whose width goes start -> middle -> end."""
    path = np.array([point[:2] for point in points], np.float64)
    across = normals(path)
    t = np.linspace(0, np.pi, len(path))
    edge = np.where(t < np.pi / 2, start, end)
    half = (edge + (middle - edge) * np.sin(t))[:, None] / 2
    return ribbon(path + across * half, path - across * half)


def normals(path: FloatArray) -> FloatArray:
    """Unit normals (n, 2) of a polyline (n, 2), to the left of its direction."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    return np.stack([-tangent[:, 1], tangent[:, 0]], 1)


def ribbon(one: FloatArray, other: FloatArray) -> Curve:
    """Closed curve between two edges of equal direction, with corners at the four ends."""
    return smooth([*edge_points(one), *reversed(edge_points(other))])


def edge_points(edge: FloatArray) -> list[Point]:
    """Points of an edge (n, 2), corners at both ends."""
    rows = [(float(x), float(y)) for x, y in edge]
    return [(*rows[0], 1), *rows[1:-1], (*rows[-1], 1)]


def smoothstep(low: float, high: float, x: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    result: FloatArray = t * t * (3 - 2 * t)
    return result
