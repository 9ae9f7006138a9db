"""Dresses and costumes: frilled dress, maid outfit, kimono."""

from __future__ import annotations

import random

import numpy as np

from kuchipaku_imagegen.illustrator.arms import arm_of, limb_edges, points_of, shoulder_points
from kuchipaku_imagegen.illustrator.garments import cloth_paint, skirt, sleeve, torso
from kuchipaku_imagegen.illustrator.hands import draw_bare_arm, draw_hand
from kuchipaku_imagegen.illustrator.ink import Ink, Layer
from kuchipaku_imagegen.illustrator.look import Look
from kuchipaku_imagegen.illustrator.ornaments import draw_bow, draw_flower, draw_frill
from kuchipaku_imagegen.illustrator.palette import WHITE, light, mix, outline, shade
from kuchipaku_imagegen.illustrator.rig import Space
from kuchipaku_imagegen.illustrator.spline import Point, ellipse, sided, smooth, tapered


def draw_dress(ink: Ink, look: Look) -> None:
    tone, accent = look.tones.cloth, look.tones.accent
    with torso(ink, look, tone, neck=(24, 84), neckline=104, bottom=204, loose=-1):
        pass
    skirt(ink, look, tone, top=198, hem=334, waist=36.5, spread=88, pleats=7)
    draw_frill(ink.on(Space.BODY, 9), (-86, 86), 338, 8, WHITE, height=11)
    for side in (1, -1):
        draw_bare_arm(ink, look, side, 2)
    lace = ink.on(Space.BODY, 6)
    for y in (132.0, 150.0, 168.0):
        lace.line([(-8, y), (8, y + 9)], WHITE, 1.4)
        lace.line([(8, y), (-8, y + 9)], WHITE, 1.4)
    puff = ink.on(Space.ARM, 4)
    wider = 0.0 if look.feminine else 8.0
    for side in (1, -1):
        body: list[Point] = [(31 + wider, 84), (44 + wider, 75), (58 + wider, 83)]
        body += [(65 + wider, 105), (60 + wider, 124), (45 + wider, 122), (37 + wider, 106)]
        with puff.part(
            smooth(sided(side, body)), cloth_paint(puff, light(tone, 0.06), 70, 140), outline(tone)
        ):
            for top, low in ((42, 44), (49, 52), (56, 59)):
                fold: list[Point] = [(top + wider, 84), (low + wider, 100), (low + wider, 120)]
                puff.line(sided(side, fold), outline(tone), 0.9, 0.4)
            dark: list[Point] = [(36 + wider, 110), (50 + wider, 112), (66 + wider, 106)]
            dark += [(64 + wider, 128), (38 + wider, 126)]
            puff.fill(smooth(sided(side, dark)), shade(tone, 0.24), 0.6)
        cuff: list[Point] = [(41 + wider, 116, 1), (51 + wider, 120), (63 + wider, 117, 1)]
        cuff += [(62 + wider, 124.5, 1), (51 + wider, 127), (42 + wider, 124, 1)]
        puff.raised(1).shape(smooth(sided(side, cuff)), WHITE)
    draw_frill(ink.on(Space.BODY, 9), (-27, 27), 88, 6, WHITE, height=9, sag=15)
    draw_bow(ink.on(Space.BODY, 12), 0, 112, 10, accent)
    draw_bow(ink.on(Space.BODY, 12), 0, 202, 15, accent)


def draw_maid(ink: Ink, look: Look) -> None:
    tone = mix(look.tones.cloth, (0.15, 0.14, 0.20), 0.72)
    with torso(ink, look, tone, neck=(15, 70), bottom=206, loose=-1):
        pass
    skirt(ink, look, tone, top=200, hem=334, waist=36.5, spread=88, pleats=8)
    draw_frill(ink.on(Space.BODY, 9), (-86, 86), 338, 8, WHITE, height=9)
    apron = ink.on(Space.BODY, 7)
    front: list[Point] = [
        (-24, 205, 1),
        (24, 205, 1),
        (49, 270),
        (45, 312),
        (0, 324),
        (-45, 312),
        (-49, 270),
    ]
    with apron.part(smooth(front), WHITE):
        for side in (1, -1):
            fold: list[Point] = [(14, 214), (20, 250), (24, 320), (34, 320), (26, 250)]
            apron.fill(smooth(sided(side, fold)), shade(WHITE, 0.18), 0.55)
    draw_frill(ink.on(Space.BODY, 9), (-46, 46), 312, 7, WHITE, height=9, sag=10)
    bib: list[Point] = [
        (-17, 112, 1),
        (17, 112, 1),
        (26, 150),
        (24, 206, 1),
        (-24, 206, 1),
        (-26, 150),
    ]
    with apron.part(smooth(bib), WHITE):
        low: list[Point] = [(-30, 150), (0, 156), (30, 150), (18, 170), (0, 164), (-18, 170)]
        apron.fill(smooth(low), shade(WHITE, 0.18), 0.5)
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=20, cuff=WHITE)
        strap: list[Point] = [
            (17, 112, 1),
            (28, 80),
            (44, 76),
            (57, 84),
            (58, 97),
            (46, 102),
            (32, 111),
            (22, 122),
        ]
        with ink.on(Space.BODY, 8).part(smooth(sided(side, strap)), WHITE) as brush:
            for x in (32, 42, 51):
                brush.line(sided(side, [(x, 84), (x - 3, 104)]), outline(WHITE), 0.9, 0.4)
    collar: list[Point] = [
        (-12, 66, 1),
        (-20, 80),
        (-4, 89, 1),
        (0, 84, 1),
        (4, 89, 1),
        (20, 80),
        (12, 66, 1),
        (0, 74),
    ]
    ink.on(Space.BODY, 8).shape(smooth(collar), WHITE)
    draw_bow(ink.on(Space.BODY, 12), 0, 93, 11, look.tones.accent)
    band: list[Point] = [
        (-36.5, 198, 1),
        (0, 202),
        (36.5, 198, 1),
        (37, 210, 1),
        (0, 214),
        (-37, 210, 1),
    ]
    ink.on(Space.BODY, 8).shape(smooth(band), WHITE)


