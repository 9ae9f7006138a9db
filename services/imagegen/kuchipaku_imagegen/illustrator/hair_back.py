"""Hair behind the head and the body: one function per family of styles."""

from __future__ import annotations

import math
from collections.abc import Callable

from .attributes import HairStyle
from .ink import Ink
from .look import Look
from .palette import mix
from .rig import Space
from .spline import Point, ellipse, sided, smooth, symmetric, tapered
from .strands import draw_mass, draw_tail, draw_tie

_SKULL: list[Point] = [(0, -66), (34, -60), (57, -34), (63, -2)]


def draw_back_hair(ink: Ink, look: Look) -> None:
    _STYLES[look.attributes.hair_style](ink, look)


def _volume(look: Look) -> float:
    return 1 + 0.05 * look.geometry.hair_volume


def _half(look: Look, points: list[Point]) -> list[Point]:
    """Right half of a mass with the individual volume applied, the skull prepended."""
    volume = _volume(look)
    return [*_SKULL, *((p[0] * volume, *p[1:]) for p in points)]


def _draw_nape(ink: Ink, look: Look, points: list[Point], depth: float = 0.0) -> None:
    curve = smooth(symmetric(_half(look, points)))
    draw_mass(ink.on(Space.BACK, depth), look, curve, 90, dark=0.32)


def _draw_long_straight(ink: Ink, look: Look) -> None:
    length = 205 + 42 * look.geometry.hair_length
    half: list[Point] = [(66, 40), (71, 90), (74, 150), (69, length - 20), (61, length + 6, 1)]
    half += [(52, length - 8), (40, length + 10, 1), (30, length - 4), (16, length + 9, 1)]
    half += [(0, length - 2)]
    strands = [
        sided(side, [(x, 40), (x + 5, 110), (x - 1, length - 6)])
        for x in (26, 40, 52, 62)
        for side in (1, -1)
    ]
    curve = smooth(symmetric(_half(look, half)))
    draw_mass(ink.on(Space.BACK), look, curve, length, strands, dark=0.22)


def _draw_long_wavy(ink: Ink, look: Look) -> None:
    length = 192 + 38 * look.geometry.hair_length
    half: list[Point] = [(72, 30), (67, 62), (82, 98), (73, 130), (85, 160), (68, length - 10)]
    half += [(72, length + 8, 1), (52, length - 2), (42, length + 12, 1), (24, length - 2)]
    half += [(10, length + 8, 1), (0, length)]
    strands = [
        sided(side, [(x, 30), (x + 9, 70), (x - 4, 105), (x + 8, 145), (x - 4, length - 4)])
        for x in (28, 42, 55, 66)
        for side in (1, -1)
    ]
    curve = smooth(symmetric(_half(look, half)))
    draw_mass(ink.on(Space.BACK), look, curve, length, strands, dark=0.22)


def _draw_twin_tails(ink: Ink, look: Look) -> None:
    _draw_nape(ink, look, [(58, 26), (48, 56), (24, 66, 1), (0, 60)])
    length = 172 + 40 * look.geometry.hair_length
    volume = _volume(look)
    for side in (1, -1):
        points = sided(side, [(50, -44), (84, -38), (98, 4), (96, 60), (88, 110), (93, length)])
        draw_tail(ink.on(Space.BACK, 10), look, points, (10, 42 * volume, 1))
        draw_tie(ink.on(Space.BACK, 12), look, side * 54, -43)


def _draw_low_twin_tails(ink: Ink, look: Look) -> None:
    _draw_nape(ink, look, [(58, 26), (48, 56), (24, 66, 1), (0, 60)])
    length = 165 + 38 * look.geometry.hair_length
    for side in (1, -1):
        points = sided(side, [(50, 36), (64, 62), (71, 100), (66, 140), (71, length)])
        draw_tail(ink.on(Space.BACK, 10), look, points, (10, 34 * _volume(look), 1))
        draw_tie(ink.on(Space.BACK, 12), look, side * 54, 38)


def _draw_ponytail(ink: Ink, look: Look) -> None:
    length = 165 + 30 * look.geometry.hair_length
    points = sided(
        look.attributes.side,
        [(14, -56), (58, -66), (88, -30), (92, 30), (79, 90), (87, length)],
    )
    draw_tail(ink.on(Space.BACK, 10), look, points, (8, 47 * _volume(look), 1))
    _draw_nape(ink, look, [(58, 26), (46, 52), (22, 60, 1), (0, 56)])


