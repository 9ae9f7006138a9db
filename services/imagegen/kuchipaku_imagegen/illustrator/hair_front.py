"""Hair in front of the face: fringe, side locks, braid, and the shadow they throw on the face."""

from __future__ import annotations

from .attributes import HairStyle
from .bangs import crown_clumps, fringe_curve, fringe_points, root_x
from .face import face_outline
from .ink import Brush, Gradient, Ink
from .look import Look
from .ornaments import draw_bow
from .palette import light, mix
from .rig import Space
from .spline import Point, ellipse, sided, smooth, tapered
from .strands import draw_lock, hair_paint

_Lock = tuple[list[Point], float]


def draw_fringe_shadow(ink: Ink, look: Look) -> None:
    """Shadow of fringe and side locks on the skin; drawn below the eyes."""
    tones = look.tones
    with ink.on(Space.JAW).clip(face_outline(look)):
        ink.on(Space.HAIR, -4).fill(fringe_curve(look, 4.8), tones.skin_shadow, 0.75)
        for side in (1, -1):
            lock = _side_lock(look, side)
            if lock is not None:
                points, width = lock
                moved = [(p[0] - side * 3.5, p[1] + 2) for p in points]
                shadow = tapered(moved, 8, width, 1)
                ink.on(Space.LOCK, -6).fill(shadow, tones.skin_shadow, 0.7)


def draw_front_hair(ink: Ink, look: Look) -> None:
    style = look.attributes.hair_style
    brush = ink.on(Space.LOCK)
    for side in (1, -1):
        lock = _side_lock(look, side)
        if lock is not None:
            points, width = lock
            paint = hair_paint(brush, look, -60, max(70.0, points[-1][1]))
            draw_lock(brush, look, points, (9, width, 0.6), paint)
        if style is HairStyle.HIME:
            _draw_hime_side(brush, look, side)
    if style is HairStyle.SIDE_BRAID:
        _draw_braid(ink, look, look.attributes.side)
    _draw_fringe(ink, look)
    if look.attributes.ahoge and not crown_clumps(look):
        curl = sided(look.attributes.side, [(0, -66), (5, -80), (16, -86), (26, -80)])
        draw_lock(ink.on(Space.HAIR), look, curl, (5, 6, 0.5), strands=0, glossy=False)


def _side_lock(look: Look, side: int) -> _Lock | None:
    """Points and width of the lock that hangs before the ear."""
    style = look.attributes.hair_style
    more = look.geometry.hair_length
    match style:
        case HairStyle.HIME:
            return None
        case _ if not look.feminine and style is not HairStyle.LOW_PONYTAIL:
            return sided(side, [(55, -22), (54, 2), (53.5, 16), (50.5, 30 + 3 * more)]), 10
        case HairStyle.BOB:
            return sided(side, [(55, -24), (59, 6), (59, 40), (47, 66 + 5 * more)]), 17
        case HairStyle.SHORT | HairStyle.BUNS | HairStyle.PONYTAIL | HairStyle.LOW_PONYTAIL:
            return sided(side, [(55, -24), (56, 4), (52.5, 34), (47, 60 + 6 * more)]), 11
        case HairStyle.LONG_STRAIGHT | HairStyle.SIDE_BRAID:
            tip = 150 + 15 * more
            return sided(side, [(55, -24), (58, 10), (55, 50), (52, 100), (50, tip)]), 15
        case HairStyle.LONG_WAVY:
            tip = 160 + 10 * more
            points = [(55, -24), (60, 8), (53, 44), (62, 84), (52, 120), (58, tip)]
            return sided(side, points), 17
        case _:
            return sided(side, [(55, -24), (57, 10), (53, 46), (49, 88 + 12 * more)]), 12


def _draw_hime_side(brush: Brush, look: Look, side: int) -> None:
    tones = look.tones
    outline: list[Point] = [(44, -20), (61, -22), (63.5, 10), (61.5, 52, 1)]
    outline += [(52, 53.5), (43, 50, 1), (45, 20)]
    paint = hair_paint(brush, look, -60, 80)
    with brush.part(smooth(sided(side, outline)), paint, tones.hair_line):
        dark: list[Point] = [(55, -20), (66, -20), (66, 56), (56, 56)]
        brush.fill(smooth(sided(side, dark)), tones.hair_shadow, 0.5)
        lit: list[Point] = [(47.5, -6), (48, 20), (47.5, 42)]
        brush.fill(tapered(sided(side, lit), 0.3, 2.2, 0.3), tones.hair_light, 0.5)
        for x in (50, 54, 58):
            strand: list[Point] = [(x, -10), (x + 0.8, 20), (x + 0.4, 50)]
            brush.fill(tapered(sided(side, strand), 0.3, 1.1, 0.4), tones.hair_line, 0.5)


def _draw_fringe(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.HAIR)
    paint = _fringe_paint(brush, look)
    with brush.part(fringe_curve(look), paint, tones.hair_line, 1.35):
        _draw_volume(brush, look)
        _draw_lock_shadows(brush, look)
        _draw_ring(brush, look)
        _draw_strands(brush, look)


def _fringe_paint(brush: Brush, look: Look) -> Gradient:
    """Like all hair, but the skin shines through the thin tips."""
    tones = look.tones
    tip = mix(mix(tones.hair, tones.hair_tip, 0.6), tones.skin, 0.22)
    stops = [
        (0.0, mix(tones.hair, tones.hair_shadow, 0.25)),
        (0.30, tones.hair),
        (0.66, tones.hair),
        (1.0, tip),
    ]
    return brush.linear((0, -72), (0, 24), stops)


