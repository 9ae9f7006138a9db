"""The hair over the skull and forehead: volume, shadows, highlight band and strands."""

from __future__ import annotations

import random

from .attributes import Bangs, HairStyle
from .bangs import (
    crown_clumps,
    fringe_curve,
    fringe_points,
    fringe_shape,
    root_x,
    swept_back,
)
from .ink import Brush, Gradient, Ink
from .look import Look
from .palette import light, mix
from .rig import Space
from .spline import Point, ellipse, sided, smooth, tapered

_CROWN_Y = -73.0


def draw_fringe(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.HAIR)
    paint = _fringe_paint(brush, look)
    with brush.part(fringe_curve(look), paint, tones.hair_line, 1.7):
        _draw_volume(brush, look)
        if look.attributes.hair_style is HairStyle.UNDERCUT:
            _draw_short_sides(brush, look)
        _draw_lock_shadows(brush, look)
        _draw_ring(brush, look)
        if look.attributes.hair_style is HairStyle.CURLY:
            _draw_curls(brush, look)
        elif swept_back(look):
            _draw_combed(brush, look)
        else:
            _draw_strands(brush, look)


def _fringe_paint(brush: Brush, look: Look) -> Gradient:
    """Like all hair, but the skin shines through the thin tips."""
    tones = look.tones
    tip = mix(mix(tones.hair, tones.hair_tip, 0.6), tones.skin, 0.20)
    stops = [
        (0.0, mix(tones.hair, tones.hair_shadow, 0.30)),
        (0.26, tones.hair),
        (0.66, tones.hair),
        (1.0, tip),
    ]
    return brush.linear((0, -75), (0, 24), stops)


def _draw_volume(brush: Brush, look: Look) -> None:
    """Round the skull: a clear shadow on the side away from the light, a soft one opposite."""
    tones = look.tones
    x, top = (96.0, -110.0) if crown_clumps(look) else (78.0, -84.0)
    cover: list[Point] = [(-x, top, 1), (x, top, 1), (x, 28, 1), (-x, 28, 1)]
    stops = [
        (0, tones.hair_shadow, 0.45),
        (0.22, tones.hair_shadow, 0.0),
        (0.80, tones.hair_shadow, 0.0),
        (1, tones.hair_shadow, 0.45),
    ]
    brush.fill(smooth(cover), brush.linear((-66, -20), (66, -20), stops))
    side: list[Point] = [(34, -84, 1), (48, -54), (50, -26), (45, 0), (50, 30, 1)]
    side += [(90, 30, 1), (90, -90, 1)]
    brush.fill(smooth(side), tones.hair_shadow, 0.5)
    brush.glow(ellipse(-14, -40, 44, 30), tones.hair_light, 0.45)


def _draw_short_sides(brush: Brush, look: Look) -> None:
    """The shaved sides below a longer top."""
    tone = mix(look.tones.hair_shadow, look.tones.hair_line, 0.35)
    for side in (1, -1):
        area: list[Point] = [(47, -46, 1), (44, -20), (45, 6), (50, 30, 1), (80, 30, 1), (80, -48)]
        brush.fill(smooth(sided(side, area)), tone, 0.85)
        for x in (49.0, 53.0, 57.0):
            stubble: list[Point] = [(x, -28), (x + 0.6, -12), (x, 4)]
            brush.fill(tapered(sided(side, stubble), 0.2, 0.8, 0.2), look.tones.hair_line, 0.5)


def _draw_lock_shadows(brush: Brush, look: Look) -> None:
    """Where a lock lies over its neighbour: a wedge that runs from the notch to the crown."""
    if swept_back(look):
        return
    notches, tips = fringe_points(look)
    root = root_x(look)
    for tip, (x, y) in zip(tips, notches[1:], strict=True):
        tx, ty = tip
        wedge: list[Point] = [
            (tx, ty + 2, 1),
            (tx * 0.72 + x * 0.28, ty * 0.45 + y * 0.55 - 2),
            (x * 0.90 + root * 0.10, y - 14),
            (x * 0.74 + root * 0.26, y - 32, 1),
            (x * 0.96 + root * 0.04, y - 12),
            (x, y, 1),
        ]
        brush.fill(smooth(wedge), look.tones.hair_shadow, 0.78)


def _draw_ring(brush: Brush, look: Look) -> None:
    """Highlight band that follows the dome of the skull, broken into uneven flakes."""
    rng = random.Random(look.attributes.detail_seed)  # noqa: S311 - reproducible, not secret
    lift = -24.0 if swept_back(look) else 0.0
    upper: list[Point] = []
    lower: list[Point] = []
    count = 13
    for index in range(count):
        u = -0.86 + 1.52 * index / (count - 1)
        x, y = u * 54, lift - 39 + 13 * u * u
        reach = 1 - abs((u + 0.1) / 0.8) ** 2.5
        flake = rng.uniform(0.6, 1.0) * max(0.05, reach)
        if index % 2:
            lower.append((x, y + 9.5 * flake, 1))
            upper.append((x * 0.97, y - 5.0 * flake))
        else:
            lower.append((x, y + 1.2))
            upper.append((x * 0.98, y - 1.6 * reach - 0.4, 1))
    tone = light(look.tones.hair_light, 0.30)
    brush.fill(smooth([*lower, *reversed(upper)], tension=0.3), tone, 0.72)


