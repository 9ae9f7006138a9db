"""What the characters wear on the head."""

from __future__ import annotations

from collections.abc import Callable

from .attributes import Accessory
from .ink import Ink
from .look import Look
from .ornaments import draw_bow, draw_flower
from .palette import Colour, colour, light, mix, outline, shade
from .rig import Space
from .spline import Point, line_through, sided, smooth, tapered
from .style import GlassesStyle

_EAR_PINK: Colour = (0.98, 0.74, 0.74)
_CUSHION: Colour = (0.25, 0.25, 0.30)
_LENS: Colour = (0.80, 0.90, 1.0)


def draw_accessories(ink: Ink, look: Look) -> None:
    """Everything over the front hair; glasses are part of the face."""
    for accessory, draw in _OVER_HAIR.items():
        if look.wears(accessory):
            draw(ink, look)


def _draw_cat_ears(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.HAIR, -4)
    for side in (1, -1):
        ear: list[Point] = [
            (18, -64, 1),
            (24, -84),
            (44, -102, 1),
            (54, -74),
            (54, -46, 1),
            (36, -60),
        ]
        paint = brush.linear((0, -104), (0, -44), [(0, light(tones.hair, 0.12)), (1, tones.hair)])
        brush.shape(smooth(sided(side, ear)), paint, tones.hair_line)
        inner: list[Point] = [
            (27, -66, 1),
            (31, -80),
            (43, -93, 1),
            (48, -74),
            (48, -56, 1),
            (38, -64),
        ]
        brush.fill(smooth(sided(side, inner)), _EAR_PINK)
        for dx in (0, 6, 12):
            tuft: list[Point] = [
                (29 + dx, -58 + dx * 0.3),
                (31 + dx, -68),
                (35 + dx, -78 + dx * 0.4),
            ]
            brush.fill(tapered(sided(side, tuft), 4.5, 3.2, 0.2), tones.hair_light, 0.95)


def _draw_ribbon(ink: Ink, look: Look) -> None:
    side = look.attributes.side
    draw_bow(ink.on(Space.HAIR, 2), side * 42, -50, 17, look.tones.accent, angle=side * 0.45)


def _draw_headband(ink: Ink, look: Look) -> None:
    tone = look.tones.accent
    brush = ink.on(Space.HAIR, 2)
    outer: list[Point] = [
        (64, -18),
        (58, -50),
        (35, -70),
        (0, -78),
        (-35, -70),
        (-58, -50),
        (-64, -18),
    ]
    inner: list[Point] = [
        (-58, -17),
        (-51, -46),
        (-32, -62),
        (0, -69),
        (32, -62),
        (51, -46),
        (58, -17),
    ]
    with brush.part(smooth([*outer, *inner]), tone):
        lit: list[Point] = [(-46, -52), (-26, -65), (0, -71), (20, -67)]
        brush.fill(tapered(lit, 0.3, 2.2, 0.3), light(tone, 0.6), 0.7)
    side = look.attributes.side
    draw_bow(ink.on(Space.HAIR, 4), side * 30, -68, 11, tone, tails=False, angle=side * 0.3)


def _draw_flower(ink: Ink, look: Look) -> None:
    side, tone = look.attributes.side, look.tones.accent
    brush = ink.on(Space.HAIR, 4)
    leaf_tone = colour("#7fb077")
    for points in ([(46, -34), (60, -24), (57, -16), (44, -22)], [(38, -48), (30, -62), (40, -64)]):
        brush.shape(smooth(sided(side, points)), leaf_tone)
    draw_flower(brush, side * 46, -34, 12, light(tone, 0.15))
    draw_flower(brush, side * 36, -49, 8, light(tone, 0.45))


def _draw_clips(ink: Ink, look: Look) -> None:
    side, tone = look.attributes.side, look.tones.accent
    brush = ink.on(Space.HAIR, 3)
    for drop in (0.0, 7.5):
        inner, outer = 36 + drop * 0.2, 51 + drop * 0.1
        clip: list[Point] = [(inner, -22 + drop), (outer, -27 + drop), (outer + 0.5, -23 + drop)]
        clip.append((inner, -18 + drop))
        brush.shape(smooth(sided(side, clip)), tone, None, 1.0)
        lit: list[Point] = [(inner + 2, -20.6 + drop), (outer - 2, -25.2 + drop)]
        brush.line(sided(side, lit), light(tone, 0.7), 1.0, 0.8)


