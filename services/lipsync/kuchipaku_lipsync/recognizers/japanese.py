"""Japanese in kana, or in Latin letters after Hepburn, as phones of the English acoustic model.

Kana say how they are spoken, but for a few things: は and へ as particles, vowels that lose their
voice, an "r" between the English "d", "l" and "r". For those a mora has several pronunciations, and
the audio decides. Kanji have no reading of their own: `needs_reading` finds them, and
`kuchipaku_lipsync.recognizers.kanji` looks them up.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

Pronunciation = tuple[str, ...]

_CONSONANTS: Final[dict[str, Pronunciation]] = {
    "": (),
    "k": ("K",),
    "g": ("G",),
    "s": ("S",),
    "z": ("Z",),
    "t": ("T",),
    "d": ("D",),
    "n": ("N",),
    "h": ("HH",),
    "b": ("B",),
    "p": ("P",),
    "m": ("M",),
    "y": ("Y",),
    "r": ("R",),
    "w": ("W",),
    "f": ("F",),
    "v": ("V",),
    "j": ("JH",),
    "sh": ("SH",),
    "ch": ("CH",),
    "ts": ("T", "S"),
    **{f"{one}y": (phone, "Y") for one, phone in zip("kgnbpmr", "KGNBPMR", strict=True)},
    "hy": ("HH", "Y"),
    "ty": ("T", "Y"),
    "dy": ("D", "Y"),
}
_VOWELS: Final = {"a": "AA", "i": "IY", "u": "UW", "e": "EH", "o": "AO"}
_VOICELESS: Final = frozenset({"k", "s", "t", "h", "p", "f", "sh", "ch", "ts", "ky", "hy", "py"})

# Each row: an onset and its kana for a, i, u, e, o ("-": none).
_ROWS: Final = """
- あいうえお
k かきくけこ
g がぎぐげご
s さ-すせそ
z ざ-ずぜぞ
t た--てと
d だ--でど
n なにぬねの
h はひ-へほ
b ばびぶべぼ
p ぱぴぷぺぽ
m まみむめも
y や-ゆ-よ
r らりるれろ
w わゐ-ゑ-
sh -し---
ch -ち---
j -じ---
j -ぢ---
ts --つ--
z --づ--
f --ふ--
v --ゔ--
- ----を
"""
_SMALL: Final = dict(zip("ぁぃぅぇぉゃゅょゎ", "aiueoauoa", strict=True))
_HEPBURN: Final = re.compile(
    r"(?P<double>([kstpgdbz])(?=\2)|t(?=ch))?"
    r"(?:(?P<onset>[knhbpmrg]y|sh|ch|ts|[kgsztdnhbpmyrwfvj]|)(?P<vowel>[aiueo])|(?P<nasal>n))"
)
_LONG: Final = {"o": "ou", "e": "ei"}
_NASAL, _STOP, _LENGTH = "ん", "っ", "ー"

KANA: Final = r"ぁ-ゖァ-ヺーｦ-ﾟ"
_KANA: Final = re.compile(f"[{KANA}]")
_KANJI: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿々〆ヶ\U00020000-\U0003ffff]")
# Kanji with their reading behind them in brackets: 漢字（かんじ）, 漢字《かんじ》.
_RUBY: Final = re.compile(rf"[一-鿿々]+[(（《]([{KANA}]+)[)）》]")


@lru_cache(maxsize=1)
def _kana() -> dict[str, tuple[str, str]]:
    table = {}
    for line in _ROWS.strip().splitlines():
        onset, kana = line.split()
        for vowel, char in zip("aiueo", kana, strict=True):
            if char != "-":
                table[char] = (onset.strip("-"), vowel)
    return table


def has_kana(text: str) -> bool:
    """Whether the text has any kana."""
    return _KANA.search(text) is not None


def with_readings(text: str) -> str:
    """The text with kanji replaced by the readings that stand behind them in brackets."""
    return _RUBY.sub(r"\1", text)


def needs_reading(text: str) -> bool:
    """Whether the text has characters that tell no sound."""
    return _KANJI.search(text) is not None


def kana_morae(word: str) -> list[tuple[str, str]]:
    """Onset and vowel of each mora of a word in kana; a nasal, stop or long one has no vowel.

    Characters that are no kana are passed over.
    """
    morae: list[tuple[str, str]] = []
    for char in _hiragana(word):
        if char in _SMALL:
            _contract(morae, char)
        elif char in (_NASAL, _STOP):
            morae.append((char, ""))
        elif char == _LENGTH:
            morae.append((_LENGTH, ""))
        elif char in _kana():
            morae.append(_kana()[char])
    return _with_long_vowels(morae)


def hepburn_morae(word: str) -> list[tuple[str, str]]:
    """The morae of a word in lower-case Latin letters; none when it is not Japanese."""
    morae: list[tuple[str, str]] = []
    position = 0
    while position < len(word):
        match = _HEPBURN.match(word, position)
        if match is None:
            return []
        if match["double"]:
            morae.append((_STOP, ""))
        morae.append((_NASAL, "") if match["nasal"] else (match["onset"], match["vowel"]))
        position = match.end()
    return _with_long_vowels(morae)


def mora_pronunciations(morae: list[tuple[str, str]]) -> list[tuple[Pronunciation, ...]]:
    """For each mora the ways to speak it, the most usual first; long vowels join the one before."""
    result: list[tuple[Pronunciation, ...]] = []
    stop = False
    for index, (onset, vowel) in enumerate(morae):
        following = morae[index + 1][0] if index + 1 < len(morae) else None
        if onset == _STOP:
            stop = True
        elif onset == _NASAL:
            result.append(_nasal(following))
        elif vowel:
            ways = _ways(onset, vowel, following)
            result.append(tuple(map(_stopped, ways)) if stop and onset else ways)
            stop = False
    return result


def _hiragana(word: str) -> str:
    plain = unicodedata.normalize("NFKC", word)
    return "".join(chr(ord(char) - 0x60) if "ァ" <= char <= "ヶ" else char for char in plain)


def _contract(morae: list[tuple[str, str]], small: str) -> None:
    """A small kana takes the vowel's place: き + ゃ is "kya", ふ + ぁ is "fa", て + ぃ is "ti"."""
    vowel = _SMALL[small]
    if not morae or not morae[-1][1]:
        morae.append(("", vowel))
        return
    onset, before = morae.pop()
    if small in "ゃゅょ" and before in "ieu" and f"{onset}y" in _CONSONANTS:
        onset = f"{onset}y"
    elif not onset and before == "u":
        onset = "w"
    elif not onset and before == "i":
        onset = "y"
    morae.append((onset, vowel))