def _draw_low_ponytail(ink: Ink, look: Look) -> None:
    length = 150 + 30 * look.geometry.hair_length
    side = look.attributes.side
    points = sided(side, [(22, 44), (48, 66), (60, 100), (54, 130), (58, length)])
    draw_tail(ink.on(Space.BACK, 10), look, points, (14, 26 * _volume(look), 1))
    draw_tie(ink.on(Space.BACK, 12), look, side * 32, 54)
    _draw_nape(ink, look, [(62, 22), (54, 46), (30, 56, 1), (0, 54)])


def _draw_bob(ink: Ink, look: Look) -> None:
    extra = 5 * look.geometry.hair_length
    half: list[Point] = [(68, 28), (67, 54 + extra), (57, 75 + extra, 1), (44, 71 + extra)]
    half += [(30, 77 + extra, 1), (14, 71 + extra), (0, 75 + extra)]
    _draw_nape(ink, look, half, 8)


def _draw_side_braid(ink: Ink, look: Look) -> None:
    _draw_nape(ink, look, [(60, 26), (52, 58), (28, 70, 1), (0, 62)])


def _draw_buns(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.FLAT, -8)
    radius = 20 + 2 * look.geometry.hair_volume
    for side in (1, -1):
        x, y = side * 52.0, -56.0
        stops = [(0.0, tones.hair_light), (0.35, tones.hair), (1.0, tones.hair_shadow)]
        paint = brush.radial((x - 6, y - 7), radius * 1.5, stops)
        with brush.part(ellipse(x, y, radius, radius * 0.96), paint, tones.hair_line):
            for reach in (0.25, 0.6):
                arc = [(-0.9, 0.2), (-0.4, reach), (0.3, reach + 0.1), (0.9, -0.1)]
                points = [(x + side * u * radius, y + v * radius) for u, v in arc]
                brush.fill(tapered(points, 0.3, 1.3, 0.3), tones.hair_line, 0.6)
    _draw_nape(ink, look, [(58, 26), (48, 54), (24, 64, 1), (0, 58)])


def _draw_wolf(ink: Ink, look: Look) -> None:
    low = 6 * look.geometry.hair_length
    half: list[Point] = [(66, 8), (74, 28, 1), (63, 26), (70, 52, 1), (60, 48), (67, 76 + low, 1)]
    half += [(54, 68), (47, 90 + low, 1), (35, 76), (25, 96 + low, 1), (10, 82), (0, 90 + low)]
    strands = [
        sided(side, [(x, 30), (x + 4, 52), (x + 1, 84)]) for x in (28, 46) for side in (1, -1)
    ]
    curve = smooth(symmetric(_half(look, half)))
    draw_mass(ink.on(Space.BACK, 8), look, curve, 100, strands, dark=0.30)


def _draw_curly(ink: Ink, look: Look) -> None:
    """Round curls down to the shoulders, or to the nape."""
    half: list[Point] = [(64, -2, 1), (77, 10), (69, 22, 1), (79, 34), (68, 44, 1)]
    if look.feminine:
        low = 8 * look.geometry.hair_length
        half += [(80, 54), (66, 66, 1), (74, 80 + low), (54, 84 + low, 1), (48, 98 + low)]
        half += [(30, 88 + low, 1), (18, 98 + low), (0, 90 + low)]
    else:
        half = [(64, -2, 1), (72, 7), (65, 16, 1), (69, 27), (60, 35, 1), (58, 45)]
        half += [(46, 43, 1), (36, 52), (24, 46, 1), (10, 53), (0, 50)]
    _draw_nape(ink, look, half, 8)