def draw_kimono(ink: Ink, look: Look) -> None:
    tones = look.tones
    tone = tones.cloth
    skirt(ink, look, tone, top=215, hem=440, waist=43, spread=62, pleats=2, legs=False)
    with torso(ink, look, tone, neck=(14, 68), neckline=128, bottom=240, loose=1):
        pass
    collar = ink.on(Space.BODY, 5)
    for side in (-1, 1):
        band: list[Point] = [
            (12, 64, 1),
            (24, 78),
            (14, 112),
            (-16, 168, 1),
            (-24, 158, 1),
            (0, 118),
            (6, 88),
        ]
        fill = mix(tone, WHITE, 0.75) if side < 0 else tones.second
        with collar.part(smooth(sided(side, band)), fill):
            lit: list[Point] = [(9, 70), (8, 96), (-8, 132), (-20, 160)]
            collar.line(sided(side, lit), outline(fill), 0.9, 0.35)
    for side in (1, -1):
        _draw_wide_sleeve(ink, look, side)
    sash = ink.on(Space.BODY, 8)
    obi: list[Point] = [
        (-41, 164, 1),
        (0, 168),
        (41, 164, 1),
        (40, 214, 1),
        (0, 220),
        (-40, 214, 1),
    ]
    with sash.part(smooth(obi), cloth_paint(sash, tones.second, 160, 230), outline(tones.second)):
        for side in (1, -1):
            dark: list[Point] = [(30, 160), (44, 160), (44, 220), (28, 220)]
            sash.fill(smooth(sided(side, dark)), shade(tones.second, 0.22), 0.6)
    cord: list[Point] = [
        (-41, 184, 1),
        (0, 188),
        (41, 184, 1),
        (41, 193, 1),
        (0, 198),
        (-41, 193, 1),
    ]
    sash.raised(1).shape(smooth(cord), tones.accent)
    for x in (-24.0, 22.0):
        draw_flower(sash.raised(1), x, 176, 6, light(tones.second, 0.5))
    draw_bow(sash.raised(4), 0, 190, 8, tones.accent, tails=False)


def _draw_wide_sleeve(ink: Ink, look: Look, side: int) -> None:
    """Sleeve whose bag hangs from the forearm; the hand lies over it."""
    arm = arm_of(look, side)
    root, tip = shoulder_points(look, side)
    outer, inner = limb_edges(arm.line, np.linspace(26, 24, len(arm.line)), side)
    x, y = (float(v) for v in arm.line[-1])
    u, v = (float(v) for v in outer[-1])
    shape: list[Point] = [(*root[:2], 1), tip]
    if arm.front:
        shape += [*points_of(outer[:5]), (side * 63.0, 236), (side * 60.0, 270)]
        shape += [(side * 48.0, 286), (side * 30.0, 282), (x + side * 3, y + 36)]
        shape += [(u, v, 1), *points_of(inner[:3:-1])]
    else:
        shape += [*points_of(outer[:8:2]), (u + side * 3, v - 2, 1), (x + side * 11, y + 36)]
        shape += [(x + side * 4, y + 47), (x - side * 15, y + 45), (x - side * 21, y + 32)]
        shape.append((float(inner[4][0]) - side * 5, 204.0))
    shape.append((side * (41.0 if look.feminine else 53.0), 128))
    with ink.layer(Layer.FRONT if arm.front else Layer.MIDDLE):
        _fill_wide_sleeve(ink, look, side, shape)
        if not arm.front:
            inside = ellipse(x + side * 1.5, y - 1, 10.5, 5.0)
            ink.on(Space.ARM, 3).shape(inside, shade(look.tones.cloth, 0.45))
    draw_hand(ink, look, side)


def _fill_wide_sleeve(ink: Ink, look: Look, side: int, shape: list[Point]) -> None:
    tone = look.tones.cloth
    brush = ink.on(Space.ARM, 3)
    paint = cloth_paint(brush, tone, 84, 320)
    wide = 0.0 if look.feminine else 10.0
    with brush.part(smooth(shape), paint, outline(tone), 1.35):
        dark: list[Point] = [(36 + wide, 108), (48 + wide, 150), (54 + wide, 220)]
        dark += [(60 + wide, 312), (10, 312), (30 + wide, 200)]
        brush.fill(smooth(sided(side, dark)), shade(tone, 0.24), 0.75)
        for x, y in ((52.0, 150.0), (57.0, 168.0)):
            fold: list[Point] = [(x - 8 + wide, y - 6), (x + wide, y), (x + 8 + wide, y - 2)]
            brush.fill(tapered(sided(side, fold), 1.8, 1.3, 0.2), outline(tone), 0.4)
        rng = random.Random(look.attributes.detail_seed * 2 + (side > 0))  # noqa: S311 - reproducible, not secret
        for _ in range(5):
            x, y = rng.uniform(40, 62) + wide, rng.uniform(170, 280)
            petals = light(look.tones.second, 0.25)
            draw_flower(brush.raised(1), side * x, y, rng.uniform(5, 8.5), petals)
