"""The held-out characters. They are frozen: figures of trainings compare while these drawings stay.

A change of the illustrator that alters them asks for a new training and new figures; then the
digest below is renewed.
"""

from __future__ import annotations

import hashlib
from typing import Final

from kuchipaku_imagegen.illustrator import Character, random_attributes

FIRST_SEED: Final = 300_000
CHARACTERS: Final = 32
#: Others, each drawn by a hand of its own.
STYLES_SEED: Final = 350_000
STYLED_CHARACTERS: Final = 24
#: Of the neutral drawings, one after the other, as the service draws them.
DRAWINGS_SHA256: Final = "d85c020adb826bf7998a514b1d2452eb0993e0892b2bcd0354cfc01b5ebf01d8"


def drawings_sha256() -> str:
    """Draw the characters and return the digest of their pixels (512, 512, 4), uint8."""
    digest = hashlib.sha256()
    for seed in range(FIRST_SEED, FIRST_SEED + CHARACTERS):
        digest.update(Character(random_attributes(seed)).render().tobytes())
    return digest.hexdigest()