def _strand(look: Look, start: tuple[float, float], share: float) -> list[Point]:
    """From a point of the fringe along the skull towards the crown."""
    x, y = start
    root = root_x(look)
    return [
        (x + (root - x) * (t * share) ** 1.7, y + (_CROWN_Y - y) * t * share)
        for t in (0.0, 0.33, 0.66, 1.0)
    ]


def _draw_strands(brush: Brush, look: Look) -> None:
    tones = look.tones
    notches, tips = fringe_points(look)
    blunt = fringe_shape(look) is Bangs.BLUNT
    reaches = (0.34, 0.60, 0.24) if blunt else (0.78, 0.52, 0.66)
    for index, notch in enumerate(notches[1:-1]):
        strand = _strand(look, notch, reaches[index % 3])
        brush.fill(tapered(strand, 2.2, 1.6, 0.2), tones.hair_line, 0.8)
    for index, (x, y) in enumerate(tips):
        middle = _strand(look, (x * 0.985, y - 8), (0.36, 0.52, 0.30)[index % 3])
        brush.fill(tapered(middle, 0.2, 1.0, 0.2), tones.hair_line, 0.5)
        lit = [(p[0] - 2.6, p[1] + 1.0) for p in middle[:3]]
        brush.fill(tapered(lit, 0.2, 2.0, 0.2), tones.hair_light, 0.6)
    for vx, vy, _, _ in crown_clumps(look):
        inward: list[Point] = [(vx, vy), (vx * 0.84, vy * 0.88 - 3), (vx * 0.62, vy * 0.80 - 9)]
        inward = sided(look.attributes.side, inward)
        brush.fill(tapered(inward, 1.8, 1.4, 0.2), tones.hair_line, 0.75)
    _draw_crown(brush, look)


def _draw_combed(brush: Brush, look: Look) -> None:
    """Strands combed from the hairline over the skull, away from the face."""
    tones = look.tones
    notches, tips = fringe_points(look)
    for index, (x, y) in enumerate(sorted({*notches[1:-1], *tips})):
        reach = (1.34, 1.20, 1.46)[index % 3]
        back: list[Point] = [
            (x, y),
            (x * (0.4 + 0.6 * reach) + 2.0, y - 12 * reach),
            (x * reach * 1.02 + 5.0, y - 24 * reach),
        ]
        brush.fill(tapered(back, 0.3, 1.7, 0.2), tones.hair_line, 0.65)
        lit = [(p[0] - 3.0, p[1]) for p in back]
        brush.fill(tapered(lit, 0.2, 2.2, 0.2), tones.hair_light, 0.6)


def _draw_crown(brush: Brush, look: Look) -> None:
    """Strands that start at the whorl."""
    root = root_x(look)
    for u, length in ((-1.0, 0.8), (-0.55, 1.0), (-0.15, 0.6), (0.3, 0.85), (0.75, 1.0)):
        crown: list[Point] = [
            (root + u * 3, _CROWN_Y),
            (root * 0.8 + u * (10 + 12 * length), _CROWN_Y + 7 * length),
            (root * 0.6 + u * (22 + 24 * length), _CROWN_Y + 24 * length),
        ]
        brush.fill(tapered(crown, 1.2, 1.0, 0.1), look.tones.hair_line, 0.55)


def _draw_curls(brush: Brush, look: Look) -> None:
    tones = look.tones
    rng = random.Random(look.attributes.detail_seed + 1)  # noqa: S311 - reproducible, not secret
    for row, y in enumerate((-60.0, -42.0, -24.0, -8.0)):
        reach = (34.0, 48.0, 52.0, 46.0)[row]
        for index in range(5):
            x = -reach + 2 * reach * (index + 0.5 * (row % 2)) / 4.5 + rng.uniform(-3, 3)
            r = rng.uniform(6.0, 8.5)
            arc = [(-0.9, -0.4), (-0.6, 0.6), (0.3, 0.85), (0.95, 0.1), (0.45, -0.5)]
            curl: list[Point] = [(x + u * r, y + v * r) for u, v in arc]
            brush.fill(tapered(curl, 0.3, 1.5, 0.2), tones.hair_line, 0.6)
            lit: list[Point] = [
                (x - 0.5 * r, y - 0.5 * r),
                (x, y - 0.75 * r),
                (x + 0.6 * r, y - 0.6 * r),
            ]
            brush.fill(tapered(lit, 0.2, 2.2, 0.2), tones.hair_light, 0.55)
