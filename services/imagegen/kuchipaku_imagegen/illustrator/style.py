"""Hands of other artists: how lines, eyes, mouths and noses are drawn, whoever is drawn.

The default is the illustrator's own hand. Others are for training: what learns from one hand alone
does not find the eyes and the mouth of a picture that somebody else drew.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from .palette import Colour, mix


@dataclass(frozen=True, slots=True)
class EyeStyle:
    """Factors of the own hand's sizes and opacities; `gap`, `level` and `tilt` are pixels.

    white: colour of the white, a tint of the skin in some hands. spikes: single lashes.
    """

    width: float = 1.0
    height: float = 1.0
    gap: float = 0.0
    level: float = 0.0
    tilt: float = 0.0
    lash: float = 1.0
    spikes: bool = True
    lash_paleness: float = 0.0
    lower_lash: float = 1.0
    crease: float = 1.0
    white: Colour = (0.99, 0.985, 0.995)
    shadow: float = 1.0
    iris_width: float = 1.0
    iris_height: float = 1.0
    iris_depth: float = 1.0
    rim: float = 1.0
    cap: float = 1.0
    pupil: float = 1.0
    gleam: float = 1.0
    highlight: float = 1.0


@dataclass(frozen=True, slots=True)
class MouthStyle:
    """Factors of the own hand's sizes and opacities; `level` is pixels.

    rest: width of the closed mouth. paleness: of its line, 0..1, towards the skin. flatness: of
    the cavity, 0..1, towards one colour, `cavity`.
    """

    width: float = 1.0
    rest: float = 1.0
    height: float = 1.0
    level: float = 0.0
    line: float = 1.0
    paleness: float = 0.0
    outline: float = 1.0
    lip: float = 1.0
    under: float = 1.0
    cavity: Colour = (0.56, 0.15, 0.20)
    flatness: float = 0.0
    teeth: float = 1.0
    tongue: float = 1.0


@dataclass(frozen=True, slots=True)
class BrowStyle:
    """Factors of the own hand's width; paleness 0..1; pixels up; opacity over the hair, 0..1."""

    width: float = 1.0
    paleness: float = 0.0
    rise: float = 0.0
    through_hair: float = 0.85


@dataclass(frozen=True, slots=True)
class GlassesStyle:
    """Frames in place of the own hand's: kind, colour, sizes as factors, level in pixels."""

    kind: int
    colour: Colour
    line: float
    width: float
    height: float
    level: float
    glass: float


@dataclass(frozen=True, slots=True)
class Style:
    """One artist's hand.

    line: width of outlines, a factor; ink: their opacity, 0..1. nose, bridge, blush: factors of
    opacities. jaw: width, a share; chin: pixels down. skin: a colour that the skin is mixed with,
    half and half. glasses: worn, whatever the character's accessories are.
    """

    line: float = 1.0
    ink: float = 1.0
    nose: float = 1.0
    bridge: float = 1.0
    blush: float = 1.0
    jaw: float = 0.0
    chin: float = 0.0
    skin: Colour | None = None
    eyes: EyeStyle = EyeStyle()
    mouth: MouthStyle = MouthStyle()
    brows: BrowStyle = BrowStyle()
    glasses: GlassesStyle | None = None


OWN_HAND = Style()

_SKINS: tuple[Colour, ...] = (
    (1.0, 0.965, 0.945),
    (1.0, 0.93, 0.88),
    (0.99, 0.88, 0.80),
    (0.97, 0.92, 0.93),
    (0.93, 0.80, 0.68),
)
_CAVITIES: tuple[Colour, ...] = (
    (0.80, 0.38, 0.36),
    (0.90, 0.52, 0.50),
    (0.62, 0.24, 0.26),
    (0.45, 0.16, 0.20),
    (0.72, 0.30, 0.38),
)
_FRAMES: tuple[Colour, ...] = (
    (0.78, 0.18, 0.24),
    (0.12, 0.12, 0.16),
    (0.42, 0.28, 0.20),
    (0.25, 0.32, 0.62),
    (0.72, 0.72, 0.78),
    (0.80, 0.62, 0.25),
)


