"""Draws anime characters from attributes, posed by the 45 parameters of THA3."""

from __future__ import annotations

from .attributes import Attributes, random_attributes
from .character import Character, render, render_svg
from .pose import POSE_INDEX, POSE_PARAMETERS, pose_from
from .prompt import PromptResult, caption, parse_prompt

__all__ = [
    "POSE_INDEX",
    "POSE_PARAMETERS",
    "Attributes",
    "Character",
    "PromptResult",
    "caption",
    "parse_prompt",
    "pose_from",
    "random_attributes",
    "render",
    "render_svg",
]
