"""Hair in front of the face: fringe, side locks, braid, and the shadow they throw on the face."""

from __future__ import annotations

from .attributes import HairStyle
from .bangs import crown_clumps, fringe_curve, swept_back
from .face import face_outline
from .fringe import draw_fringe
from .ink import Brush, Ink
from .look import Look
from .ornaments import draw_bow
from .palette import mix
from .rig import Space
from .spline import Point, sided, smooth, tapered
from .strands import draw_lock, draw_tail, draw_tie, hair_paint

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
    elif style is HairStyle.TWIN_BRAIDS:
        for side in (1, -1):
            _draw_braid(ink, look, side)
    elif style is HairStyle.SIDE_TAIL:
        _draw_side_tail(ink, look)
    draw_fringe(ink, look)
    if look.attributes.ahoge and not crown_clumps(look) and not swept_back(look):
        curl = sided(look.attributes.side, [(0, -66), (5, -80), (16, -86), (26, -80)])
        draw_lock(ink.on(Space.HAIR), look, curl, (5, 6, 0.5), strands=0, glossy=False)


def _side_lock(look: Look, side: int) -> _Lock | None:
    """Points and width of the lock that hangs before the ear."""
    style = look.attributes.hair_style
    more = look.geometry.hair_length
    match style:
        case HairStyle.HIME:
            return None
        case HairStyle.SLICKED | HairStyle.UNDERCUT | HairStyle.CURLY:
            return None
        case HairStyle.WOLF:
            return sided(side, [(55, -22), (58, 6), (54, 34), (57, 62 + 6 * more)]), 15
        case HairStyle.TOP_BUN | HairStyle.TWIN_BRAIDS | HairStyle.SIDE_TAIL:
            return sided(side, [(55, -24), (56.5, 4), (52, 34), (46, 66 + 8 * more)]), 11
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


def _draw_side_tail(ink: Ink, look: Look) -> None:
    """A tail that lies over the shoulder."""
    side, length = look.attributes.side, 176 + 24 * look.geometry.hair_length
    points = sided(side, [(36, 46), (54, 66), (60, 98), (53, 134), (58, length)])
    draw_tail(ink.on(Space.LOCK, 4), look, points, (14, 33, 1))
    draw_tie(ink.on(Space.LOCK, 6), look, side * 42, 55)


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
