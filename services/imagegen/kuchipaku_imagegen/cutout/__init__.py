"""Cutting characters out of their backgrounds."""

from __future__ import annotations

from .islands import Region
from .models import MattingModel, MattingModels, open_matting_models
from .removal import CutOut, remove_background

__all__ = [
    "CutOut",
    "MattingModel",
    "MattingModels",
    "Region",
    "open_matting_models",
    "remove_background",
]
