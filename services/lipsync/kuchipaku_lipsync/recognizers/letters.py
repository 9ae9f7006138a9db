"""Letter-to-sound rules: at each position of a word the first rule that matches says the phones.

A table has one rule a line: letters, phones ("-" for silent), then contexts: `<` what comes before
(a regular expression that must end there), `>` what follows (one that must start there). V stands
for a vowel letter, C for a consonant letter, ^ and $ for the ends of the word.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Rule(NamedTuple):
    letters: str
    before: re.Pattern[str]
    after: re.Pattern[str]
    phones: tuple[str, ...]


class LetterRules:
    """A table of rules for one spelling. Every letter has a rule without context, as its last."""

    def __init__(self, table: str, vowels: str, consonants: str) -> None:
        """Compiles `table`; `vowels` and `consonants` are what V and C stand for."""
        self._classes = {"V": f"[{vowels}]", "C": f"[{consonants}]"}
        self._rules: dict[str, list[_Rule]] = {}
        for line in table.strip().splitlines():
            rule = self._compile(line)
            self._rules.setdefault(rule.letters[0], []).append(rule)

    def phones(self, word: str) -> tuple[str, ...]:
        """ARPAbet phones of a word; letters that no rule knows are passed over."""
        phones: list[str] = []
        position = 0
        while position < len(word):
            rules = self._rules.get(word[position], [])
            rule = next((rule for rule in rules if _applies(rule, word, position)), None)
            if rule is None:
                position += 1
                continue
            phones.extend(rule.phones)
            position += len(rule.letters)
        return tuple(phones)

    def _compile(self, line: str) -> _Rule:
        head, _, tail = line.partition(" ")
        contexts = re.split(r"\s*([<>])\s*", tail)
        before = after = ""
        for mark, pattern in zip(contexts[1::2], contexts[2::2], strict=True):
            expanded = re.sub("[VC]", lambda found: self._classes[found[0]], pattern.strip())
            if mark == "<":
                before = expanded
            else:
                after = expanded
        phones = tuple(name for name in contexts[0].split() if name != "-")
        return _Rule(head, re.compile(f"(?:{before})$"), re.compile(f"(?:{after})"), phones)


def _applies(rule: _Rule, word: str, position: int) -> bool:
    end = position + len(rule.letters)
    return (
        word.startswith(rule.letters, position)
        and rule.before.search(word[:position]) is not None
        and rule.after.match(word[end:]) is not None
    )
