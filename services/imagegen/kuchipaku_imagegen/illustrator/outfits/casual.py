"""Everyday clothes: hoodie, sweater, t-shirt with cardigan."""

from __future__ import annotations

from kuchipaku_imagegen.illustrator.garments import (
    hem_band,
    open_front,
    skirt,
    sleeve,
    stand_collar,
    torso,
    trousers,
)
from kuchipaku_imagegen.illustrator.ink import Ink
from kuchipaku_imagegen.illustrator.look import Look
from kuchipaku_imagegen.illustrator.ornaments import draw_flower
from kuchipaku_imagegen.illustrator.palette import WHITE, light, outline, shade
from kuchipaku_imagegen.illustrator.rig import Space
from kuchipaku_imagegen.illustrator.spline import Point, line_through, sided, smooth, tapered

from .school import trouser_tone


def draw_hoodie(ink: Ink, look: Look) -> None:
    tones = look.tones
    tone = tones.cloth
    if look.feminine:
        skirt(ink, look, tones.second, top=240, hem=332, waist=44, spread=78, pleats=8)
    else:
        trousers(ink, trouser_tone(look))
    with torso(ink, look, tone, neck=(18, 72), bottom=268, loose=9):
        pass
    pouch: list[Point] = [
        (-26, 206, 1),
        (26, 206, 1),
        (36, 244),
        (34, 250, 1),
        (-34, 250, 1),
        (-36, 244),
    ]
    with ink.on(Space.BODY, 6).part(smooth(pouch), shade(tone, 0.04)) as brush:
        low: list[Point] = [(-40, 238), (0, 246), (40, 238), (40, 256), (-40, 256)]
        brush.fill(smooth(low), shade(tone, 0.2), 0.5)
    hem_band(ink, look, shade(tone, 0.12), 257, 9)
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=24 if look.feminine else 26, cuff=shade(tone, 0.12))
    hood: list[Point] = [
        (-31, 83),
        (-23, 66),
        (0, 82),
        (23, 66),
        (31, 83),
        (22, 103),
        (0, 113),
        (-22, 103),
    ]
    with ink.on(Space.BODY, 6).part(smooth(hood), light(tone, 0.04)) as brush:
        fold: list[Point] = [
            (-34, 92),
            (-20, 96),
            (0, 104),
            (20, 96),
            (34, 92),
            (20, 114),
            (-20, 114),
        ]
        brush.fill(smooth(fold), shade(tone, 0.2), 0.7)
    opening: list[Point] = [(-15, 76, 1), (0, 87), (15, 76, 1), (10, 93), (0, 99), (-10, 93)]
    ink.on(Space.BODY, 7).shape(smooth(opening), shade(tone, 0.42), None, 0.9)
    cord = ink.on(Space.BODY, 8)
    for side in (1, -1):
        string: list[Point] = [(9, 98), (10.5, 118), (9, 136)]
        cord.stroke(line_through(sided(side, string)), light(tones.second, 0.3), 2.2)
        cord.stroke(line_through(sided(side, [(9, 132), (9, 138)])), outline(tone), 2.6)


def draw_sweater(ink: Ink, look: Look) -> None:
    tones = look.tones
    tone = tones.cloth
    if look.feminine:
        skirt(ink, look, tones.second, top=236, waist=43, spread=74)
    else:
        trousers(ink, trouser_tone(look))
    with torso(ink, look, tone, neck=(16, 70), bottom=262, loose=7) as brush:
        for x in (-24.0, 0.0, 24.0):
            for y in range(110, 250, 13):
                stitch: list[Point] = [(x - 4, y), (x, y + 6), (x + 4, y)]
                brush.line(stitch, outline(tone), 1.0, 0.32)
            for edge in (-7.5, 7.5):
                rib: list[Point] = [(x + edge, 96), (x + edge, 180), (x + edge, 256)]
                brush.line(rib, outline(tone), 0.8, 0.25)
    stand_collar(ink, shade(tone, 0.06), top=58, bottom=87)
    hem_band(ink, look, shade(tone, 0.12), 252, 7)
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=23 if look.feminine else 26, cuff=shade(tone, 0.12))


def draw_cardigan(ink: Ink, look: Look) -> None:
    tones = look.tones
    tone = tones.cloth
    if look.feminine:
        skirt(ink, look, tones.second, top=228, hem=328, waist=42, spread=78, pleats=6)
    else:
        trousers(ink, trouser_tone(look))
    with torso(ink, look, WHITE, neck=(20, 76), bottom=258, loose=3):
        pass
    collar = ink.on(Space.BODY, 2)
    collar.line([(-20, 79), (0, 91), (20, 79)], outline(WHITE), 1.0, 0.5)
    draw_flower(ink.on(Space.BODY, 8), 0, 140, 10, tones.accent)
    open_front(ink, look, tone, [(27, 272), (22, 200), (25, 130), (19, 75, 1)], depth=4, loose=4)
    trim = ink.on(Space.BODY, 5)
    for side in (1, -1):
        seam: list[Point] = [(24.5, 86), (30, 130), (27, 200), (32, 270)]
        trim.fill(tapered(sided(side, seam), 0.8, 1.2, 0.8), outline(tone), 0.6)
        for y in (168.0, 196.0, 224.0):
            if side > 0:
                trim.dot(26.5, y, 1.9, light(tone, 0.5), outline(tone))
        sleeve(ink, look, side, tone, width=22 if look.feminine else 25, cuff=shade(tone, 0.12))
