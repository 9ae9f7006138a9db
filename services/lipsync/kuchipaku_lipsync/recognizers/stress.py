"""Stressed and unstressed AH: "mother" has one of each kind of syllable, the dictionary one letter.

pocketsphinx's dictionary writes the vowels of "cup" and of "about" alike and tells no stress.
Rhubarb takes a short AH for a schwa, since it knows the phones only. Where the word is known, its
spelling tells more: a full "u" or "o" against a mumbled "a", "e" or "i".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kuchipaku_lipsync.phones import VOWELS, Phone, PhoneSegment

_AH: Final = frozenset({Phone.AH, Phone.SCHWA})
# Vowels that take the stress of a word from an AH beside them.
_FULL: Final = VOWELS - _AH - {Phone.IH, Phone.IY, Phone.ER}
# One-syllable words that are never stressed.
_REDUCED: Final = frozenset({"a", "an", "the", "to"})
_VOWEL_LETTERS: Final = re.compile(r"[aeiouy]+")
_SILENT_END: Final = re.compile(r"(?<=[^aeiouy])e[sd]?$")


def with_stress(word: str, phones: Sequence[PhoneSegment]) -> list[PhoneSegment]:
    """The phones of a spoken English word (lower-case letters) with AH and schwa told apart.

    Where the spelling does not tell, the phone stays what its length made it.
    """
    vowels = [index for index, segment in enumerate(phones) if segment.phone in VOWELS]
    result = list(phones)
    if not any(segment.phone in _AH for segment in phones):
        return result
    full = any(segment.phone in _FULL for segment in phones)
    letters = _letters(word, len(vowels))
    stressed = False
    for position, index in enumerate(vowels):
        if phones[index].phone not in _AH:
            continue
        if len(vowels) == 1:
            kind: Phone | None = Phone.SCHWA if word in _REDUCED else Phone.AH
        elif stressed:
            kind = Phone.SCHWA
        else:
            kind = _by_spelling(position, letters, full=full)
        stressed = stressed or kind is Phone.AH
        if kind is not None:
            result[index] = replace(phones[index], phone=kind)
    return result


def _letters(word: str, vowels: int) -> list[str] | None:
    """The vowel letters of each syllable, where they can be counted off against the phones."""
    for spelling in (word, _SILENT_END.sub("", word)):
        groups = _VOWEL_LETTERS.findall(spelling)
        if len(groups) == vowels:
            return groups
    return None


def _by_spelling(position: int, letters: list[str] | None, *, full: bool) -> Phone | None:
    """AH or schwa for the AH in the syllable at `position`; None where it is not clear."""
    if letters is None:
        return None
    dark = letters[position][0] in "ou"
    if not dark or (full and position > 0):
        return Phone.SCHWA
    # "sunlight" and "suppose" look alike: with another full vowel the length decides.
    return None if full else Phone.AH
