"""Written English as the words that are spoken: numbers, signs and abbreviations read out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = [
    "zero",
    "ten",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miz",
    "dr": "doctor",
    "prof": "professor",
    "vs": "versus",
    "etc": "et cetera",
    "jr": "junior",
    "sr": "senior",
}
_SIGNS = {"&": "and", "%": "percent", "@": "at", "+": "plus", "=": "equals", "#": "number"}
_CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros", "¥": "yen"}
_MAX_ACRONYM = 5
# A longer run of letters is no word; it is read in parts, which bounds the work on each.
_MAX_WORD = 40

# The longest number that is read as one; longer ones are read digit by digit.
_MAX_DIGITS = 12

_ITEM = re.compile(
    r"(?P<currency>[$£€¥])?(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?P<suffix>st|nd|rd|th)?(?![^\W_])"
    r"|(?P<digits>\d+)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*'?)"
    r"|(?P<sign>[&%@+=#])"
)


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """One written token and the lower-case words that it is spoken as."""

    text: str
    words: tuple[str, ...]


def spoken_tokens(text: str, is_known: Callable[[str], bool]) -> list[SpokenToken]:
    """The tokens of a text, in order; what is no Latin letter, number or sign is left out.

    `is_known` tells whether a lower-case word is in the dictionary.
    """
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    tokens = []
    for match in _ITEM.finditer(plain):
        words = tuple(_words_of(match, is_known))
        if words:
            tokens.append(SpokenToken(match.group(), words))
    return tokens


def _words_of(match: re.Match[str], is_known: Callable[[str], bool]) -> Iterator[str]:
    if match["word"]:
        yield from _spoken_word(match["word"], is_known)
    elif match["sign"]:
        yield _SIGNS[match["sign"]]
    elif match["digits"]:
        yield from _number(match["digits"])
    else:
        words = list(_number(match["number"]))
        if match["suffix"]:
            words[-1] = _ordinal(words[-1])
        yield from words
        if match["currency"]:
            yield _CURRENCIES[match["currency"]]


def _latin(word: str) -> str:
    """The word in plain a to z, accents taken off; empty when it is of another script."""
    decomposed = unicodedata.normalize("NFKD", word).replace("ß", "ss").replace("æ", "ae")
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return plain if re.fullmatch(r"[A-Za-z']+", plain) else ""


def _spoken_word(written: str, is_known: Callable[[str], bool]) -> Iterator[str]:
    plain = _latin(written)
    word = plain.lower()
    if word in _ABBREVIATIONS:
        yield from _ABBREVIATIONS[word].split()
    elif is_known(word):
        yield word
    elif word.endswith("'") and is_known(word[:-1]):
        yield word[:-1]
    elif plain.isupper() and 2 <= len(plain) <= _MAX_ACRONYM:
        yield from word.replace("'", "")
    else:
        letters = word.strip("'")
        for start in range(0, len(letters), _MAX_WORD):
            yield letters[start : start + _MAX_WORD]


def _number(written: str) -> Iterator[str]:
    whole, _, fraction = written.replace(",", "").partition(".")
    if len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        yield from (_ONES[int(digit)] for digit in whole)
    elif len(whole) == 4 and "," not in written and not fraction and _is_year(int(whole)):
        yield from _year(int(whole))
    else:
        yield from _cardinal(int(whole))
    if fraction:
        yield "point"
        yield from (_ONES[int(digit)] for digit in fraction)


def _is_year(value: int) -> bool:
    return 1100 <= value < 2100 and value % 1000 >= 10


def _year(value: int) -> Iterator[str]:
    century, rest = divmod(value, 100)
    yield from _cardinal(century)
    if rest == 0:
        yield "hundred"
    elif rest < 10:
        yield from ("oh", _ONES[rest])
    else:
        yield from _cardinal(rest)


def _cardinal(value: int) -> Iterator[str]:
    for scale, name in _SCALES:
        if value >= scale:
            yield from _cardinal(value // scale)
            yield name
            value %= scale
            if value == 0:
                return
    if value < len(_ONES):
        yield _ONES[value]
        return
    yield _TENS[value // 10]
    if value % 10:
        yield _ONES[value % 10]


def _ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return word[:-1] + "ieth" if word.endswith("y") else word + "th"
