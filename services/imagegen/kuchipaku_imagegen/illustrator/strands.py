"""Building blocks of hair: gradients, single locks and large masses."""

from __future__ import annotations

from collections.abc import Sequence

from .ink import Brush, Gradient, Paint
from .look import Look
from .palette import mix
from .rig import Space
from .spline import Curve, Point, ellipse, line_through, tapered


def hair_paint(brush: Brush, look: Look, top: float, bottom: float) -> Gradient:
    """Vertical gradient of the hair colour between two heights, towards the tip colour."""
    tones = look.tones
    # One plane for every piece of hair, so that neighbouring pieces agree in colour.
    plane = Brush(brush.ink, Space.FLAT)
    return plane.linear(
        (0, top),
        (0, bottom),
        [
            (0, mix(tones.hair, tones.hair_shadow, 0.25)),
            (0.28, tones.hair),
            (0.60, tones.hair),
            (1, mix(tones.hair, tones.hair_tip, 0.75)),
        ],
    )


def draw_lock(
    brush: Brush,
    look: Look,
    points: Sequence[Point],
    widths: tuple[float, float, float],
    paint: Paint | None = None,
    *,
    strands: int = 1,
    glossy: bool = True,
) -> None:
    """One lock along `points` (from root to tip) with width at root, middle and tip."""
    tones = look.tones
    paint = paint or hair_paint(brush, look, -70, max(60.0, points[-1][1]))
    wide = widths[1]
    with brush.part(tapered(points, *widths), paint, tones.hair_line, 1.45):
        dark = [(p[0] + wide * 0.32, p[1] + 2) for p in points]
        brush.fill(tapered(dark, widths[0], wide * 0.85, widths[2]), tones.hair_shadow, 0.5)
        if glossy and len(points) > 2:
            lit = [(p[0] - wide * 0.20, p[1]) for p in points]
            brush.fill(tapered(lit, 0.3, wide * 0.16, 0.2), tones.hair_light, 0.55)
        for index in range(strands):
            offset = (index - (strands - 1) / 2) * wide / (strands + 1)
            strand = [(p[0] + offset * min(1.0, i / 1.5), p[1]) for i, p in enumerate(points)]
            brush.fill(tapered(strand, 0.3, 1.0, 0.2), tones.hair_line, 0.5)


def draw_tail(
    brush: Brush, look: Look, points: Sequence[Point], widths: tuple[float, float, float]
) -> None:
    """A free tail with volume: shadow side, strands of uneven length, and a lit streak."""
    tones = look.tones
    bottom, wide = points[-1][1], widths[1]
    paint = hair_paint(brush, look, -50, bottom)
    with brush.part(tapered(points, *widths), paint, tones.hair_line, 1.6):
        shadow = [(p[0] + wide * 0.27, p[1] + 2) for p in points]
        brush.fill(tapered(shadow, widths[0], wide * 0.66, 1), tones.hair_shadow, 0.62)
        lit = [(p[0] - wide * 0.22, p[1]) for p in points[:-1]]
        brush.fill(tapered(lit, 0.4, wide * 0.17, 0.3), tones.hair_light, 0.7)
        for offset, first, last in ((-0.36, 1, 0), (-0.06, 0, 1), (0.13, 0, 2), (0.33, 2, 0)):
            kept = points[first : len(points) - last]
            strand = [
                (p[0] + offset * wide * min(1.0, (i + first) / 2), p[1]) for i, p in enumerate(kept)
            ]
            brush.fill(tapered(strand, 0.4, 1.8, 0.2), tones.hair_line, 0.6)


def draw_mass(
    brush: Brush,
    look: Look,
    curve: Curve,
    bottom: float,
    strands: Sequence[Sequence[Point]] = (),
    *,
    dark: float,
) -> None:
    """A large area of hair behind the head; `dark` shades it as it lies behind."""
    tones = look.tones
    deep = mix(tones.hair, tones.hair_shadow, min(1.0, dark * 3.2))
    stops = [
        (0.0, mix(tones.hair, tones.hair_shadow, 0.25)),
        (0.16, tones.hair),
        (0.42, deep),
        (0.70, mix(tones.hair, tones.hair_shadow, dark * 1.8)),
        (1.0, mix(tones.hair, tones.hair_tip, 0.75)),
    ]
    plane = Brush(brush.ink, Space.FLAT)
    paint = plane.linear((0, -60), (0, bottom), stops)
    with brush.part(curve, paint, tones.hair_line, 1.6):
        for strand in strands:
            brush.fill(tapered(strand, 0.4, 2.0, 0.3), tones.hair_line, 0.5)
            lit = [(p[0] - 3.5, p[1]) for p in strand]
            brush.fill(tapered(lit, 0.2, 1.8, 0.2), tones.hair_light, 0.32)


def draw_tie(brush: Brush, look: Look, x: float, y: float, radius: float = 6.5) -> None:
    """Band that holds a tail together."""
    accent = look.tones.accent
    with brush.part(ellipse(x, y, radius, radius * 1.1), accent):
        brush.stroke(line_through([(x - 5, y - 2), (x + 5, y - 2)]), mix(accent, (1, 1, 1), 0.5))
