"""The body below the head: torso, neck and legs, and the measures that clothes are cut to."""

from __future__ import annotations

from .ink import Ink
from .look import Look
from .palette import light
from .rig import Space
from .spline import Point, sided, smooth, tapered

#: Right half of the torso from neck to hips.
_FEMININE_TORSO: list[Point] = [(24, 80), (37, 85.2), (46, 93), (49.5, 103), (45.5, 120)]
_FEMININE_TORSO += [(45, 138), (39, 164), (33.5, 190), (38, 219), (48.5, 251), (52.5, 290)]
_MASCULINE_TORSO: list[Point] = [(31, 78), (45, 83.2), (56.5, 92), (62, 104), (58, 124)]
_MASCULINE_TORSO += [(54.5, 150), (48.5, 180), (44.5, 208), (44, 232), (46, 258), (48, 290)]


def torso_side(look: Look) -> list[Point]:
    """Right half of the torso from the shoulder's root (y about 80) to the hips (y 290)."""
    return list(_FEMININE_TORSO if look.feminine else _MASCULINE_TORSO)


def draw_legs(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.BODY, -6)
    for side in (1, -1):
        leg: list[Point] = [(45, 300), (49, 326), (47, 366), (42, 490), (9, 490), (3, 300)]
        with brush.part(smooth(sided(side, leg)), tones.skin, tones.skin_line):
            inner: list[Point] = [(-5, 280), (14, 280), (20, 490), (-5, 490)]
            brush.fill(smooth(sided(side, inner)), tones.skin_shadow, 0.65)
            hem: list[Point] = [(-5, 300), (60, 300), (60, 346), (28, 353), (-5, 350)]
            brush.fill(smooth(sided(side, hem)), tones.skin_shadow, 0.75)
            lit: list[Point] = [(41, 356), (41, 380), (38, 430)]
            brush.fill(tapered(sided(side, lit), 0.5, 4, 3), light(tones.skin, 0.5), 0.6)


def draw_neck(ink: Ink, look: Look) -> None:
    tones = look.tones
    wide = 11.0 if look.feminine else 15.0
    if look.adult:
        wide += 0.8 if look.feminine else 2.0
    if look.child:
        wide -= 1.6
    right: list[Point] = [(wide, 36), (wide - 0.2, 58), (wide + 3.0, 72), (wide + 13, 84)]
    outline: list[Point] = [*right, (0, 116), *((-p[0], p[1]) for p in reversed(right))]
    brush = ink.on(Space.NECK)
    with brush.part(smooth(outline), tones.skin, tones.skin_line):
        cast: list[Point] = [(-wide - 9, 38), (-wide - 2, 62), (-3, 77), (wide * 0.6, 69)]
        cast += [(wide + 4, 60), (wide + 9, 38)]
        brush.fill(smooth(cast), tones.skin_shadow, 0.95)
        for side in (1, -1):
            tendon: list[Point] = [(wide * 0.62, 62), (wide * 0.42, 74), (3.5, 86)]
            brush.fill(tapered(sided(side, tendon), 0.2, 1.1, 0.2), tones.skin_line, 0.28)
    body = ink.on(Space.BODY)
    for side in (1, -1):
        bone: list[Point] = [(3.5, 88), (13, 85), (27, 84.5)]
        body.fill(tapered(sided(side, bone), 0.5, 1.3, 0.2), tones.skin_line, 0.5)
        under: list[Point] = [(4, 90.5), (14, 88.5), (24, 88)]
        body.fill(tapered(sided(side, under), 0.4, 3.0, 0.3), tones.skin_shadow, 0.6)
