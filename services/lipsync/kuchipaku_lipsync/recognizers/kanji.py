"""How kanji are read, by SudachiPy and its dictionary: the optional extra ``japanese``.

SudachiPy (github.com/WorksApplications/sudachi.rs) and SudachiDict are Apache-2.0; both work
without a network. What a kanji sounds like depends on the words around it, so whole texts are
looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from kuchipaku_lipsync.recognizers.japanese import needs_reading

_DICTIONARY: Final = "core"
# SudachiPy takes 49 149 bytes at once; a character of Japanese has three or four.
_MAX_CHARS: Final = 10_000
_SENTENCE_ENDS: Final = "。．！？!?\n"
# The dictionary gives these the reading of formal speech, or a rarer one.
_EVERYDAY: Final = {
    "私": "ワタシ",
    "私達": "ワタシタチ",
    "私たち": "ワタシタチ",
    "明日": "アシタ",
    "下": "シタ",
}
# 何 is ナニ before these, and ナン elsewhere.
_AFTER_NANI: Final = ("ヲ", "ガ", "モ", "カラ")


class ReadingsMissingError(Exception):
    """SudachiPy or its dictionary is not installed."""


def kanji_read(text: str) -> str:
    """The text with its kanji in katakana; those that the dictionary lacks stay as they are.

    Raises ReadingsMissingError.
    """
    tokenize = _tokenizer()
    return "".join(_read(tokenize, part) for part in _parts(text))


def _read(tokenize: Callable[[str], Any], text: str) -> str:
    tokens = list(tokenize(text))
    following = [*(token.reading_form() for token in tokens[1:]), ""]
    return "".join(
        _reading_of(token, behind) if needs_reading(token.surface()) else token.surface()
        for token, behind in zip(tokens, following, strict=True)
    )


def _reading_of(token: Any, behind: str) -> str:
    written = token.surface()
    if written == "何":
        return "ナニ" if behind.startswith(_AFTER_NANI) else "ナン"
    return _EVERYDAY.get(written) or str(token.reading_form())


def _parts(text: str) -> list[str]:
    """The text in pieces that can be looked up at once, cut between sentences where possible."""
    parts = []
    while len(text) > _MAX_CHARS:
        ends = max(text.rfind(mark, 0, _MAX_CHARS) for mark in _SENTENCE_ENDS)
        cut = ends + 1 if ends > 0 else _MAX_CHARS
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


@lru_cache(maxsize=1)
def _tokenizer() -> Callable[[str], Any]:
    try:
        # Not in every installation: the dictionary takes 200 MB.
        from sudachipy import Dictionary, SplitMode  # noqa: PLC0415

        # The longest words: their readings are the surest.
        tokenizer = Dictionary(dict=_DICTIONARY).tokenizer(mode=SplitMode.C)
    except ModuleNotFoundError as error:
        raise ReadingsMissingError from error
    tokenize: Callable[[str], Any] = tokenizer.tokenize
    return tokenize
