"""The tokenizer's tables: byte-pair merges that make every known word one token.

Byte-pair encoding as in CLIP (https://github.com/openai/CLIP): words end in `</w>`, pairs are
merged in the order of the list. Unknown words fall apart into pieces.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Final

END_OF_WORD: Final = "</w>"
START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
MAX_TOKENS: Final = 77


def byte_letters() -> list[str]:
    """The 256 letters that stand for bytes: printable ones for themselves, others shifted."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + index) for index in range(len(hidden))]


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Learn merges, the most frequent pair first, until each of `words` is one token."""
    spelled = [(*word[:-1], word[-1] + END_OF_WORD) for word in sorted(set(words))]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for word in spelled for pair in pairwise(word))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelled = [_merged(word, best) for word in spelled]


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    parts: list[str] = []
    at = 0
    while at < len(word):
        if word[at : at + 2] == pair:
            parts.append(word[at] + word[at + 1])
            at += 2
        else:
            parts.append(word[at])
            at += 1
    return tuple(parts)


def vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Token -> number: bytes, bytes that end a word, merges, start and end."""
    letters = byte_letters()
    tokens = [*letters, *(letter + END_OF_WORD for letter in letters)]
    tokens += [one + other for one, other in merges]
    tokens += [START, END]
    return {token: number for number, token in enumerate(tokens)}
