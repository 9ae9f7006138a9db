"""How English words sound: by the dictionary, as two known words, or by rule."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from kuchipaku_lipsync.recognizers.decoder import aligning_decoder
from kuchipaku_lipsync.recognizers.g2p import pronunciation

# An unknown word is tried as a compound of known words of at least this many letters.
_MIN_COMPOUND_PART: Final = 4


class Lexicon:
    """Looks words up in a decoder's dictionary."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def is_known(self, word: str) -> bool:
        """Whether the dictionary has the word."""
        return self._decoder.lookup_word(word) is not None

    def sounds(self, word: str) -> str:
        """The phones of a word, at least one, with spaces between them."""
        return self._decoder.lookup_word(word) or self._guessed(word)

    def _guessed(self, word: str) -> str:
        """Phones of an unknown word: those of a possessive, of two known words, or by rule."""
        if word.endswith("'s"):
            return f"{self.sounds(word[:-2])} Z"
        for split in range(len(word) - _MIN_COMPOUND_PART, _MIN_COMPOUND_PART - 1, -1):
            first = self._decoder.lookup_word(word[:split])
            second = self._decoder.lookup_word(word[split:])
            if first and second:
                return f"{first} {second}"
        # Some rules find a few letters silent; a word has to sound at least.
        return " ".join(pronunciation(word)) or "AH"


@cache
def english_lexicon() -> Lexicon:
    """The dictionary of the acoustic model, read once in a process."""
    return Lexicon(aligning_decoder())