def _draw_drills(ink: Ink, look: Look) -> None:
    """Two curls wound like drills, each of bands that get narrower."""
    _draw_nape(ink, look, [(58, 26), (48, 56), (24, 66, 1), (0, 60)])
    tones = look.tones
    brush = ink.on(Space.BACK, 10)
    count = 7
    step = 20 + 2.5 * look.geometry.hair_length
    for side in (1, -1):
        for index in reversed(range(count)):
            share = index / (count - 1)
            x = 72 + 10 * math.sin(math.pi * share * 0.9)
            y = -26 + index * step
            wide = 23 * (1 - 0.72 * share**1.6) * _volume(look)
            band: list[Point] = [(x - wide, y - 2, 1), (x, y - 9), (x + wide, y - 7, 1)]
            band += [(x + wide * 1.04, y + step * 0.45), (x + wide * 0.5, y + step * 1.25)]
            band += [(x - wide * 0.7, y + step * 0.95)]
            tone = mix(tones.hair, tones.hair_shadow, 0.12 + 0.25 * share)
            with brush.part(smooth(sided(side, band)), tone, tones.hair_line, 1.4):
                dark: list[Point] = [(x - wide, y + 3), (x + wide * 0.3, y + step * 0.5)]
                dark += [
                    (x + wide * 1.1, y - 4),
                    (x + wide * 1.2, y + step),
                    (x - wide, y + step * 1.4),
                ]
                brush.fill(smooth(sided(side, dark)), tones.hair_shadow, 0.62)
                lit: list[Point] = [
                    (x - wide * 0.7, y),
                    (x - wide * 0.1, y - 3),
                    (x + wide * 0.4, y - 5),
                ]
                brush.fill(tapered(sided(side, lit), 0.3, 2.8, 0.3), tones.hair_light, 0.75)
        draw_tie(ink.on(Space.BACK, 12), look, side * 58, -34, 7.5)


def _draw_top_bun(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.FLAT, -8)
    radius, y = 22 + 2 * look.geometry.hair_volume, -84.0
    stops = [(0.0, tones.hair_light), (0.35, tones.hair), (1.0, tones.hair_shadow)]
    paint = brush.radial((-6, y - 7), radius * 1.5, stops)
    with brush.part(ellipse(0, y, radius * 1.08, radius * 0.92), paint, tones.hair_line, 1.6):
        for reach in (-0.5, -0.1, 0.35, 0.7):
            arc = [(-0.95, 0.15), (-0.4, reach), (0.3, reach + 0.08), (0.95, -0.15)]
            points: list[Point] = [(u * radius, y + v * radius) for u, v in arc]
            brush.fill(tapered(points, 0.3, 1.5, 0.3), tones.hair_line, 0.6)
    _draw_nape(ink, look, [(60, 24), (50, 46), (24, 56, 1), (0, 54)])


def _draw_cropped(ink: Ink, look: Look) -> None:
    half: list[Point] = [(60, 2), (58, 18), (52, 32), (44, 44), (24, 50), (0, 50)]
    _draw_nape(ink, look, half, 10)


def _draw_spiky(ink: Ink, look: Look) -> None:
    half: list[Point] = [(66, 6), (74, 24, 1), (62, 20), (63, 30), (66, 43, 1), (54, 38)]
    half += [(52, 46), (52, 58, 1), (40, 48), (34, 55), (30, 64, 1), (14, 54), (0, 58)]
    _draw_nape(ink, look, half, 12)


def _draw_short(ink: Ink, look: Look) -> None:
    if look.feminine:
        half: list[Point] = [(65, 14), (63, 28), (65, 41, 1), (55, 43), (51, 57, 1), (38, 53)]
        half += [(28, 62, 1), (12, 57), (0, 61)]
    else:
        half = [(61, 2), (60, 20), (58, 35, 1), (50, 35), (44, 49, 1), (34, 45), (24, 54, 1)]
        half += [(10, 49), (0, 51)]
    _draw_nape(ink, look, half, 10)


_STYLES: dict[HairStyle, Callable[[Ink, Look], None]] = {
    HairStyle.LONG_STRAIGHT: _draw_long_straight,
    HairStyle.LONG_WAVY: _draw_long_wavy,
    HairStyle.TWIN_TAILS: _draw_twin_tails,
    HairStyle.LOW_TWIN_TAILS: _draw_low_twin_tails,
    HairStyle.PONYTAIL: _draw_ponytail,
    HairStyle.LOW_PONYTAIL: _draw_low_ponytail,
    HairStyle.BOB: _draw_bob,
    HairStyle.HIME: _draw_long_straight,
    HairStyle.SIDE_BRAID: _draw_side_braid,
    HairStyle.BUNS: _draw_buns,
    HairStyle.SHORT: _draw_short,
    HairStyle.MESSY: _draw_short,
    HairStyle.SPIKY: _draw_spiky,
    HairStyle.WOLF: _draw_wolf,
    HairStyle.DRILLS: _draw_drills,
    HairStyle.TWIN_BRAIDS: _draw_side_braid,
    HairStyle.SIDE_TAIL: _draw_side_braid,
    HairStyle.TOP_BUN: _draw_top_bun,
    HairStyle.CURLY: _draw_curly,
    HairStyle.SLICKED: _draw_cropped,
    HairStyle.UNDERCUT: _draw_cropped,
}
