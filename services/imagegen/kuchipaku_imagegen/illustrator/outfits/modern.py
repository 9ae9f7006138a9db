"""Today's clothes: school vest, lab coat, casual jacket, summer dress, tracksuit."""

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
from kuchipaku_imagegen.illustrator.hands import draw_bare_arm
from kuchipaku_imagegen.illustrator.ink import Ink
from kuchipaku_imagegen.illustrator.look import Look
from kuchipaku_imagegen.illustrator.ornaments import draw_bow, draw_button, draw_frill
from kuchipaku_imagegen.illustrator.palette import WHITE, Colour, light, mix, outline, shade
from kuchipaku_imagegen.illustrator.rig import Space
from kuchipaku_imagegen.illustrator.spline import (
    Point,
    line_through,
    sided,
    smooth,
    straight,
    tapered,
)

from .school import draw_necktie, trouser_tone


def _below(ink: Ink, look: Look, *, top: float = 226) -> None:
    """Skirt or trousers in the second colour."""
    if look.feminine:
        skirt(ink, look, look.tones.second, top=top, hem=330, waist=42, spread=78, pleats=8)
    else:
        trousers(ink, trouser_tone(look))


def _shirt_collar(ink: Ink, tone: Colour, depth: float = 7) -> None:
    brush = ink.on(Space.BODY, depth)
    for side in (-1, 1):
        collar: list[Point] = [(10, 62, 1), (17, 71), (18, 90, 1), (2, 83, 1)]
        brush.shape(smooth(sided(side, collar)), tone)


def draw_vest(ink: Ink, look: Look) -> None:
    """Knitted vest over a white shirt."""
    tone, accent = look.tones.cloth, look.tones.accent
    _below(ink, look)
    wide = 21.0 if look.feminine else 24.0
    with torso(ink, look, WHITE, neck=(13, 68), neckline=88, bottom=252, loose=2):
        pass
    for side in (1, -1):
        sleeve(ink, look, side, WHITE, width=wide, cuff=shade(WHITE, 0.10))
    with torso(ink, look, tone, neck=(26, 78), neckline=142, bottom=252, loose=4, wide=-6) as brush:
        for side in (1, -1):
            for inset in (4.0, 8.0):
                trim: list[Point] = [
                    (26 + inset * 0.4, 74),
                    (14, 112 + inset),
                    (0, 142 + inset * 1.6),
                ]
                stripe = accent if inset > 4 else light(tone, 0.6)
                brush.stroke(line_through(sided(side, trim)), stripe, 2.0)
        for x in (-30.0, -18.0, 18.0, 30.0):
            rib: list[Point] = [(x, 130), (x * 0.95, 190), (x, 246)]
            brush.line(rib, outline(tone), 0.8, 0.28)
    hem_band(ink, look, shade(tone, 0.12), 244, 4)
    _shirt_collar(ink, WHITE)
    if look.feminine:
        draw_bow(ink.on(Space.BODY, 12), 0, 94, 12, accent)
    else:
        draw_necktie(ink, accent)


def draw_lab_coat(ink: Ink, look: Look) -> None:
    """Long white coat over shirt and tie."""
    tone, shirt = mix(WHITE, look.tones.cloth, 0.06), look.tones.cloth
    if look.feminine:
        skirt(ink, look, trouser_tone(look), top=216, hem=352, waist=38, spread=50, pleats=1)
    else:
        trousers(ink, trouser_tone(look))
    with torso(ink, look, shirt, neck=(13, 68), neckline=92, bottom=256):
        pass
    draw_necktie(ink, look.tones.accent)
    edge: list[Point] = [(30, 400), (15, 400, 1), (11, 250), (9, 172), (14, 120), (15, 72, 1)]
    open_front(ink, look, tone, edge, loose=4, hem=400)
    lapel = ink.on(Space.BODY, 6)
    for side in (1, -1):
        points: list[Point] = [(12, 66, 1), (24, 72), (35, 98), (28, 104, 1), (32, 112, 1)]
        points += [(18, 148), (9, 166, 1), (11, 120)]
        with lapel.part(smooth(sided(side, points)), tone):
            dark: list[Point] = [(33, 110), (18, 148), (8, 170), (10, 146), (22, 112)]
            lapel.fill(smooth(sided(side, dark)), shade(tone, 0.18), 0.6)
        pocket: list[Point] = [(20, 246), (45, 244), (46, 282), (22, 284)]
        lapel.stroke(straight(sided(side, pocket)), outline(tone), 1.1, 0.8)
    breast: list[Point] = [(21, 150), (38, 149), (38, 168), (21, 169)]
    lapel.stroke(straight(breast), outline(tone), 1.1, 0.8)
    lapel.line([(25, 146), (25, 160)], look.tones.accent, 2.2)
    lapel.line([(30, 147), (30, 160)], outline(shirt), 2.0)
    _shirt_collar(ink, light(shirt, 0.15), 7)
    for side in (1, -1):
        sleeve(ink, look, side, tone, width=23 if look.feminine else 27, cuff=shade(tone, 0.08))


