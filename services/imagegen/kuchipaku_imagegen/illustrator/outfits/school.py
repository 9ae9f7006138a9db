"""School clothes: sailor uniform, blazer and gakuran; and the suit, which is cut like a blazer."""

from __future__ import annotations

from kuchipaku_imagegen.illustrator.garments import (
    open_front,
    skirt,
    sleeve,
    stand_collar,
    torso,
    trousers,
)
from kuchipaku_imagegen.illustrator.hands import draw_bare_arm
from kuchipaku_imagegen.illustrator.ink import Ink
from kuchipaku_imagegen.illustrator.look import Look
from kuchipaku_imagegen.illustrator.ornaments import draw_bow, draw_button
from kuchipaku_imagegen.illustrator.palette import WHITE, Colour, light, mix, outline, shade
from kuchipaku_imagegen.illustrator.rig import Space
from kuchipaku_imagegen.illustrator.spline import Point, line_through, sided, smooth, tapered


def trouser_tone(look: Look) -> Colour:
    """A quiet version of the second colour."""
    return mix(shade(look.tones.second, 0.3), (0.22, 0.22, 0.28), 0.55)


def draw_sailor(ink: Ink, look: Look) -> None:
    tone = look.tones.cloth
    if look.feminine:
        with torso(ink, look, WHITE, neck=(17, 76), neckline=116, bottom=214, loose=-1):
            pass
        skirt(ink, look, tone, trim=light(tone, 0.55))
    else:
        trousers(ink, tone)
        with torso(ink, look, WHITE, neck=(17, 76), neckline=116, bottom=262, loose=3):
            pass
    for side in (1, -1):
        draw_bare_arm(ink, look, side, 3)
        sleeve(ink, look, side, WHITE, length=0.5, width=21, cuff=tone, flare=3)
    brush = ink.on(Space.BODY, 4)
    right: list[Point] = [(12, 70, 1), (24, 74), (43, 82), (49, 97, 1), (32, 108), (8, 130, 1)]
    left = [(-p[0], *p[1:]) for p in reversed(right)]
    collar: list[Point] = [*right, (0, 134, 1), *left, (-6, 96), (0, 116, 1), (6, 96)]
    with brush.part(smooth(collar), tone):
        for inset in (0.0, 4.5):
            stripe: list[Point] = [(45 - inset, 94 - inset), (28 - inset * 0.6, 103 - inset)]
            stripe += [(4, 126 - inset * 1.5), (0, 128 - inset * 1.5, 1)]
            both = [*stripe, *((-p[0], *p[1:]) for p in reversed(stripe[:-1]))]
            brush.stroke(line_through(both), WHITE, 1.5)
    draw_bow(ink.on(Space.BODY, 12), 0, 126, 17, look.tones.accent)


def draw_blazer(ink: Ink, look: Look) -> None:
    tones = look.tones
    if look.feminine:
        skirt(ink, look, tones.second, trim=light(tones.cloth, 0.4))
    else:
        trousers(ink, trouser_tone(look))
    _draw_jacket(ink, look, mix(tones.cloth, (0.2, 0.2, 0.3), 0.15))
    if look.feminine:
        draw_bow(ink.on(Space.BODY, 12), 0, 91, 12, tones.accent)
    else:
        draw_necktie(ink, tones.accent)


def draw_suit(ink: Ink, look: Look) -> None:
    tone = mix(look.tones.cloth, (0.18, 0.18, 0.24), 0.55)
    if look.feminine:
        skirt(ink, look, tone, top=212, hem=350, waist=37, spread=54, pleats=1)
    else:
        trousers(ink, tone)
    _draw_jacket(ink, look, tone)
    draw_necktie(ink, look.tones.accent)


def _draw_jacket(ink: Ink, look: Look, tone: Colour) -> None:
    with torso(ink, look, WHITE, neck=(13, 68), neckline=88, bottom=240):
        pass
    open_front(ink, look, tone, [(14, 273), (0, 262, 1), (0, 172, 1), (9, 122), (15, 72, 1)])
    lapel = ink.on(Space.BODY, 5)
    shirt = ink.on(Space.BODY, 6)
    for side in (-1, 1):
        points: list[Point] = [(12, 69, 1), (22, 73), (33, 97), (27, 103, 1), (32, 112, 1)]
        points += [(13, 148), (0, 172, 1), (7, 120)]
        with lapel.part(smooth(sided(side, points)), light(tone, 0.08)):
            dark: list[Point] = [(33, 110), (14, 148), (2, 176), (6, 150), (20, 112)]
            lapel.fill(smooth(sided(side, dark)), shade(tone, 0.2), 0.6)
        collar: list[Point] = [(10, 64, 1), (16, 72), (15.5, 89, 1), (2, 82, 1)]
        shirt.shape(smooth(sided(side, collar)), WHITE)
        pocket: list[Point] = [(20, 222), (31, 223.5), (42, 221)]
        lapel.fill(tapered(sided(side, pocket), 1.4, 2.0, 1.4), outline(tone), 0.75)
    for y in (192.0, 218.0):
        ink.on(Space.BODY, 8).dot(2.0, y, 2.7, light(tone, 0.5), outline(tone))
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=20 if look.feminine else 23, cuff=WHITE)


def draw_necktie(ink: Ink, tone: Colour) -> None:
    brush = ink.on(Space.BODY, 7)
    blade: list[Point] = [(-3.4, 92, 1), (3.4, 92, 1), (7, 150), (0, 161, 1), (-7, 150)]
    with brush.part(smooth(blade), tone):
        for y in (108.0, 124.0, 140.0):
            brush.line([(-8, y + 4), (8, y - 4)], light(tone, 0.4), 2.4, 0.75)
    knot: list[Point] = [(-4.6, 83, 1), (4.6, 83, 1), (3.4, 93, 1), (-3.4, 93, 1)]
    brush.raised(1).shape(smooth(knot), shade(tone, 0.08))


def draw_gakuran(ink: Ink, look: Look) -> None:
    tone = look.tones.cloth
    if look.feminine:
        skirt(ink, look, tone, top=250, hem=336, waist=46, spread=78)
    else:
        trousers(ink, tone)
    with torso(ink, look, tone, neck=(15, 66), bottom=284, loose=3):
        pass
    stand_collar(ink, shade(tone, 0.08), top=62, bottom=84)
    front = ink.on(Space.BODY, 6)
    front.line([(0, 86), (0.5, 180), (0, 284)], outline(tone), 1.2)
    for side in (1, -1):
        pocket: list[Point] = [(18, 228), (28, 229), (38, 227)]
        front.fill(tapered(sided(side, pocket), 1.4, 1.8, 1.4), outline(tone), 0.7)
    for y in (104, 138, 172, 206, 240):
        draw_button(ink.on(Space.BODY, 8), 4.5, y)
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=20 if look.feminine else 23, cuff=shade(tone, 0.1))
