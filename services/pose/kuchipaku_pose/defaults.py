"""Sizes of the engine's memory where nobody says otherwise, in MiB."""

from __future__ import annotations

from typing import Final

CHARACTER_MEMORY_MIB: Final = 128
STAGE_MEMORY_MIB: Final = 512
"""One character's head, moving idly, takes some 400 MiB before it repeats itself."""
PICTURE_MEMORY_MIB: Final = 32
"""One picture for each position of a head: a few for each stream that is being rendered."""
FRAME_MEMORY_MIB: Final = 256
"""Some 100 s of a drawn character in full motion."""
