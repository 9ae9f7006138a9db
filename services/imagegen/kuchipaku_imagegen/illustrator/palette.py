"""Colours: arithmetic on sRGB triples and the named colours of the characters."""

from __future__ import annotations

import colorsys

#: sRGB components in 0..1.
Colour = tuple[float, float, float]

#: Tint that a cel shadow multiplies with.
_SHADOW_TINT: Colour = (0.60, 0.50, 0.74)
_INK: Colour = (0.20, 0.10, 0.16)

WHITE: Colour = (0.97, 0.96, 0.98)


def colour(code: str) -> Colour:
    """Colour from `#rrggbb`."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def mix(one: Colour, other: Colour, amount: float) -> Colour:
    """`one` at amount 0, `other` at 1."""
    r, g, b = (x * (1 - amount) + y * amount for x, y in zip(one, other, strict=True))
    return r, g, b


def shade(base: Colour, strength: float = 0.16) -> Colour:
    """Cel shadow: multiply with lavender, which keeps warm colours from turning to mud."""
    amount = min(1.0, strength * 1.75)
    r, g, b = (x * (1 - amount * (1 - t)) for x, t in zip(base, _SHADOW_TINT, strict=True))
    return r, g, b


def light(base: Colour, strength: float = 0.3) -> Colour:
    return mix(base, (1.0, 1.0, 1.0), strength)


def warmed(base: Colour, hue: float, amount: float) -> Colour:
    """Turn the hue (0..1) of a colour towards another by `amount`."""
    h, lightness, saturation = colorsys.rgb_to_hls(*base)
    step = (hue - h + 0.5) % 1 - 0.5
    return colorsys.hls_to_rgb((h + step * amount) % 1, lightness, saturation)


def outline(base: Colour, strength: float = 0.55) -> Colour:
    """Line colour that belongs to a fill: its dark tint, never black."""
    h, lightness, saturation = colorsys.rgb_to_hls(*base)
    dark = colorsys.hls_to_rgb(h, lightness * (1 - strength), min(1, saturation * 0.9))
    return mix(dark, _INK, 0.35)


def css(value: Colour) -> str:
    r, g, b = (round(255 * min(1.0, max(0.0, x))) for x in value)
    return f"#{r:02x}{g:02x}{b:02x}"


HAIR_COLOURS: dict[str, Colour] = {
    name: colour(code)
    for name, code in {
        "black": "#3b3a4c",
        "brown": "#7f5340",
        "blonde": "#f4d283",
        "blue": "#5f8bdc",
        "pink": "#f4a3bf",
        "red": "#cc4d45",
        "green": "#63b592",
        "purple": "#9172cb",
        "silver": "#c9cfe0",
        "white": "#f1eef2",
        "orange": "#ef9a5c",
        "aqua": "#74cfd6",
    }.items()
}

EYE_COLOURS: dict[str, Colour] = {
    name: colour(code)
    for name, code in {
        "blue": "#3f7fe0",
        "green": "#3da66a",
        "brown": "#8a5632",
        "red": "#d23c4c",
        "purple": "#8750c9",
        "amber": "#e0982c",
        "aqua": "#25b3c2",
        "pink": "#e4619c",
        "grey": "#7b8aa3",
    }.items()
}

SKIN_COLOURS: dict[str, Colour] = {
    name: colour(code)
    for name, code in {
        "fair": "#feece3",
        "light": "#fde2d2",
        "peach": "#f8d5bd",
        "tan": "#dfab86",
        "dark": "#a9745a",
    }.items()
}

CLOTH_COLOURS: dict[str, Colour] = {
    name: colour(code)
    for name, code in {
        "navy": "#3d4a78",
        "red": "#c5474f",
        "black": "#3a3945",
        "white": "#f4f3f6",
        "pink": "#f0a9bd",
        "teal": "#3f918e",
        "lavender": "#b3a2dd",
        "cream": "#f3e4c8",
        "sky blue": "#93c0ea",
        "green": "#6a9f6b",
        "yellow": "#f2cf6d",
        "grey": "#9a9fae",
        "brown": "#936a52",
    }.items()
}
