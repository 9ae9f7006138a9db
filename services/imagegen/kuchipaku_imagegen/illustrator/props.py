"""Things that are held."""

from __future__ import annotations

from .arms import held_pose
from .attributes import ArmPose
from .hands import CAST
from .ink import Ink, Layer
from .look import Look
from .palette import light, mix, outline, shade
from .rig import Space
from .spline import Point, straight


def draw_props(ink: Ink, look: Look) -> None:
    """The book of a character who holds one; drawn before the hands that hold it."""
    if held_pose(look) is ArmPose.BOOK:
        _draw_book(ink, look)


def _draw_book(ink: Ink, look: Look) -> None:
    tone = mix(look.tones.accent, shade(look.tones.accent, 0.2), 0.6)
    tilt = look.attributes.side * 5.0
    corners: list[Point] = [
        (-31, 118 + tilt),
        (31, 118 - tilt),
        (34, 198 - tilt),
        (-28, 198 + tilt),
    ]
    with ink.layer(Layer.FRONT):
        brush = ink.on(Space.ARM, 0)
        brush.fill(straight([(p[0] + 1, p[1] + 6) for p in corners]), CAST, 0.2)
        pages: list[Point] = [(p[0] + 2.5, p[1] + 3.0) for p in corners]
        brush.shape(straight(pages), (0.97, 0.95, 0.90), outline((0.8, 0.74, 0.62)), 1.0)
        with brush.part(straight(corners), tone, outline(tone), 1.35):
            spine: list[Point] = [(-33, 110), (-23, 110), (-20, 210), (-33, 210)]
            brush.polygon(spine, shade(tone, 0.25), 0.8)
            inset: list[Point] = [(-16, 127), (24, 127 - tilt), (26.5, 189 - tilt), (-14, 189)]
            brush.stroke(straight(inset), light(tone, 0.55), 1.2, 0.8)
            title: list[Point] = [(-8, 140), (16, 140 - tilt * 0.5), (16.5, 146), (-8, 147)]
            brush.polygon(title, light(tone, 0.6), 0.85)
