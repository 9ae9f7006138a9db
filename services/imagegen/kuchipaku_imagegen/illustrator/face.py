"""Head without hair: ears, face, nose, blush, and the eyebrows that lie above the hair."""

from __future__ import annotations

import numpy as np

from .attributes import EyeShape
from .ink import Ink
from .look import Look
from .palette import Colour, light, mix
from .pose import Pose
from .rig import Space
from .spline import Curve, Point, ellipse, sided, smooth, symmetric, tapered

_BLUSH: Colour = (0.96, 0.42, 0.42)


def face_outline(look: Look) -> Curve:
    """Outline of the face, in the space JAW."""
    wide = 0.0 if look.feminine else 1.6
    return smooth(
        symmetric(
            [
                (0, -58),
                (32, -50),
                (48, -22),
                (50, 2),
                (48 + wide, 20),
                (42.5 + wide, 33.5),
                (31 + wide, 45),
                (15 + wide, 54.4),
                (5 + wide, 58.6),
                (0, 59.4),
            ]
        )
    )


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
        chin: list[Point] = [(-40, 41), (-18, 51.5), (0, 55), (18, 51.5), (40, 41)]
        chin += [(30, 62), (0, 70), (-30, 62)]
        surface.fill(smooth(chin), tones.skin_shadow, 0.26)
    _draw_nose(ink, look)


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
    strength = look.attributes.blush * (1.0 if look.feminine else 0.7)
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
    tones = look.tones
    brush = ink.on(Space.HEAD, 7)
    brush.fill(smooth([(1.0, 29.6), (2.7, 34), (0.4, 35.4), (-0.6, 34.2)]), tones.skin_shadow, 0.9)
    brush.line([(-0.9, 35.0), (0.3, 35.7), (1.4, 35.1)], tones.skin_line, 1.05, 0.8)
    brush.fill(ellipse(-0.7, 31.6, 0.6, 1.3, points=4), light(tones.skin, 0.8), 0.6)


def draw_brow(ink: Ink, look: Look, pose: Pose, side: int) -> None:
    """Eyebrow on `side` of the picture (+1 right: the character's left)."""
    suffix = "left" if side > 0 else "right"
    t = np.linspace(0, 1, 7)
    bow = np.sin(np.pi * t)
    tilt = {EyeShape.ROUND: 0.0, EyeShape.SHARP: -1.6, EyeShape.GENTLE: 0.9}
    y = -7.8 - 2.6 * np.sin(np.pi * (t * 0.82 + 0.24))
    y += tilt[look.attributes.eye_shape] * (t - 0.35) * 2 - 1.6 * look.geometry.brow_level
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
    x = 11.3 + 23 * t + 1.5 * look.geometry.eye_spacing
    # Frowning draws the inner ends together.
    x -= (1 - t) * 1.6 * pose[f"eyebrow_angry_{suffix}"]
    width = (1.75 if look.feminine else 2.6) * (1 + 0.22 * look.geometry.brow_weight)
    stroke: list[Point] = [(side * float(u), 2 + float(v)) for u, v in zip(x, y, strict=True)]
    curve = tapered(stroke, 0.5 + width * 0.5, width * 1.2, 0.4)
    ink.on(Space.HEAD, 8).fill(curve, look.tones.brow, 0.9)