def draw_jacket(ink: Ink, look: Look) -> None:
    """Short zipped jacket, open over a shirt."""
    tone, second = look.tones.cloth, look.tones.second
    band = mix(tone, (0.18, 0.17, 0.22), 0.55)
    _below(ink, look, top=232)
    shirt = mix(second, WHITE, 0.55)
    with torso(ink, look, shirt, neck=(18, 76), bottom=262, loose=2) as brush:
        for y in (128.0, 142.0, 156.0):
            brush.line([(-40, y), (0, y + 5), (40, y)], look.tones.accent, 4.0, 0.8)
    open_front(ink, look, tone, [(25, 246), (21, 190), (23, 130), (18, 72, 1)], loose=7, hem=240)
    trim = ink.on(Space.BODY, 6)
    for side in (1, -1):
        zipper: list[Point] = [(18.5, 78), (24, 130), (22, 190), (26, 246)]
        trim.stroke(line_through(sided(side, zipper)), light(band, 0.55), 1.8)
        waist: list[Point] = [(25, 236, 1), (55, 233, 1), (54, 250, 1), (26, 253, 1)]
        with trim.part(smooth(sided(side, waist)), band):
            for x in range(28, 56, 5):
                trim.line(sided(side, [(x, 234), (x, 252)]), outline(band), 0.9, 0.5)
        pocket: list[Point] = [(33, 196), (38, 206), (41, 216)]
        trim.fill(tapered(sided(side, pocket), 1.2, 2.0, 1.2), outline(tone), 0.8)
        collar: list[Point] = [(11, 60, 1), (21, 62), (31, 82), (22, 98, 1), (16, 84)]
        trim.raised(2).shape(smooth(sided(side, collar)), band)
        sleeve(ink, look, side, tone, width=24 if look.feminine else 28, cuff=band)


def draw_sundress(ink: Ink, look: Look) -> None:
    """Dress with straps that leaves shoulders and arms free."""
    tone, accent = look.tones.cloth, look.tones.accent
    brush = ink.on(Space.BODY, -1)
    half: list[Point] = [(13, 76), (28, 81), (40, 86), (49, 92), (51, 104), (46, 126), (44, 150)]
    skin: list[Point] = [*half, *((-p[0], p[1]) for p in reversed(half))]
    with brush.part(smooth(skin), look.tones.skin, look.tones.skin_line, 1.2):
        low: list[Point] = [(-50, 108), (0, 116), (50, 108), (50, 130), (-50, 130)]
        brush.fill(smooth(low), look.tones.skin_shadow, 0.5)
    for side in (1, -1):
        draw_bare_arm(ink, look, side, 0)
    _redraw_collarbones(ink, look)
    skirt(ink, look, tone, top=198, hem=336, waist=36.5, spread=86, pleats=6)
    with torso(ink, look, tone, neck=(30, 112), neckline=118, bottom=204, loose=-1, low=112):
        pass
    strap = ink.on(Space.BODY, 3)
    for side in (1, -1):
        band: list[Point] = [(25, 79, 1), (31, 81.5, 1), (34, 116, 1), (27, 116, 1)]
        strap.shape(smooth(sided(side, band)), tone)
    draw_frill(ink.on(Space.BODY, 8), (-40, 40), 117, 8, light(tone, 0.55), height=9, sag=3)
    draw_frill(ink.on(Space.BODY, 9), (-84, 84), 340, 9, light(tone, 0.55), height=9)
    sash: list[Point] = [
        (-36.5, 194, 1),
        (0, 198),
        (36.5, 194, 1),
        (37, 208, 1),
        (0, 212),
        (-37, 208, 1),
    ]
    ink.on(Space.BODY, 8).shape(smooth(sash), accent)
    draw_bow(ink.on(Space.BODY, 12), look.attributes.side * 22, 204, 12, accent)


def _redraw_collarbones(ink: Ink, look: Look) -> None:
    body = ink.on(Space.BODY)
    for side in (1, -1):
        bone: list[Point] = [(3.5, 89), (13, 86), (29, 85.5)]
        body.fill(tapered(sided(side, bone), 0.5, 1.3, 0.2), look.tones.skin_line, 0.5)
        body.fill(
            tapered(sided(side, [(4, 92), (14, 89.5), (25, 89)]), 0.4, 3.0, 0.3),
            look.tones.skin_shadow,
            0.6,
        )


def draw_tracksuit(ink: Ink, look: Look) -> None:
    """Zipped sports jacket with stripes, and trousers of the same cloth."""
    tone, stripe = look.tones.cloth, light(look.tones.accent, 0.25)
    trousers(ink, tone)
    for side in (1, -1):
        seam: list[Point] = [(41, 262), (45, 320), (43, 430)]
        for inset in (0.0, 4.5):
            line = [(p[0] - inset, p[1]) for p in seam]
            ink.on(Space.BODY, 1).stroke(line_through(sided(side, line)), stripe, 2.2)
    with torso(ink, look, tone, neck=(15, 68), bottom=266, loose=7) as brush:
        yoke: list[Point] = [(-70, 70), (70, 70), (70, 112), (0, 132, 1), (-70, 112)]
        brush.fill(smooth(yoke), mix(tone, stripe, 0.75), 0.95)
        brush.line([(-70, 114), (0, 135), (70, 114)], WHITE, 2.2)
    front = ink.on(Space.BODY, 6)
    front.line([(0, 84), (0.3, 180), (0, 266)], outline(tone), 2.4)
    front.line([(0, 84), (0.3, 180), (0, 266)], light(tone, 0.6), 1.0)
    draw_button(ink.on(Space.BODY, 8), 0, 104, 2.6)
    stand_collar(ink, tone, top=58, bottom=86)
    hem_band(ink, look, shade(tone, 0.12), 256, 7)
    for side in (1, -1):
        pocket: list[Point] = [(20, 226), (28, 214), (34, 204)]
        front.fill(tapered(sided(side, pocket), 1.2, 2.0, 1.2), outline(tone), 0.7)
        sleeve(ink, look, side, tone, width=23 if look.feminine else 26, cuff=stripe)
