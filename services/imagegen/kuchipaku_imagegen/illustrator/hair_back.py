"""Hair behind the head and the body: one function per family of styles."""

from __future__ import annotations

from collections.abc import Callable

from .attributes import HairStyle
from .ink import Ink
from .look import Look
from .rig import Space
from .spline import Point, ellipse, sided, smooth, symmetric, tapered
from .strands import draw_mass, draw_tie, hair_paint

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


def _draw_tail(
    ink: Ink, look: Look, points: list[Point], widths: tuple[float, float, float]
) -> None:
    """A free tail with volume: shadow side, strands and a lit streak."""
    tones = look.tones
    brush = ink.on(Space.BACK, 10)
    bottom = points[-1][1]
    wide = widths[1]
    with brush.part(
        tapered(points, *widths), hair_paint(brush, look, -50, bottom), tones.hair_line
    ):
        shadow = [(p[0] + wide * 0.24, p[1] + 2) for p in points]
        brush.fill(tapered(shadow, widths[0], wide * 0.72, 1), tones.hair_shadow, 0.5)
        lit = [(p[0] - wide * 0.22, p[1]) for p in points]
        brush.fill(tapered(lit, 0.5, wide * 0.15, 0.3), tones.hair_light, 0.6)
        for offset in (-0.34, -0.05, 0.16, 0.34):
            strand = [(p[0] + offset * wide * min(1.0, i / 2), p[1]) for i, p in enumerate(points)]
            brush.fill(tapered(strand, 0.4, 1.5, 0.2), tones.hair_line, 0.5)


def _draw_twin_tails(ink: Ink, look: Look) -> None:
    _draw_nape(ink, look, [(58, 26), (48, 56), (24, 66, 1), (0, 60)])
    length = 172 + 40 * look.geometry.hair_length
    volume = _volume(look)
    for side in (1, -1):
        points = sided(side, [(50, -44), (84, -38), (98, 4), (96, 60), (88, 110), (93, length)])
        _draw_tail(ink, look, points, (10, 42 * volume, 1))
        draw_tie(ink.on(Space.BACK, 12), look, side * 54, -43)


def _draw_low_twin_tails(ink: Ink, look: Look) -> None:
    _draw_nape(ink, look, [(58, 26), (48, 56), (24, 66, 1), (0, 60)])
    length = 165 + 38 * look.geometry.hair_length
    for side in (1, -1):
        points = sided(side, [(50, 36), (64, 62), (71, 100), (66, 140), (71, length)])
        _draw_tail(ink, look, points, (10, 34 * _volume(look), 1))
        draw_tie(ink.on(Space.BACK, 12), look, side * 54, 38)


def _draw_ponytail(ink: Ink, look: Look) -> None:
    length = 165 + 30 * look.geometry.hair_length
    points = sided(
        look.attributes.side,
        [(14, -56), (58, -66), (88, -30), (92, 30), (79, 90), (87, length)],
    )
    _draw_tail(ink, look, points, (8, 47 * _volume(look), 1))
    _draw_nape(ink, look, [(58, 26), (46, 52), (22, 60, 1), (0, 56)])


def _draw_low_ponytail(ink: Ink, look: Look) -> None:
    length = 150 + 30 * look.geometry.hair_length
    side = look.attributes.side
    points = sided(side, [(22, 44), (48, 66), (60, 100), (54, 130), (58, length)])
    _draw_tail(ink, look, points, (14, 26 * _volume(look), 1))
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
}
