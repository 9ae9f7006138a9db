"""What the parts of one call share."""

from __future__ import annotations

from dataclasses import dataclass

from .peers import Context, Peers
from .store import CharacterStore


@dataclass(frozen=True, slots=True)
class Scope:
    """The call being served, and what it is served with."""

    context: Context
    peers: Peers
    store: CharacterStore
    patience_s: float
    """How long a full service behind is asked again."""