def _draw_headphones(ink: Ink, look: Look) -> None:
    tone = look.tones.accent
    brush = ink.on(Space.FLAT)
    arch: list[Point] = [
        (-65, -6),
        (-63, -40),
        (-40, -70),
        (0, -80),
        (40, -70),
        (63, -40),
        (65, -6),
    ]
    for paint, width, alpha in (
        (outline(tone), 9.0, 1.0),
        (tone, 6.5, 1.0),
        (light(tone, 0.5), 1.8, 0.8),
    ):
        brush.stroke(line_through(arch), paint, width, alpha)
    cup = ink.on(Space.FLAT, 4)
    for side in (1, -1):
        shell: list[Point] = [(53, -12), (66, -16), (72, 4), (67, 24), (54, 22)]
        with cup.part(smooth(sided(side, shell)), tone):
            dark: list[Point] = [(65, -20), (75, -16), (75, 28), (63, 28)]
            cup.fill(smooth(sided(side, dark)), shade(tone, 0.3), 0.7)
            lit: list[Point] = [(58, -10), (60, 2), (58, 14)]
            cup.fill(tapered(sided(side, lit), 0.4, 3.0, 0.4), light(tone, 0.6), 0.7)
        cushion: list[Point] = [(49, -10), (56, -12), (57.5, 4), (57, 20), (50, 19)]
        cup.raised(1).shape(smooth(sided(side, cushion)), _CUSHION)


def _draw_witch_hat(ink: Ink, look: Look) -> None:
    accent = look.tones.accent
    tone = mix(accent, (0.16, 0.12, 0.25), 0.7)
    cone: list[Point] = [(-50, -48), (-34, -86), (-8, -116), (22, -122), (40, -114, 1)]
    cone += [(22, -108), (30, -84), (50, -48)]
    with ink.on(Space.FLAT).part(smooth(cone), tone) as brush:
        dark: list[Point] = [
            (10, -124),
            (44, -116),
            (26, -104),
            (36, -80),
            (56, -44),
            (24, -46),
            (16, -86),
        ]
        brush.fill(smooth(dark), shade(tone, 0.3), 0.8)
        for y in (-84.0, -96.0):
            brush.line([(-22, y), (-8, y + 4), (6, y + 1)], outline(tone), 1.0, 0.6)
    brim: list[Point] = [
        (-84, -38),
        (-50, -52),
        (0, -58),
        (50, -52),
        (84, -38),
        (52, -36),
        (0, -44),
        (-52, -36),
    ]
    with ink.on(Space.FLAT, 10).part(smooth(brim), tone) as brush:
        lit: list[Point] = [(-70, -42), (-40, -50), (0, -54), (30, -52)]
        brush.fill(tapered(lit, 0.3, 2.4, 0.3), light(tone, 0.3), 0.6)
    band: list[Point] = [
        (-49, -54, 1),
        (0, -64),
        (49, -54, 1),
        (45, -66, 1),
        (0, -76),
        (-44, -66, 1),
    ]
    ink.on(Space.FLAT, 6).shape(smooth(band), light(accent, 0.2))
    draw_bow(ink.on(Space.FLAT, 12), -26, -64, 10, light(accent, 0.2), tails=False)


def _draw_beret(ink: Ink, look: Look) -> None:
    side, tone = look.attributes.side, look.tones.accent
    brush = ink.on(Space.FLAT, 8)
    cloth: list[Point] = [(-52, -46, 1), (-64, -62), (-48, -84), (-6, -94), (38, -88), (62, -66)]
    cloth += [(56, -46, 1), (0, -58)]
    with brush.part(smooth(sided(side, cloth)), tone, outline(tone), 1.6):
        dark: list[Point] = [(70, -80), (44, -70), (10, -62), (-56, -54), (-56, -40), (70, -40)]
        brush.fill(smooth(sided(side, dark)), shade(tone, 0.26), 0.7)
        lit: list[Point] = [(-50, -66), (-36, -79), (-10, -86), (10, -86)]
        brush.fill(tapered(lit, 0.4, 4.0, 0.4), light(tone, 0.5), 0.6)
        fold: list[Point] = [(-40, -56), (-14, -70), (20, -76)]
        brush.fill(tapered(sided(side, fold), 1.6, 1.2, 0.2), outline(tone), 0.5)
    band: list[Point] = [
        (-53, -48, 1),
        (0, -62),
        (57, -48, 1),
        (57, -40, 1),
        (0, -53),
        (-53, -40, 1),
    ]
    brush.raised(2).shape(smooth(sided(side, band)), shade(tone, 0.22))
    stalk: list[Point] = [(-4, -93), (-2, -99), (3, -103)]
    brush.fill(tapered(sided(side, stalk), 4.0, 3.4, 2.6), outline(tone))


