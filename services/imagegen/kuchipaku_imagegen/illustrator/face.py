"""Head without hair: ears, face, nose, blush, and the eyebrows that lie above the hair."""

from __future__ import annotations

import numpy as np

from .attributes import EyeShape, FaceShape
from .ink import Ink
from .look import Look
from .palette import Colour, light, mix
from .pose import Pose
from .rig import Space
from .spline import Curve, Point, ellipse, sided, smooth, symmetric, tapered

_BLUSH: Colour = (0.96, 0.42, 0.42)


_FOREHEAD: list[Point] = [(0, -58), (32, -50), (48, -22), (50, 2)]
_SOFT_JAW: list[Point] = [(48.6, 17), (44.3, 31), (34.5, 44.2), (20.5, 54.8), (8, 60), (0, 61.2)]
_CHILD_JAW: list[Point] = [(48.8, 17.5), (44.4, 31.5), (34, 44.8), (19.8, 54.8), (8, 59.2), (0, 60)]
_LEAN_JAW: list[Point] = [
    (48.6, 17),
    (44.2, 32),
    (33.4, 46.4),
    (18.8, 57.4),
    (8.4, 61.6),
    (0, 62.2),
]
_SQUARE_JAW: list[Point] = [(49.6, 18), (46.6, 33), (38.5, 47), (22.5, 57.8), (10, 61.8), (0, 62.2)]


def face_outline(look: Look) -> Curve:
    """Outline of the face, in the space JAW."""
    jaw = _SOFT_JAW if look.feminine else _LEAN_JAW
    if look.child:
        jaw = _CHILD_JAW
    elif look.attributes.face_shape is FaceShape.SQUARE:
        jaw = _SQUARE_JAW
    return smooth(symmetric([*_FOREHEAD, *jaw]))


def draw_face(ink: Ink, look: Look) -> None:
    """Ears, skin, blush and nose."""
    tones = look.tones
    _draw_ears(ink, look)
    jaw, surface = ink.on(Space.JAW), ink.on(Space.HEAD)
    paint = jaw.linear(
        (0, -30), (0, 60), [(0, light(tones.skin, 0.25)), (0.6, tones.skin), (1, tones.skin)]
    )
    with jaw.part(face_outline(look), paint, tones.skin_line, 1.2):
        for side in (1, -1):
            _draw_cheek(ink, look, side)
        chin: list[Point] = [(-44, 36), (-34, 45.5), (-18, 54.5), (0, 57.6), (18, 54.5), (34, 45.5)]
        chin += [(44, 36), (40, 62), (0, 72), (-40, 62)]
        surface.fill(smooth(chin), tones.skin_shadow, 0.30)
        if not look.feminine and not look.child:
            _draw_cheekbones(ink, look)
        if look.elderly:
            _draw_wrinkles(ink, look)
    _draw_nose(ink, look)
    if look.attributes.beauty_mark:
        x, y = ((19.0, 43.0), (27.0, 36.5))[look.attributes.detail_seed % 2]
        surface.fill(ellipse(look.attributes.side * x, y, 0.9, 0.9, points=4), tones.skin_line, 0.9)


def _draw_cheekbones(ink: Ink, look: Look) -> None:
    """Shadow that hollows a man's cheeks a little."""
    for side in (1, -1):
        area: list[Point] = [(52, 14), (47, 26), (38, 38), (33, 50), (46, 46), (56, 24)]
        ink.on(Space.HEAD).fill(smooth(sided(side, area)), look.tones.skin_shadow, 0.30)


def _draw_wrinkles(ink: Ink, look: Look) -> None:
    brush, line = ink.on(Space.HEAD), look.tones.skin_line
    for side in (1, -1):
        fold: list[Point] = [(8, 34), (12.5, 39), (14.5, 45)]
        brush.fill(tapered(sided(side, fold), 0.3, 1.1, 0.2), line, 0.55)
        under: list[Point] = [(14, 30.5), (22, 33.2), (31, 31.5)]
        brush.fill(tapered(sided(side, under), 0.2, 1.0, 0.2), line, 0.45)
        for dy in (0.0, 3.6):
            corner: list[Point] = [(39.5, 19 + dy), (42, 19.5 + dy * 1.4), (44.5, 19.2 + dy * 1.9)]
            brush.fill(tapered(sided(side, corner), 0.3, 0.9, 0.2), line, 0.5)


def _draw_ears(ink: Ink, look: Look) -> None:
    tones = look.tones
    brush = ink.on(Space.FLAT, -4)
    for side in (1, -1):
        ear = sided(side, [(46, 2), (54, -1), (56.8, 8), (53.5, 20), (47, 25)])
        with brush.part(smooth(ear), tones.skin, tones.skin_line):
            inner = sided(side, [(46, 5), (52.5, 3.5), (53, 11), (49, 18), (45, 16)])
            brush.fill(smooth(inner), tones.skin_shadow, 0.7)
        brush.line(sided(side, [(48, 6), (52.8, 7), (50, 15)]), tones.skin_line, 0.9, 0.6)