def random_style(seed: int) -> Style:
    """Draw a hand; the same seed (any integer) gives the same one."""
    rng = random.Random(f"style-{seed}")  # noqa: S311 - reproducible, not secret
    # Drawings of small, quiet features are as common as large ones, and harder to find.
    small = rng.random() < 0.5
    return Style(
        line=rng.choice((rng.uniform(0.35, 1.0), rng.uniform(1.0, 1.7))),
        ink=rng.choice((1.0, rng.uniform(0.35, 1.0))),
        nose=rng.choice((0.0, 1.0, rng.uniform(0.2, 1.4))),
        bridge=rng.uniform(0.0, 1.6),
        blush=rng.choice((0.0, rng.uniform(0.2, 1.5))),
        jaw=rng.uniform(-0.09, 0.07),
        chin=rng.uniform(-4.0, 6.5),
        skin=rng.choice((None, *_SKINS)),
        eyes=_random_eyes(rng, small),
        mouth=_random_mouth(rng, small),
        brows=BrowStyle(
            width=rng.uniform(0.35, 1.35),
            paleness=rng.choice((0.0, rng.uniform(0.0, 0.7))),
            rise=rng.uniform(-2.0, 5.0),
            through_hair=rng.choice((0.0, 0.4, 0.85)),
        ),
        glasses=_random_glasses(rng) if rng.random() < 0.3 else None,
    )


def _random_eyes(rng: random.Random, small: bool) -> EyeStyle:
    height = rng.uniform(0.42, 0.85) if small else rng.uniform(0.8, 1.12)
    width = rng.uniform(0.78, 1.0) if small else rng.uniform(0.9, 1.08)
    white = mix((0.99, 0.985, 0.995), rng.choice(_SKINS), rng.choice((0.0, 0.3, 0.8)))
    return EyeStyle(
        width=width,
        height=height,
        gap=rng.uniform(-2.0, 3.5) - 3.0 * (width - 1),
        level=rng.uniform(-7.0, 4.0),
        tilt=rng.uniform(-2.5, 2.5),
        lash=rng.uniform(0.35, 1.25),
        spikes=rng.random() < 0.4,
        lash_paleness=rng.choice((0.0, rng.uniform(0.0, 0.45))),
        lower_lash=rng.choice((0.0, rng.uniform(0.4, 1.3))),
        crease=rng.choice((0.0, 1.0, rng.uniform(0.3, 1.5))),
        white=white,
        shadow=rng.uniform(0.0, 1.4),
        iris_width=width * rng.uniform(0.78, 1.1),
        iris_height=(0.35 + 0.65 * height) * rng.uniform(0.85, 1.1),
        iris_depth=rng.uniform(0.2, 1.15),
        rim=rng.choice((0.0, 1.0, rng.uniform(0.2, 1.0))),
        cap=rng.choice((0.0, 1.0, rng.uniform(0.2, 1.0))),
        pupil=rng.choice((0.0, 1.0, rng.uniform(0.4, 1.2))),
        gleam=rng.choice((0.0, 1.0, rng.uniform(0.2, 1.0))),
        highlight=rng.choice((0.0, 1.0, rng.uniform(0.4, 1.1))),
    )


def _random_mouth(rng: random.Random, small: bool) -> MouthStyle:
    size = rng.uniform(0.62, 0.95) if small else rng.uniform(0.85, 1.15)
    return MouthStyle(
        width=size,
        rest=rng.choice((1.0, rng.uniform(0.4, 1.0))),
        height=size * rng.uniform(0.8, 1.15),
        level=rng.uniform(-4.0, 4.0),
        line=rng.uniform(0.3, 1.1),
        paleness=rng.choice((0.0, rng.uniform(0.0, 0.75))),
        outline=rng.choice((0.0, 1.0, rng.uniform(0.2, 1.0))),
        lip=rng.choice((0.0, 0.0, rng.uniform(0.3, 1.4))),
        under=rng.choice((0.0, 1.0, rng.uniform(0.3, 1.4))),
        cavity=rng.choice(_CAVITIES),
        flatness=rng.choice((0.0, 1.0, rng.uniform(0.0, 1.0))),
        teeth=rng.choice((0.0, 1.0, rng.uniform(0.0, 1.2))),
        tongue=rng.choice((0.0, 1.0)),
    )


def _random_glasses(rng: random.Random) -> GlassesStyle:
    return GlassesStyle(
        kind=rng.randrange(4),
        colour=mix(rng.choice(_FRAMES), rng.choice(_FRAMES), rng.choice((0.0, 0.3))),
        line=rng.uniform(0.5, 1.5),
        width=rng.uniform(0.85, 1.2),
        height=rng.uniform(0.65, 1.15),
        level=rng.uniform(-3.0, 5.0),
        glass=rng.choice((0.0, rng.uniform(0.0, 1.2))),
    )