def _draw_volume(brush: Brush, look: Look) -> None:
    """Round the skull: light on the crown, shadow towards both sides."""
    tones = look.tones
    x, top = (96.0, -110.0) if crown_clumps(look) else (76.0, -76.0)
    cover: list[Point] = [(-x, top, 1), (x, top, 1), (x, 28, 1), (-x, 28, 1)]
    sides = brush.linear(
        (-66, -20),
        (66, -20),
        [
            (0, tones.hair_shadow, 0.62),
            (0.24, tones.hair_shadow, 0.0),
            (0.72, tones.hair_shadow, 0.0),
            (1, tones.hair_shadow, 0.75),
        ],
    )
    brush.fill(smooth(cover), sides)
    brush.glow(ellipse(-12, -42, 46, 30), tones.hair_light, 0.5)


def _draw_lock_shadows(brush: Brush, look: Look) -> None:
    notches, tips = fringe_points(look)
    root = root_x(look)
    for tip, notch in zip(tips, notches[1:], strict=True):
        x, y = tip
        points: list[Point] = [
            (x, y + 2, 1),
            (x * 0.82 + notch[0] * 0.18, y * 0.35 + notch[1] * 0.65 - 4),
            (notch[0] * 0.88 + root * 0.1, notch[1] - 22, 1),
            (notch[0], notch[1], 1),
        ]
        brush.fill(smooth(points), look.tones.hair_shadow, 0.72)


def _draw_ring(brush: Brush, look: Look) -> None:
    """Highlight that follows the dome of the skull in a zigzag."""
    upper: list[Point] = []
    lower: list[Point] = []
    count = 17
    for index in range(count):
        u = -1 + 2 * index / (count - 1)
        x, y = u * 52, -36 + 10 * u * u
        reach = max(0.0, 1 - abs(u) ** 3)
        lower.append((x, y + (4.4 if index % 2 else -0.8) * reach))
        upper.append((x * 0.985, y - (5.6 if index % 2 else 3.0) * reach))
    tone = light(look.tones.hair_light, 0.18)
    stops = [(0.0, tone, 0.25), (0.3, tone, 0.85), (0.55, tone, 0.7), (1.0, tone, 0.1)]
    paint = brush.linear((-52, -36), (52, -36), stops)
    brush.fill(smooth([*lower, *reversed(upper)], tension=0.25), paint)


def _draw_strands(brush: Brush, look: Look) -> None:
    tones = look.tones
    notches, tips = fringe_points(look)
    root = root_x(look)

    def toward_root(x: float, share: float) -> float:
        return x * (1 - share) + root * share

    for x, y in notches[1:-1]:
        strand: list[Point] = [
            (x, y),
            (toward_root(x, 0.03), y - 9),
            (toward_root(x, 0.12), y - 20),
            (toward_root(x, 0.24), min(-36.0, y - 28)),
        ]
        brush.fill(tapered(strand, 1.6, 1.2, 0.2), tones.hair_line, 0.75)
    for x, y in tips:
        middle: list[Point] = [
            (toward_root(x, 0.01), y - 7),
            (toward_root(x, 0.05), y - 17),
            (toward_root(x, 0.15), y - 29),
        ]
        brush.fill(tapered(middle, 0.2, 0.95, 0.2), tones.hair_line, 0.42)
        lit: list[Point] = [
            (toward_root(x, 0.0) - 1.6, y - 5),
            (toward_root(x, 0.05) - 2.6, y - 13),
            (toward_root(x, 0.13) - 3.0, y - 23),
        ]
        brush.fill(tapered(lit, 0.2, 1.7, 0.2), tones.hair_light, 0.55)
    for vx, vy, _, _ in crown_clumps(look):
        inward: list[Point] = [(vx, vy), (vx * 0.86, vy * 0.90 - 3), (vx * 0.68, vy * 0.84 - 8)]
        inward = sided(look.attributes.side, inward)
        brush.fill(tapered(inward, 1.4, 1.2, 0.2), tones.hair_line, 0.7)
    for u in (-0.66, -0.25, 0.2, 0.6):
        crown: list[Point] = [
            (root + u * 4, -71),
            (root * 0.7 + u * 17, -66),
            (root * 0.4 + u * 40, -54),
        ]
        brush.fill(tapered(crown, 0.6, 1.0, 0.1), tones.hair_line, 0.5)


def _draw_braid(ink: Ink, look: Look, side: int) -> None:
    tones = look.tones
    brush = ink.on(Space.LOCK, 4)
    count = 8
    for index in reversed(range(count)):
        y = 52.0 + index * 15
        x = side * (50 - 3.0 * ((index % 4) / 3))
        width = 13.5 - 0.5 * index
        for lean in (1, -1):
            plait: list[Point] = [(x, y - 8), (x + lean * width * 0.95, y - 8)]
            plait += [
                (x + lean * width * 1.05, y + 2),
                (x + lean, y + 13, 1),
                (x - lean * 2, y + 2),
            ]
            tone = mix(tones.hair, tones.hair_shadow, 0.12 if lean < 0 else 0.5)
            with brush.part(smooth(plait), tone, tones.hair_line, 1.1):
                strand = [(x + lean * width * 0.75, y - 4), (x + lean * width * 0.4, y + 6)]
                brush.line(strand, tones.hair_line, 0.8, 0.5)
                lit = [(x + lean * width * 0.5, y - 6), (x + lean * width * 0.8, y - 3)]
                brush.line(lit, tones.hair_light, 1.6, 0.6)
    y = 52.0 + count * 15
    x = side * 50.0
    draw_lock(brush, look, [(x, y - 6), (x + 3 * side, y + 8), (x, y + 26)], (10, 14, 1))
    draw_bow(brush.raised(2), x, y - 3, 8, tones.accent, tails=False)
