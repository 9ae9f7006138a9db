"""Records drawing operations as an SVG template whose numbers are filled in for each pose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .build import Build
from .palette import Colour, css, outline
from .rig import Rig, Space, placement
from .spline import Curve, FloatArray, Point, ellipse, line_through, straight
from .style import OWN_HAND, Style

#: Gradient stops: offset 0..1, colour, and optionally an opacity.
Stop = tuple[float, Colour] | tuple[float, Colour, float]

#: Width of outlines, pixels.
LINE_WIDTH = 1.25


@dataclass(frozen=True, slots=True)
class Gradient:
    """Reference to a gradient defined in the drawing."""

    identifier: str


Paint = Colour | Gradient


#: Markup with `%.2f` pairs, and points (n, 2), depths (n,) and body weights (n,) to fill in.
_Entry = tuple[str, FloatArray, FloatArray, FloatArray]


def _paint(paint: Paint) -> str:
    return f"url(#{paint.identifier})" if isinstance(paint, Gradient) else css(paint)


def _opacity(name: str, value: float) -> str:
    return "" if value >= 1 else f' {name}="{round(max(0.0, value), 3)}"'


class Layer(IntEnum):
    """Parts of one drawing that lie over each other, whatever the order they are drawn in."""

    BEHIND = 0  #: arms behind the back
    MIDDLE = 1
    FRONT = 2  #: forearms and hands before the body


class Ink:
    """Ordered shapes of one character.

    Points are kept with their depth and body weight; `svg` places all of them with one call of the
    rig and formats them into the recorded template.
    """

    def __init__(self, build: Build, prefix: str, style: Style = OWN_HAND) -> None:
        self._build = build
        self._style = style
        self._prefix = prefix
        self._layers: list[list[_Entry]] = [[] for _ in Layer]
        self._entries = self._layers[Layer.MIDDLE]
        self._count = 0
        self._packed: tuple[str, FloatArray, FloatArray, FloatArray] | None = None

    def on(self, space: Space, depth: float = 0.0) -> Brush:
        return Brush(self, space, depth)

    @contextmanager
    def layer(self, layer: Layer) -> Iterator[None]:
        """Draw what the block draws into `layer`; the rest goes to the middle."""
        before, self._entries = self._entries, self._layers[layer]
        yield
        self._entries = before

    def svg(self, rig: Rig) -> str:
        """The recorded elements with every point placed by `rig`, two decimals each."""
        if self._packed is None:
            entries = [entry for layer in self._layers for entry in layer]
            points = np.concatenate([np.zeros((0, 2)), *(entry[1] for entry in entries)])
            depths = np.concatenate([np.zeros(0), *(entry[2] for entry in entries)])
            weights = np.concatenate([np.zeros(0), *(entry[3] for entry in entries)])
            self._packed = ("".join(entry[0] for entry in entries), points, depths, weights)
        template, points, depths, weights = self._packed
        placed = rig.place(points, depths, weights)
        return template % tuple(placed.ravel().tolist())

    def pen(self, width: float, opacity: float = 1.0) -> str:
        """Attributes of a line of `width` pixels, as this hand draws it."""
        strength = _opacity("stroke-opacity", opacity * self._style.ink)
        return f' stroke-width="{round(width * self._style.line, 2)}"{strength}'

    def identifier(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"

    def write(self, text: str, points: FloatArray, space: Space, depth: float) -> None:
        """Append markup in which each `%.2f` pair takes one of `points` (n, 2)."""
        z, weight = placement(points, space, depth)
        self._entries.append((text, self._build.shaped(points, space, weight), z, weight))
        self._packed = None

    def mark(self) -> int:
        return len(self._entries)

    def append(self, text: str) -> None:
        """Append markup without points."""
        self._entries.append((text, np.zeros((0, 2)), np.zeros(0), np.zeros(0)))
        self._packed = None

    def drop_last(self) -> None:
        """Take back the last `append`."""
        self._entries.pop()


def _path(curve: Curve) -> str:
    triples = (len(curve.control) - 1) // 3
    body = "C%.2f %.2f %.2f %.2f %.2f %.2f" * triples
    return f"M%.2f %.2f{body}{'Z' if curve.closed else ''}"


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws into an Ink on one space at one depth offset."""

    ink: Ink
    space: Space
    depth: float = 0.0

    def raised(self, depth: float) -> Brush:
        return Brush(self.ink, self.space, self.depth + depth)

    def fill(self, curve: Curve, paint: Paint, opacity: float = 1.0) -> None:
        alpha = _opacity("fill-opacity", opacity)
        self._write(f'<path d="{_path(curve)}" fill="{_paint(paint)}"{alpha}/>', curve)

    def stroke(
        self, curve: Curve, paint: Paint, width: float = LINE_WIDTH, opacity: float = 1.0
    ) -> None:
        self._write(
            f'<path d="{_path(curve)}" fill="none" stroke="{_paint(paint)}"'
            f"{self.ink.pen(width, opacity)}/>",
            curve,
        )

    def line(
        self, points: Sequence[Point], paint: Paint, width: float = 0.9, opacity: float = 1.0
    ) -> None:
        self.stroke(line_through(points), paint, width, opacity)

    def dot(self, x: float, y: float, radius: float, paint: Paint, edge: Paint | None) -> None:
        circle = ellipse(x, y, radius, radius, points=4)
        self.fill(circle, paint)
        if edge is not None:
            self.stroke(circle, edge, 0.8)

    @contextmanager
    def part(
        self,
        curve: Curve,
        paint: Paint,
        line: Paint | None = None,
        width: float = LINE_WIDTH,
    ) -> Iterator[Brush]:
        """Fill `curve`, draw what the block draws clipped to it, then outline it.

        The outline is the dark tint of a plain fill unless `line` is given; width 0 omits it.
        """
        if line is None and not isinstance(paint, Gradient):
            line = outline(paint)
        name = self.ink.identifier()
        self._write(f'<defs><path id="{name}" d="{_path(curve)}"/></defs>', curve)
        self.ink.append(f'<use href="#{name}" fill="{_paint(paint)}"/>')
        with self._clipped(name):
            yield self
        if line is not None and width > 0:
            self.ink.append(
                f'<use href="#{name}" fill="none" stroke="{_paint(line)}"{self.ink.pen(width)}/>'
            )

    def shape(
        self, curve: Curve, paint: Paint, line: Paint | None = None, width: float = LINE_WIDTH
    ) -> None:
        """Fill and outline without anything clipped to it."""
        with self.part(curve, paint, line, width):
            pass

    @contextmanager
    def clip(self, curve: Curve) -> Iterator[Brush]:
        """Clip what the block draws to `curve`."""
        name = self.ink.identifier()
        self._write(f'<defs><path id="{name}" d="{_path(curve)}"/></defs>', curve)
        with self._clipped(name):
            yield self

    @contextmanager
    def _clipped(self, name: str) -> Iterator[None]:
        at = self.ink.mark()
        self.ink.append(
            f'<clipPath id="{name}c"><use href="#{name}"/></clipPath><g clip-path="url(#{name}c)">'
        )
        yield
        if self.ink.mark() == at + 1:
            self.ink.drop_last()
        else:
            self.ink.append("</g>")

    def glow(self, curve: Curve, paint: Colour, opacity: float) -> None:
        """Fill that is `opacity` strong in the middle of the curve's box and fades to its edge."""
        name = self.ink.identifier()
        stops = _stops([(0, paint, opacity), (0.45, paint, opacity * 0.6), (1, paint, 0.0)])
        self.ink.append(f'<radialGradient id="{name}">{stops}</radialGradient>')
        self.fill(curve, Gradient(name))

    def linear(self, start: Point, end: Point, stops: Sequence[Stop]) -> Gradient:
        """Linear gradient between two points of this space."""
        name = self.ink.identifier()
        text = (
            f'<linearGradient id="{name}" gradientUnits="userSpaceOnUse"'
            ' x1="%.2f" y1="%.2f" x2="%.2f" y2="%.2f">'
            f"{_stops(stops)}</linearGradient>"
        )
        self.ink.write(text, np.array([start[:2], end[:2]]), self.space, self.depth)
        return Gradient(name)

    def radial(self, centre: Point, radius: float, stops: Sequence[Stop]) -> Gradient:
        """Radial gradient around a point of this space; the radius is in canvas pixels."""
        name = self.ink.identifier()
        text = (
            f'<radialGradient id="{name}" gradientUnits="userSpaceOnUse"'
            f' cx="%.2f" cy="%.2f" r="{round(radius, 2)}">'
            f"{_stops(stops)}</radialGradient>"
        )
        self.ink.write(text, np.array([centre[:2]]), self.space, self.depth)
        return Gradient(name)

    def polygon(self, points: Sequence[Point], paint: Paint, opacity: float = 1.0) -> None:
        self.fill(straight(points), paint, opacity)

    def _write(self, text: str, curve: Curve) -> None:
        self.ink.write(text, curve.control, self.space, self.depth)


def _stops(stops: Sequence[Stop]) -> str:
    marks = []
    for stop in stops:
        alpha = _opacity("stop-opacity", stop[2]) if len(stop) == 3 else ""
        marks.append(f'<stop offset="{round(stop[0], 3)}" stop-color="{css(stop[1])}"{alpha}/>')
    return "".join(marks)
