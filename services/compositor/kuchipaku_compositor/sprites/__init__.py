"""Sprite sheets: pictures packed into few larger ones, with a description of what lies where."""

from __future__ import annotations

from kuchipaku_compositor.sprites.packing import Page, Place, pack
from kuchipaku_compositor.sprites.sheets import (
    SheetFile,
    SheetOptions,
    SpritePacker,
    sprite_too_large,
)

__all__ = [
    "Page",
    "Place",
    "SheetFile",
    "SheetOptions",
    "SpritePacker",
    "pack",
    "sprite_too_large",
]
