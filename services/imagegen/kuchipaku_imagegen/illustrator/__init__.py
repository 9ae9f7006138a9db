"""Draws anime characters from attributes, posed by the 45 parameters of THA3."""

from __future__ import annotations

from .attributes import Attributes, random_attributes
from .character import Character, render, render_svg
from .prompt import PromptResult, caption, parse_prompt
from .style import Style, random_style

__all__ = [
    "Attributes",
    "Character",
    "PromptResult",
    "Style",
    "caption",
    "parse_prompt",
    "random_attributes",
    "random_style",
    "render",
    "render_svg",
]
