"""Finding heads and framing canvases by them."""

from __future__ import annotations

from .geometry import HeadBox, Similarity
from .heads import CascadeFinder, Face, HeadFinder, Heads, StarterHeads, open_heads

__all__ = [
    "CascadeFinder",
    "Face",
    "HeadBox",
    "HeadFinder",
    "Heads",
    "Similarity",
    "StarterHeads",
    "open_heads",
]