def _draw_horns(ink: Ink, look: Look) -> None:
    tone = mix(look.tones.accent, (0.30, 0.22, 0.26), 0.72)
    brush = ink.on(Space.HAIR, -2)
    for side in (1, -1):
        horn: list[Point] = [(26, -62, 1), (34, -82), (54, -98), (72, -104, 1), (62, -86)]
        horn += [(54, -66), (45, -50, 1)]
        with brush.part(smooth(sided(side, horn)), tone, outline(tone), 1.5):
            dark: list[Point] = [(44, -50), (52, -68), (64, -88), (76, -106), (76, -60)]
            brush.fill(smooth(sided(side, dark)), shade(tone, 0.32), 0.8)
            for a, b in (((30, -70), (50, -60)), ((38, -80), (57, -71)), ((47, -90), (63, -83))):
                ridge: list[Point] = [a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2 + 3), b]
                brush.fill(tapered(sided(side, ridge), 0.4, 1.5, 0.4), outline(tone), 0.7)
            lit: list[Point] = [(34, -72), (41, -83), (55, -93)]
            brush.fill(tapered(sided(side, lit), 0.4, 2.4, 0.3), light(tone, 0.5), 0.6)
        for x, y in ((27, -60), (34, -57), (41, -52)):
            tuft: list[Point] = [(x - 5, y + 7), (x + 1, y - 2), (x + 5, y - 10)]
            brush.fill(tapered(sided(side, tuft), 7.0, 5.6, 0.4), look.tones.hair)
            brush.fill(tapered(sided(side, tuft), 0.4, 1.2, 0.2), look.tones.hair_line, 0.6)


_OVER_HAIR: dict[Accessory, Callable[[Ink, Look], None]] = {
    Accessory.HEADBAND: _draw_headband,
    Accessory.CAT_EARS: _draw_cat_ears,
    Accessory.CLIPS: _draw_clips,
    Accessory.FLOWER: _draw_flower,
    Accessory.RIBBON: _draw_ribbon,
    Accessory.HEADPHONES: _draw_headphones,
    Accessory.WITCH_HAT: _draw_witch_hat,
    Accessory.BERET: _draw_beret,
    Accessory.HORNS: _draw_horns,
}


#: Rims of the right lens: soft, round, half rims under a straight bar; and, in other hands, square.
_RIMS: tuple[list[Point], ...] = (
    [(8, 6), (22, 2), (38, 5), (39, 18), (30, 31), (16, 31), (8, 20)],
    [(7.5, 17), (12, 6), (23.5, 1.5), (35, 6), (39.5, 17), (35, 28), (23.5, 32.5), (12, 28)],
    [(8, 6, 1), (23, 4.5), (40, 5, 1), (38.5, 20), (32, 28), (16, 28), (9.5, 20)],
    [(8, 5), (23, 3.5), (39, 5), (41, 11), (39, 24), (24, 26.5), (9, 24), (6.5, 12)],
)
_BAR_RIMS, _OWN_RIMS = 2, 3


def draw_glasses(ink: Ink, look: Look) -> None:
    style = look.style.glasses
    tone = mix(look.tones.accent, (0.20, 0.15, 0.20), 0.6) if style is None else style.colour
    weight, glass = (1.0, 1.0) if style is None else (style.line, style.glass)
    kind = look.attributes.detail_seed % _OWN_RIMS if style is None else style.kind
    rims, bar = _RIMS[kind], kind == _BAR_RIMS
    thin = (1.0 if bar else 1.8) * weight

    def fitted(side: int, points: list[Point]) -> list[Point]:
        return sided(side, points if style is None else _resized(points, style, look))

    brush = ink.on(Space.HEAD, 9)
    for side in (1, -1):
        lens = smooth(fitted(side, rims))
        brush.fill(lens, _LENS, 0.16 * glass)
        brush.line(
            fitted(side, [(30 - 4 * side, 8), (30 - 10 * side, 22)]), (1, 1, 1), 2.4, 0.35 * glass
        )
        brush.stroke(lens, tone, thin)
        if bar:
            brush.line(fitted(side, [(8, 6), (23, 4.5), (40, 5)]), tone, 2.4 * weight)
        ink.on(Space.HEAD, 4).line(fitted(side, [(39, 9), (52, 6)]), tone, 1.6 * weight)
    inner, middle = fitted(1, [(8, 12)])[0], fitted(1, [(8, 9.5)])[0]
    bridge: list[Point] = [(-inner[0], inner[1]), (0, middle[1]), (inner[0], inner[1])]
    ink.on(Space.HEAD, 12).line(bridge, tone, 1.6 * weight)


def _resized(points: list[Point], style: GlassesStyle, look: Look) -> list[Point]:
    """Points of the own hand's right lens moved to this hand's, about the middle of the eye."""
    level = 17.0 + style.level + look.style.eyes.level
    x, y = 23.3 + look.style.eyes.gap, 17.0
    return [
        (x + (p[0] - 23.3) * style.width, level + (p[1] - y) * style.height, *p[2:]) for p in points
    ]
