"""A written text as words that the aligner can look for, whatever its language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.recognizers.german import german_number, german_phones, looks_german
from kuchipaku_lipsync.recognizers.japanese import (
    KANA,
    Pronunciation,
    has_kana,
    hepburn_morae,
    kana_morae,
    mora_pronunciations,
    needs_reading,
    with_readings,
)
from kuchipaku_lipsync.recognizers.kanji import ReadingsMissingError, kanji_read
from kuchipaku_lipsync.recognizers.numerals import japanese_number
from kuchipaku_lipsync.recognizers.text import SpokenToken, spoken_tokens

READINGS_MISSING: Final = "JAPANESE_NOT_INSTALLED"

# Stands in words that are not looked up in the English dictionary: their language and phones.
FOREIGN_MARK: Final = "_"

_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_MAX_DIGITS: Final = 12
_GERMAN_TOKEN: Final = re.compile(r"(?P<number>\d+)|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)")
_JAPANESE_TOKEN: Final = re.compile(rf"(?P<kana>[{KANA}]+)|(?P<number>\d+)|(?P<latin>[A-Za-z']+)")


class Language(StrEnum):
    """Languages whose texts can be aligned."""

    ENGLISH = "en"
    JAPANESE = "ja"
    GERMAN = "de"


class UnreadableTextError(Exception):
    """A text whose sounds are not known. `reason` is UPPER_SNAKE_CASE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of a text and how those are spoken that are in no dictionary."""

    language: Language
    tokens: list[SpokenToken]
    pronunciations: dict[str, tuple[Pronunciation, ...]] = field(default_factory=dict)


def check_language(tag: str, field_name: str) -> None:
    """Refuses what is no language tag; reason LANGUAGE_INVALID. Empty means unknown."""
    if tag and not _TAG.fullmatch(tag):
        raise InvalidArgumentError(
            "The language is not a tag such as 'en', 'ja' or 'de-AT'.",
            reason="LANGUAGE_INVALID",
            field=field_name,
        )


def text_language(text: str, tag: str) -> Language | None:
    """The language to read a text in: as told, else guessed; None where it cannot be aligned."""
    if tag:
        primary = tag.split("-", maxsplit=1)[0].lower()
        return Language(primary) if primary in list(Language) else None
    if has_kana(text) or needs_reading(text):
        return Language.JAPANESE
    return Language.GERMAN if looks_german(text) else Language.ENGLISH


def read_text(text: str, tag: str, is_known: Callable[[str], bool]) -> Reading:
    """The words of `text`. `is_known` tells whether the English dictionary has a word.

    Raises UnreadableTextError: LANGUAGE_NOT_ALIGNED (no rules for the language),
    TEXT_NEEDS_READING (kanji that the dictionary lacks, without kana behind them),
    JAPANESE_NOT_INSTALLED (there is no dictionary), TEXT_NOT_UNDERSTOOD (no word at all).
    """
    plain = unicodedata.normalize("NFKC", text)
    language = text_language(plain, tag)
    if language is None:
        raise UnreadableTextError(
            "LANGUAGE_NOT_ALIGNED", f"Texts in the language {tag!r} cannot be aligned."
        )
    if language is Language.JAPANESE:
        reading = _japanese(plain, is_known)
    elif language is Language.GERMAN:
        reading = _german(plain)
    else:
        reading = Reading(language, spoken_tokens(plain, is_known))
    if not reading.tokens:
        raise UnreadableTextError(
            "TEXT_NOT_UNDERSTOOD", "The text has no words in a script that can be read."
        )
    return reading


def _german(text: str) -> Reading:
    reading = Reading(Language.GERMAN, [])
    for match in _GERMAN_TOKEN.finditer(text):
        written = match.group()
        if match["number"]:
            parts = [written] if len(written) <= _MAX_DIGITS else list(written)
            spoken = " ".join(german_number(int(part)) for part in parts).split()
        else:
            spoken = [written.lower()]
        sounds = [german_phones(word) for word in spoken]
        names = [_add(reading, (phones,)) for phones in sounds if phones]
        if names:
            reading.tokens.append(SpokenToken(written, tuple(names)))
    return reading


def _add(reading: Reading, ways: tuple[Pronunciation, ...]) -> str:
    # Named by all its sounds: the same name is always the same word, in any text.
    sounds = FOREIGN_MARK.join(".".join(way).lower() for way in ways)
    name = f"{reading.language}{FOREIGN_MARK}{sounds}"
    reading.pronunciations[name] = ways
    return name


def _japanese(text: str, is_known: Callable[[str], bool]) -> Reading:
    kana = _in_kana(with_readings(text))
    reading = Reading(Language.JAPANESE, [])
    for match in _JAPANESE_TOKEN.finditer(kana):
        written = match.group()
        morae = _morae(match)
        if morae:
            names = [_add(reading, ways) for ways in mora_pronunciations(morae)]
            reading.tokens.append(SpokenToken(written, tuple(names)))
        else:
            reading.tokens.extend(spoken_tokens(written, is_known))
    return reading


def _in_kana(text: str) -> str:
    """The text with its kanji as the dictionary reads them."""
    if not needs_reading(text):
        return text
    advice = "write it in kana, or the reading in brackets behind them."
    try:
        kana = kanji_read(text)
    except ReadingsMissingError:
        raise UnreadableTextError(
            READINGS_MISSING,
            "The text has kanji, and this server has no dictionary of their readings: install "
            f"kuchipaku-lipsync[japanese], or {advice}",
        ) from None
    if needs_reading(kana):
        raise UnreadableTextError(
            "TEXT_NEEDS_READING", f"The text has kanji that are in no dictionary; {advice}"
        )
    return kana


def _morae(match: re.Match[str]) -> list[tuple[str, str]]:
    """The morae of a token; none for a word in Latin letters that is not Japanese."""
    written = match.group()
    if match["latin"]:
        return hepburn_morae(written.lower())
    if match["number"]:
        parts = [written] if len(written) <= _MAX_DIGITS else list(written)
        return kana_morae("".join(japanese_number(int(part)) for part in parts))
    return kana_morae(written)
