"""What the characters wear around the neck and at the ears: choker, scarf, earrings."""

from __future__ import annotations

from .attributes import Accessory
from .ink import Ink
from .look import Look
from .palette import Colour, light, mix, outline, shade
from .rig import Space
from .spline import Point, ellipse, line_through, sided, smooth, tapered

_GOLD: Colour = (0.93, 0.75, 0.32)


def draw_choker(ink: Ink, look: Look) -> None:
    """Band around the neck with a pendant; below the collar of the clothes."""
    if not look.wears(Accessory.CHOKER):
        return
    tone = mix(look.tones.accent, (0.15, 0.12, 0.18), 0.35)
    wide = 12.0 if look.feminine else 16.0
    brush = ink.on(Space.NECK, 4)
    band: list[Point] = [
        (-wide, 63, 1),
        (0, 68.5),
        (wide, 63, 1),
        (wide, 68.5, 1),
        (0, 74),
        (-wide, 68.5, 1),
    ]
    brush.shape(smooth(band), tone, outline(tone), 1.0)
    brush.line([(-wide + 1, 64.4), (0, 69.8), (wide - 1, 64.4)], light(tone, 0.45), 0.9, 0.8)
    brush.shape(ellipse(0, 76.5, 2.8, 3.2, points=4), _GOLD, outline(_GOLD), 0.9)


def draw_scarf(ink: Ink, look: Look) -> None:
    """Scarf wound around the neck, one end down the chest."""
    if not look.wears(Accessory.SCARF):
        return
    tone, side = look.tones.accent, look.attributes.side
    brush = ink.on(Space.BODY, 9)
    end: list[Point] = [(6, 92, 1), (25, 90, 1), (30, 130), (29, 168, 1), (12, 170, 1), (11, 130)]
    with brush.part(smooth(sided(side, end)), shade(tone, 0.06), outline(tone), 1.4):
        for y in (146.0, 155.0):
            brush.stroke(line_through(sided(side, [(8, y), (34, y - 2)])), light(tone, 0.65), 3.0)
        fold: list[Point] = [(17, 96), (20, 128), (20, 166)]
        brush.fill(tapered(sided(side, fold), 2.4, 1.6, 0.4), shade(tone, 0.3), 0.8)
    for x in (14.0, 18.0, 22.0, 26.0):
        brush.stroke(line_through(sided(side, [(x, 168), (x + 0.5, 176)])), tone, 1.8)
    loop: list[Point] = [(-33, 80), (-27, 64), (-12, 66), (0, 71), (12, 66), (27, 64), (33, 80)]
    loop += [(26, 97), (0, 106), (-26, 97)]
    with brush.raised(2).part(smooth(loop), tone, outline(tone), 1.5) as wound:
        low: list[Point] = [
            (-36, 86),
            (-18, 95),
            (0, 98),
            (18, 95),
            (36, 86),
            (30, 108),
            (-30, 108),
        ]
        wound.fill(smooth(low), shade(tone, 0.25), 0.7)
        for dx, dy in ((-24.0, 74.0), (-16.0, 84.0), (8.0, 80.0), (14.0, 90.0)):
            crease: list[Point] = [(dx, dy), (dx + 9, dy + 5), (dx + 19, dy + 5)]
            wound.fill(tapered(crease, 0.3, 1.8, 0.3), outline(tone), 0.5)
        wound.line([(-27, 67), (-10, 71), (0, 75)], light(tone, 0.5), 2.0, 0.6)


def draw_earrings(ink: Ink, look: Look) -> None:
    if not look.wears(Accessory.EARRINGS):
        return
    tone = look.tones.accent
    brush = ink.on(Space.FLAT, 6)
    drop = look.attributes.detail_seed % 2
    for side in (1, -1):
        x = side * 51.5
        if drop:
            brush.line([(x, 24), (x, 31)], _GOLD, 1.2)
            tear: list[Point] = [(x, 29, 1), (x + 3.2, 36), (x, 39.5), (x - 3.2, 36)]
            brush.shape(smooth(tear), tone, outline(tone), 1.0)
            brush.fill(ellipse(x - 1, 35, 0.9, 1.4, points=4), (1, 1, 1), 0.85)
        else:
            brush.stroke(ellipse(x, 29.5, 4.0, 5.0), outline(_GOLD), 2.6)
            brush.stroke(ellipse(x, 29.5, 4.0, 5.0), _GOLD, 1.6)
