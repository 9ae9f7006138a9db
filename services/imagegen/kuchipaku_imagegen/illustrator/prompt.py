"""Reads a prompt: words in free order become attributes, the rest is drawn from the seed."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from . import vocabulary as words
from .attributes import (
    FEMININE_HAIR,
    FEMININE_OUTFITS,
    MASCULINE_HAIR,
    MASCULINE_OUTFITS,
    Accessory,
    Age,
    Attributes,
    Figure,
    HairStyle,
    Outfit,
    draw_attributes,
    draw_figure,
)

_LONGEST_PHRASE = 4
_FEMININE = {*FEMININE_OUTFITS, *FEMININE_HAIR}
_MASCULINE = {*MASCULINE_OUTFITS, *MASCULINE_HAIR}
_FEMININE_ONLY = _FEMININE - _MASCULINE
_MASCULINE_ONLY = _MASCULINE - _FEMININE
_SEGMENT_END = re.compile(r"[,;.!?\n\r|/]+")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class PromptResult:
    """What a prompt means.

    recognised: phrases of the prompt that decided a trait, in the order of the prompt.
    ignored: words that mean nothing to the illustrator, or that contradict a recognised phrase.
    """

    attributes: Attributes
    recognised: tuple[str, ...]
    ignored: tuple[str, ...]


def parse_prompt(prompt: str, seed: int) -> PromptResult:
    """Attributes from `prompt`, completed by `seed`.

    An empty prompt gives `random_attributes(seed)`. Phrases between commas may come in any order.
    Of two phrases that contradict each other the alphabetically first value holds. Never raises.
    """
    segments = [_Segment(text) for text in _SEGMENT_END.split(_normalised(prompt))]
    findings = [finding for segment in segments for finding in segment.findings]
    chosen: dict[str, _Finding] = {}
    for finding in sorted(findings, key=_Finding.order):
        chosen.setdefault(finding.trait, finding)
    recognised: list[str] = []
    ignored: list[str] = []
    for segment in segments:
        for finding in segment.findings:
            winner = chosen[finding.trait]
            agrees = finding.value == winner.value or finding.rank > winner.rank
            _note(recognised if agrees else ignored, finding.text)
        for word in segment.ignored:
            _note(ignored, word)
    values = {trait: finding.value for trait, finding in chosen.items()}
    # "blue hoodie" says what "hoodie" says.
    told = [p for p in recognised if not any(q.endswith(f" {p}") for q in recognised)]
    unknown = [word for word in ignored if word not in recognised]
    return PromptResult(_complete(values, seed), tuple(told), tuple(unknown))


def _note(phrases: list[str], phrase: str) -> None:
    if phrase not in phrases:
        phrases.append(phrase)


def _normalised(prompt: str) -> str:
    folded = unicodedata.normalize("NFKC", prompt).casefold()
    return folded.replace("'s", "").replace("'", "")


def _complete(values: dict[str, Any], seed: int) -> Attributes:
    rng = random.Random(f"character-{seed}")  # noqa: S311 - reproducible, not secret
    drawn = draw_figure(rng)
    figure: Figure = values.get("figure", _fitting(drawn, values))
    base = draw_attributes(rng, figure)
    if "figure" in values and "age" not in values:
        # Who asks for a girl or a man means neither a child nor an elder.
        base = replace(base, age=Age.YOUNG)
    changes = {k: v for k, v in values.items() if ":" not in k and k not in ("outfit", "length")}
    if "outfit" in values:
        school = Outfit.SAILOR if figure.feminine else Outfit.GAKURAN
        changes["outfit"] = values["outfit"] or school
    if "length" in values:
        changes["geometry"] = replace(base.geometry, hair_length=values["length"])
    wanted = {Accessory(k.split(":")[1]): v for k, v in values.items() if ":" in k}
    if wanted:
        # Naming an accessory replaces the drawn ones; denying one keeps the others.
        named = {name for name, worn in wanted.items() if worn}
        denied = {name for name, worn in wanted.items() if not worn}
        changes["accessories"] = tuple(sorted((named or set(base.accessories)) - denied))
    return replace(base, **changes)


def _fitting(drawn: Figure, values: dict[str, Any]) -> Figure:
    """The drawn figure, or its counterpart if the named clothes, hair or age suggest that."""
    told = {values.get("outfit"), values.get("hair_style")} - {None}
    feminine, adult = drawn.feminine, drawn.adult
    if told & _FEMININE_ONLY:
        feminine = True
    elif told & _MASCULINE_ONLY:
        feminine = False
    match values.get("age"):
        case Age.CHILD:
            adult = False
        case Age.ELDERLY:
            adult = True
    if feminine:
        return Figure.WOMAN if adult else Figure.GIRL
    return Figure.MAN if adult else Figure.BOY


@dataclass(frozen=True, slots=True)
class _Finding:
    """A trait decided by a phrase; a lower rank says more about the trait."""

    trait: str
    value: Any
    text: str
    rank: int = 0

    def order(self) -> tuple[int, str]:
        return self.rank, str(self.value)


@dataclass(slots=True)
class _Pending:
    """Modifiers read before the noun that they belong to."""

    colours: list[tuple[str, str]] = field(default_factory=list)
    modifiers: list[str] = field(default_factory=list)


#: Traits that a noun alone decides: trait -> noun -> value; and their values when denied.
_PLAIN_TRAITS: dict[str, dict[str, Any]] = {
    "age": dict(words.AGES),
    "face_shape": dict(words.FACES),
    "arms": dict(words.ARMS),
    "bangs": dict(words.BANGS),
    "ahoge": dict.fromkeys(words.AHOGE, True),
    "freckles": dict.fromkeys(words.FRECKLES, True),
    "beauty_mark": dict.fromkeys(words.BEAUTY_MARK, True),
    "blush": dict.fromkeys(words.BLUSH, 0.7),
}
_DENIED: dict[str, Any] = {"ahoge": False, "freckles": False, "beauty_mark": False, "blush": 0.0}

_MODIFIERS = frozenset(words.HAIR_WORDS) | frozenset(words.EYE_SHAPES) | frozenset(words.SKIN_TONES)
_NOUNS: frozenset[str] = frozenset().union(
    words.FIGURES,
    words.HAIR_STYLES,
    words.OUTFITS,
    words.ACCESSORIES,
    words.SECOND_NOUNS,
    words.ACCENT_NOUNS,
    words.TIP_NOUNS,
    words.HAIR_NOUNS,
    words.EYE_NOUNS,
    words.SKIN_NOUNS,
    *_PLAIN_TRAITS.values(),
    words.PLAIN,
)
_KNOWN = _NOUNS | _MODIFIERS | frozenset(words.COLOURS) | words.NEGATIONS | words.FILLERS


class _Segment:
    """Findings and unknown words of the text between two commas."""

    def __init__(self, text: str) -> None:
        self.findings: list[_Finding] = []
        self.ignored: list[str] = []
        self._pending = _Pending()
        self._negated = False
        self._last_noun: str | None = None
        tokens = _WORD.findall(text.replace("_", " "))
        at = 0
        while at < len(tokens):
            length = self._longest(tokens, at)
            self._read(" ".join(tokens[at : at + length]))
            at += length
        self._finish()

    @staticmethod
    def _longest(tokens: list[str], at: int) -> int:
        for length in range(min(_LONGEST_PHRASE, len(tokens) - at), 1, -1):
            if " ".join(tokens[at : at + length]) in _KNOWN:
                return length
        return 1

    def _read(self, phrase: str) -> None:
        pending = self._pending
        if phrase in words.FILLERS:
            return
        if phrase in words.NEGATIONS:
            self._negated = True
        elif phrase in words.COLOURS or phrase in _MODIFIERS:
            if phrase in words.COLOURS:
                pending.colours.append((words.COLOURS[phrase], phrase))
            if phrase in _MODIFIERS:
                pending.modifiers.append(phrase)
        elif phrase in _NOUNS:
            self._bind(phrase)
            self._last_noun = phrase
        else:
            self.ignored.append(phrase)

    def _finish(self) -> None:
        """Modifiers after the noun ("hair pink"), and hair colours that need no noun."""
        waiting = [text for _, text in self._pending.colours]
        if self._last_noun is not None and waiting and not self._coloured(self._last_noun):
            self._bind(self._last_noun)
        elif any(text in words.HAIR_COLOUR_WORDS for text in waiting):
            self._bind("hair")
        self._drop_pending()

    def _coloured(self, noun: str) -> bool:
        return any(f.text.endswith(f" {noun}") and "colour" in f.trait for f in self.findings)

    def _drop_pending(self) -> None:
        left = [text for _, text in self._pending.colours]
        left += [word for word in self._pending.modifiers if word not in left]
        self.ignored.extend(left)
        self._pending = _Pending()

    # ---- nouns

    def _bind(self, noun: str) -> None:
        if self._negated:
            self._deny(noun)
        elif noun in words.HAIR_NOUNS:
            self._bind_hair(noun)
        elif noun in words.EYE_NOUNS:
            self._take_words(noun, "eye_shape", words.EYE_SHAPES)
            self._take_colour(noun, "eye_colour", words.EYE_TONES)
        elif noun in words.SKIN_NOUNS:
            self._bind_skin(noun)
        elif noun in words.HAIR_STYLES:
            self._find("hair_style", words.HAIR_STYLES[noun], noun)
            self._take_colour(noun, "hair_colour", words.HAIR_TONES)
            self._pending.modifiers = [
                word for word in self._pending.modifiers if word not in words.HAIR_WORDS
            ]
        elif noun in words.TIP_NOUNS:
            self._take_colour(noun, "tip_colour", words.CLOTH_TONES)
        else:
            self._bind_person(noun)
        self._negated = False
        if noun not in words.FIGURES and noun not in words.AGES:
            self._drop_pending()

    def _bind_person(self, noun: str) -> None:
        if noun in words.FIGURES:
            self._find("figure", words.FIGURES[noun], noun)
            if any(text in words.HAIR_COLOUR_WORDS for _, text in self._pending.colours):
                self._take_colour("hair", "hair_colour", words.HAIR_TONES)
        if noun in words.ACCESSORIES:
            accessory = words.ACCESSORIES[noun]
            self._find(f"accessory:{accessory}", True, noun)
            if accessory is not Accessory.CAT_EARS:
                self._take_colour(noun, "accent_colour", words.CLOTH_TONES)
        elif noun in words.OUTFITS:
            self._find("outfit", words.OUTFITS[noun], noun, 0 if words.OUTFITS[noun] else 1)
            self._take_colour(noun, "outfit_colour", words.CLOTH_TONES)
            self._take_colour(noun, "second_colour", words.CLOTH_TONES)
        elif noun in words.SECOND_NOUNS:
            self._take_colour(noun, "second_colour", words.CLOTH_TONES)
        elif noun in words.ACCENT_NOUNS:
            self._take_colour(noun, "accent_colour", words.CLOTH_TONES)
        for trait, table in _PLAIN_TRAITS.items():
            if noun in table:
                self._find(trait, table[noun], noun)

    def _bind_hair(self, noun: str) -> None:
        told = [word for word in words.HAIR_WORDS if word in self._pending.modifiers]
        if told:
            style = words.HAIR_WORDS[told[0]]
            if style is HairStyle.LONG_WAVY and "short" in told:
                style = HairStyle.BOB
            text = " ".join([*(w for w in self._pending.modifiers if w in told), noun])
            # A named style ("twin tails") says more than a length.
            self._find("hair_style", style, text, 1)
            if "very long" in told:
                self._find("length", 1.0, text)
            self._pending.modifiers = [w for w in self._pending.modifiers if w not in told]
        self._take_colour(noun, "hair_colour", words.HAIR_TONES)

    def _bind_skin(self, noun: str) -> None:
        for word in self._pending.modifiers + [text for _, text in self._pending.colours]:
            if word in words.SKIN_TONES:
                self._find("skin", words.SKIN_TONES[word], f"{word} {noun}")
        self._pending.modifiers = [
            word for word in self._pending.modifiers if word not in words.SKIN_TONES
        ]
        self._pending.colours = [
            pair for pair in self._pending.colours if pair[1] not in words.SKIN_TONES
        ]

    def _deny(self, noun: str) -> None:
        if noun in words.ACCESSORIES:
            self._find(f"accessory:{words.ACCESSORIES[noun]}", False, f"no {noun}")
        elif noun in words.PLAIN:
            for accessory in Accessory:
                self._find(f"accessory:{accessory}", False, f"no {noun}", 1)
        elif trait := next((t for t in _DENIED if noun in _PLAIN_TRAITS[t]), None):
            self._find(trait, _DENIED[trait], f"no {noun}")
        else:
            self.ignored.append(f"no {noun}")

    def _take_words(self, noun: str, trait: str, table: dict[str, Any]) -> None:
        for word in [word for word in self._pending.modifiers if word in table]:
            self._find(trait, table[word], f"{word} {noun}")
            self._pending.modifiers.remove(word)

    def _take_colour(self, noun: str, trait: str, table: dict[str, str]) -> None:
        """The first pending colour that `table` knows decides `trait`."""
        for pair in self._pending.colours:
            name, text = pair
            if name in table:
                self._find(trait, table[name], f"{text} {noun}")
                self._pending.colours.remove(pair)
                if text in self._pending.modifiers:
                    self._pending.modifiers.remove(text)
                return

    def _find(self, trait: str, value: object, text: str, rank: int = 0) -> None:
        self.findings.append(_Finding(trait, value, text, rank))


def caption(attributes: Attributes) -> str:
    """Words for the main traits; `parse_prompt` reads them back."""
    parts = [
        str(attributes.figure),
        str(attributes.age),
        f"{attributes.hair_colour} hair",
        str(attributes.hair_style),
        str(attributes.bangs),
        f"{attributes.eye_colour} eyes",
        f"{attributes.eye_shape} eyes",
        f"{attributes.face_shape} face",
        f"{attributes.skin} skin",
        f"{attributes.outfit_colour} {attributes.outfit}",
        str(attributes.arms),
        *map(str, attributes.accessories),
    ]
    return ", ".join(parts)