def _with_long_vowels(morae: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The morae without those that only make the vowel before longer: おう, えい, ああ, ー."""
    result: list[tuple[str, str]] = []
    for onset, vowel in morae:
        before = result[-1][1] if result else ""
        lengthens = onset == "" and vowel and vowel in _LONG.get(before, before)
        if onset == _LENGTH or (lengthens and before):
            continue
        result.append((onset, vowel))
    return result


def _stopped(way: Pronunciation) -> Pronunciation:
    """A way to speak a mora with its consonant held before, as っ asks for."""
    return ({"CH": "T", "JH": "D"}.get(way[0], way[0]), *way)


def _nasal(following: str | None) -> tuple[Pronunciation, ...]:
    """ん closes the lips before m, b, p; elsewhere it is said at the teeth or in the throat."""
    first = (following or " ")[0]
    if first in "mbp":
        return (("M",),)
    if first in "kg":
        return (("NG",),)
    return (("N",), ("NG",))


def _ways(onset: str, vowel: str, following: str | None) -> tuple[Pronunciation, ...]:
    consonant, sound = _CONSONANTS[onset], _VOWELS[vowel]
    ways: list[Pronunciation] = [(*consonant, sound)]
    if onset == "h" and vowel == "a":
        ways.append(("W", sound))
    elif onset == "h" and vowel == "e":
        ways.append((sound,))
    elif onset in ("r", "ry"):
        ways += [(other, *consonant[1:], sound) for other in ("L", "D")]
    elif vowel == "u":
        # The lips are not pursed as for an English "oo", and it can sound like one in "book".
        ways.append((*consonant, "UH"))
    if vowel in "iu" and onset in _VOICELESS and (following is None or following in _VOICELESS):
        ways.append(consonant)
    return tuple(ways)
