"""Armour of a knight."""

from __future__ import annotations

import numpy as np

from kuchipaku_imagegen.illustrator.arms import arm_of, limb_edges, points_of
from kuchipaku_imagegen.illustrator.garments import skirt, sleeve, stand_collar, torso, trousers
from kuchipaku_imagegen.illustrator.ink import Ink, Layer
from kuchipaku_imagegen.illustrator.look import Look
from kuchipaku_imagegen.illustrator.palette import Colour, colour, light, mix, outline, shade
from kuchipaku_imagegen.illustrator.rig import Space
from kuchipaku_imagegen.illustrator.spline import (
    FloatArray,
    Point,
    ellipse,
    line_through,
    ribbon,
    sided,
    smooth,
    tapered,
)

_STEEL: Colour = colour("#c4cbd8")
_GOLD: Colour = colour("#e3bb58")


def draw_armour(ink: Ink, look: Look) -> None:
    """Breastplate, shoulder plates and bracers of steel over cloth."""
    tone = look.tones.cloth
    steel = mix(_STEEL, tone, 0.10)
    if look.feminine:
        skirt(ink, look, tone, top=206, hem=332, waist=38, spread=80, pleats=7, trim=_GOLD)
    else:
        trousers(ink, mix(tone, (0.2, 0.19, 0.25), 0.5))
    with torso(ink, look, tone, neck=(15, 70), bottom=226 if look.feminine else 264):
        pass
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=20 if look.feminine else 25)
        _draw_bracer(ink, look, side, steel)
    _draw_breastplate(ink, look, steel)
    _draw_tassets(ink, look, steel)
    stand_collar(ink, steel, top=64, bottom=88)
    for side in (1, -1):
        _draw_pauldron(ink, look, side, steel)
    gem = ink.on(Space.BODY, 12)
    gem.shape(ellipse(0, 108, 6, 7), look.tones.accent, outline(look.tones.accent))
    gem.fill(ellipse(-1.8, 105.5, 1.8, 2.2, points=4), (1, 1, 1), 0.8)


def _draw_breastplate(ink: Ink, look: Look, steel: Colour) -> None:
    brush = ink.on(Space.BODY, 5)
    wide = 0.0 if look.feminine else 9.0
    half: list[Point] = [(0, 92, 1), (22, 86), (38 + wide, 94), (45 + wide, 118), (42 + wide, 146)]
    half += [(34 + wide * 0.8, 178), (37 + wide * 0.6, 200, 1), (0, 212, 1)]
    both: list[Point] = [*half, *((-p[0], *p[1:]) for p in reversed(half[1:-1]))]
    stops = [(0.0, light(steel, 0.5)), (0.45, steel), (1.0, shade(steel, 0.28))]
    paint = brush.linear((-30, 86), (30, 214), stops)
    with brush.part(smooth(both), paint, outline(steel), 1.5):
        dark: list[Point] = [
            (0, 150, 1),
            (26, 140),
            (50 + wide, 110),
            (60 + wide, 214),
            (0, 216, 1),
        ]
        brush.fill(smooth(dark), shade(steel, 0.30), 0.55)
        lit: list[Point] = [(-34, 104), (-37, 124), (-30, 146)]
        brush.fill(tapered(lit, 0.5, 5.0, 0.5), (1, 1, 1), 0.6)
        brush.line([(0, 92), (0, 150), (0, 212)], outline(steel), 1.2, 0.7)
        edge: list[Point] = [(-40 - wide, 194), (0, 206), (40 + wide, 194)]
        brush.stroke(line_through(edge), _GOLD, 4.0)
        top: list[Point] = [(-24, 88), (0, 95), (24, 88)]
        brush.stroke(line_through(top), _GOLD, 3.4)


def _draw_tassets(ink: Ink, look: Look, steel: Colour) -> None:
    """Plates that hang from the waist."""
    brush = ink.on(Space.BODY, 7)
    for side in (1, -1):
        plate: list[Point] = [
            (14, 205, 1),
            (42, 200, 1),
            (56, 240),
            (50, 268, 1),
            (24, 262),
            (16, 240),
        ]
        with brush.part(smooth(sided(side, plate)), steel, outline(steel), 1.4):
            low: list[Point] = [(12, 246), (36, 254), (60, 242), (60, 274), (12, 274)]
            brush.fill(smooth(sided(side, low)), shade(steel, 0.26), 0.7)
            brush.stroke(line_through(sided(side, [(18, 256), (32, 262), (52, 262)])), _GOLD, 3.0)
    belt: list[Point] = [
        (-40, 196, 1),
        (0, 203),
        (40, 196, 1),
        (41, 210, 1),
        (0, 217),
        (-41, 210, 1),
    ]
    brush.raised(1).shape(smooth(belt), mix(look.tones.second, (0.3, 0.2, 0.15), 0.5))
    brush.raised(2).shape(ellipse(0, 209, 7, 6.5), _GOLD, outline(_GOLD))


def _draw_pauldron(ink: Ink, look: Look, side: int, steel: Colour) -> None:
    brush = ink.on(Space.ARM, 6)
    wide = 0.0 if look.feminine else 13.0
    for drop, grow in ((20.0, 0.0), (9.0, 1.5), (0.0, 2.5)):
        plate: list[Point] = [
            (32 + wide, 84 + drop, 1),
            (44 + wide, 79 + drop),
            (60 + wide + grow, 87 + drop),
        ]
        plate += [
            (66 + wide + grow, 106 + drop, 1),
            (52 + wide, 102 + drop),
            (37 + wide, 104 + drop, 1),
        ]
        with brush.part(smooth(sided(side, plate)), steel, outline(steel), 1.4):
            low: list[Point] = [
                (34 + wide, 99 + drop),
                (52 + wide, 96 + drop),
                (72 + wide, 101 + drop),
            ]
            low += [(72 + wide, 112 + drop), (34 + wide, 110 + drop)]
            brush.fill(smooth(sided(side, low)), shade(steel, 0.28), 0.6)
            lit: list[Point] = [
                (42 + wide, 85 + drop),
                (52 + wide, 85 + drop),
                (58 + wide, 91 + drop),
            ]
            brush.fill(tapered(sided(side, lit), 0.5, 3.2, 0.5), (1, 1, 1), 0.65)


def _draw_bracer(ink: Ink, look: Look, side: int, steel: Colour) -> None:
    arm = arm_of(look, side)
    wide = 20.0 if look.feminine else 25.0
    widths = np.linspace(wide + 1, wide - 3, 9)
    outer, inner = limb_edges(arm.line, widths, side)
    with ink.layer(Layer.FRONT if arm.front else arm.layer):
        brush = ink.on(Space.ARM, 4)
        a, b = _part(outer), _part(inner)
        with brush.part(ribbon(a, b), steel, outline(steel), 1.4):
            brush.fill(ribbon(b + (a - b) * 0.4, b), shade(steel, 0.28), 0.6)
            lit = points_of(a + (b - a) * 0.3)
            brush.fill(tapered(lit, 0.4, 2.6, 0.4), (1, 1, 1), 0.6)


def _part(edge: FloatArray) -> FloatArray:
    """The stretch between elbow and wrist."""
    return edge[5:9]