def _draw_cheek(ink: Ink, look: Look, side: int) -> None:
    brush = ink.on(Space.HEAD)
    strength = look.attributes.blush * (1.0 if look.feminine or look.child else 0.5)
    strength *= look.style.blush
    brush.glow(ellipse(side * 31, 33.5, 15, 9.5), _BLUSH, 0.75 * strength)
    if look.attributes.freckles:
        for dx, dy in ((-6, -1), (-2, 2), (2, -1.5), (6, 1.5)):
            brush.dot(
                side * (30 + dx), 31 + dy, 0.65, mix(look.tones.skin_shadow, _BLUSH, 0.3), None
            )
    elif strength > 0.55:
        for offset in (-4.0, 0.0, 4.0):
            x = side * 31 + offset
            brush.line([(x + 1.2, 31), (x - 1.2, 35.5)], (0.87, 0.36, 0.38), 0.8, 0.5)


def _draw_nose(ink: Ink, look: Look) -> None:
    tones, nose = look.tones, look.style.nose
    brush = ink.on(Space.HEAD, 7)
    low = 34.4 + 1.3 * look.geometry.nose_length + (0.0 if look.feminine else 0.8)
    if look.child:
        brush.line(
            [(-1.2, low), (0, low + 0.7), (1.3, low)], tones.skin_line, 1.0, min(1.0, 0.75 * nose)
        )
        return
    side = look.attributes.side
    shadow = [
        (0.4, low - 5.5),
        (3.0, low - 0.8),
        (1.4, low + 1.2),
        (-1.6, low + 1.0),
        (0.2, low - 1),
    ]
    brush.fill(smooth(sided(side, shadow)), tones.skin_shadow, min(1.0, 0.9 * nose))
    tip: list[Point] = [(-2.0, low + 0.5), (-0.4, low + 1.3), (1.9, low + 0.3)]
    brush.fill(tapered(sided(side, tip), 0.3, 1.2, 0.3), tones.skin_line, min(1.0, 0.85 * nose))
    brush.fill(
        ellipse(-0.9 * side, low - 3.2, 0.7, 1.4, points=4),
        light(tones.skin, 0.8),
        min(1.0, 0.65 * nose),
    )
    if not look.feminine or look.elderly:
        bridge: list[Point] = [(3.2, low - 17), (2.4, low - 11), (3.4, low - 4)]
        strength = 0.45 * look.style.bridge
        brush.fill(tapered(sided(side, bridge), 0.2, 1.3, 0.3), tones.skin_line, strength)


def _brow_stroke(look: Look, pose: Pose, side: int) -> list[Point]:
    """Middle line of an eyebrow from its inner to its outer end."""
    suffix = "left" if side > 0 else "right"
    t = np.linspace(0, 1, 7)
    bow = np.sin(np.pi * t)
    y = -7.2 - 2.8 * np.sin(np.pi * (t * 0.82 + 0.24))
    if not look.feminine:
        # Straighter, with the bend further out, and closer to the eye.
        y = -4.6 - 2.6 * np.sin(np.pi * np.clip(t * 0.9 - 0.12, 0, 1))
    y += _BROW_TILT[look.attributes.eye_shape] * (t - 0.35) * 2 - 1.6 * look.geometry.brow_level
    y += look.style.eyes.level - look.style.brows.rise
    # Inner end t = 0, outer end t = 1.
    offsets = {
        "troubled": -4.6 * (1 - t) + 3.0 * t + 0.6,
        "angry": 5.0 * (1 - t) - 2.4 * t,
        "lowered": 4.2 + 0 * t,
        "raised": -5.0 + 0 * t,
        "happy": -0.8 - 3.2 * bow,
        "serious": 3.4 - 0.9 * t + 1.8 * bow,
    }
    for name, offset in offsets.items():
        y += pose[f"eyebrow_{name}_{suffix}"] * offset
    x = 11.0 + 24 * t + 2.0 * look.geometry.eye_spacing + look.style.eyes.gap
    # Frowning draws the inner ends together.
    x -= (1 - t) * 1.6 * pose[f"eyebrow_angry_{suffix}"]
    return [(side * float(u), 2 + float(v)) for u, v in zip(x, y, strict=True)]


_BROW_TILT = {
    EyeShape.ROUND: 0.0,
    EyeShape.SHARP: -1.6,
    EyeShape.GENTLE: 0.9,
    EyeShape.ALMOND: -0.8,
    EyeShape.SLEEPY: 0.6,
}


def draw_brow(ink: Ink, look: Look, pose: Pose, side: int, opacity: float) -> None:
    """Eyebrow on `side` of the picture (+1 right: the character's left)."""
    style = look.style.brows
    width = (2.0 if look.feminine else 2.8) * (1 + 0.28 * look.geometry.brow_weight) * style.width
    tone = mix(look.tones.brow, look.tones.skin_shadow, style.paleness)
    stroke = _brow_stroke(look, pose, side)
    curve = tapered(stroke, width * (0.7 if look.feminine else 1.1), width * 1.25, 0.4)
    ink.on(Space.HEAD, 8).fill(curve, tone, opacity)
