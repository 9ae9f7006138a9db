"""Japanese numbers in kana."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = ("ゼロ", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう")
_UNITS: Final = ("", "じゅう", "ひゃく", "せん")
_GROUPS: Final = ("", "まん", "おく")
_IRREGULAR: Final = {
    (3, 2): "さんびゃく",
    (6, 2): "ろっぴゃく",
    (8, 2): "はっぴゃく",
    (3, 3): "さんぜん",
    (8, 3): "はっせん",
}


def japanese_number(value: int) -> str:
    """A number from 0 to 999 999 999 999 as it is read."""
    if value == 0:
        return _DIGITS[0]
    groups = []
    for name in _GROUPS:
        value, group = divmod(value, 10_000)
        if group:
            groups.append(_group(group) + name)
    return "".join(reversed(groups))


def _group(value: int) -> str:
    spoken = ""
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if digit == 0:
            continue
        one = digit == 1 and place > 0
        regular = ("" if one else _DIGITS[digit]) + _UNITS[place]
        spoken += _IRREGULAR.get((digit, place), regular)
    return spoken
