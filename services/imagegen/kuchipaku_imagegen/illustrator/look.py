"""A character's attributes together with the colours derived from them."""

from __future__ import annotations

from dataclasses import dataclass

from .attributes import Accessory, Age, Attributes
from .palette import (
    CLOTH_COLOURS,
    EYE_COLOURS,
    HAIR_COLOURS,
    SKIN_COLOURS,
    Colour,
    light,
    mix,
    outline,
    shade,
    warmed,
)
from .style import OWN_HAND, Style


@dataclass(frozen=True, slots=True)
class Tones:
    """Fill, shadow, light and line colours."""

    hair: Colour
    hair_shadow: Colour
    hair_light: Colour
    hair_line: Colour
    hair_tip: Colour
    skin: Colour
    skin_shadow: Colour
    skin_line: Colour
    eye: Colour
    lash: Colour
    brow: Colour
    cloth: Colour
    second: Colour
    accent: Colour


def tones_of(attributes: Attributes, style: Style = OWN_HAND) -> Tones:
    hair = HAIR_COLOURS[attributes.hair_colour]
    shadow, edge = shade(hair, 0.40), outline(hair, 0.52)
    brow = mix(edge, (0.10, 0.06, 0.10), 0.30)
    if attributes.hair_colour in ("white", "silver"):
        shadow = mix(shade(hair, 0.16), (0.55, 0.58, 0.80), 0.22)
        edge = mix(outline(hair, 0.45), (0.36, 0.36, 0.50), 0.5)
        brow = mix(edge, (0.30, 0.30, 0.38), 0.5)
    if attributes.hair_colour in ("blonde", "orange"):
        shadow = mix(shade(hair, 0.30), (0.80, 0.47, 0.26), 0.45)
    tip = shadow
    if attributes.tip_colour is not None:
        tip = mix(hair, CLOTH_COLOURS[attributes.tip_colour], 0.75)
    skin = SKIN_COLOURS[attributes.skin]
    if style.skin is not None:
        skin = mix(skin, style.skin, 0.5)
    return Tones(
        hair=hair,
        hair_shadow=shadow,
        hair_light=light(warmed(hair, 0.12, 0.10), 0.42),
        hair_line=edge,
        hair_tip=tip,
        skin=skin,
        skin_shadow=mix(shade(skin, 0.10), (0.93, 0.55, 0.50), 0.36),
        skin_line=mix(outline(skin, 0.42), (0.47, 0.26, 0.25), 0.62),
        eye=EYE_COLOURS[attributes.eye_colour],
        lash=mix(edge, (0.10, 0.07, 0.12), 0.66),
        brow=brow,
        cloth=CLOTH_COLOURS[attributes.outfit_colour],
        second=CLOTH_COLOURS[attributes.second_colour],
        accent=CLOTH_COLOURS[attributes.accent_colour],
    )


class Look:
    """What the drawing functions need to know about a character."""

    def __init__(self, attributes: Attributes, style: Style = OWN_HAND) -> None:
        self.attributes = attributes
        self.style = style
        self.tones = tones_of(attributes, style)
        self.geometry = attributes.geometry
        self.feminine = attributes.figure.feminine
        self.adult = attributes.figure.adult
        self.child = attributes.age is Age.CHILD
        self.elderly = attributes.age is Age.ELDERLY

    def wears(self, accessory: Accessory) -> bool:
        return accessory in self.attributes.accessories
