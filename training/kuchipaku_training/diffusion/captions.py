"""Captions of drawn characters: the illustrator's words, with synonyms, gaps and other orders."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_imagegen.illustrator import vocabulary as words
from kuchipaku_imagegen.illustrator.attributes import Age, Figure
from kuchipaku_imagegen.prompts import AVOIDED, PLACE, PORTRAIT

#: Words of prompts that mean nothing here, and so are shown to the network as such.
EMPTY_WORDS: Final = (
    "masterpiece",
    "best quality",
    "high quality",
    "highly detailed",
    "detailed",
    "cute",
    "pretty",
    "beautiful",
    "handsome",
    "smile",
    "smiling",
    "friendly",
    "cool",
    "soft light",
    "colorful",
    "illustration",
    "digital art",
    "anime",
    "anime style",
    "cel shading",
    "clean lines",
    "portrait",
    "bust",
    "avatar",
    "vtuber",
    "character",
    "upper body",
    "solo",
    "looking at viewer",
    "front view",
    "plain background",
    "simple background",
    "modern",
    "fantasy",
    "cheerful",
    "confident",
    "shy",
    "serious",
    "calm",
    "happy",
    "perfect face",
    "sharp focus",
    "professional",
    "artwork",
    "drawing",
)

_SIMPLE_HAIR: Final = {
    "long straight hair": "long straight hair|long hair|straight hair",
    "long wavy hair": "long wavy hair|wavy hair",
    "short hair": "short hair",
    "messy short hair": "messy short hair|messy hair|tousled hair",
    "spiky hair": "spiky hair|spiked hair",
    "curly hair": "curly hair|curls|afro",
}
_FIGURES: Final = {
    Figure.GIRL: "girl|1girl|girl|schoolgirl|female",
    Figure.BOY: "boy|1boy|boy|schoolboy|male",
    Figure.WOMAN: "woman|lady|woman|adult woman",
    Figure.MAN: "man|guy|man|gentleman|adult man",
}
_AGED: Final = {
    (Figure.GIRL, Age.CHILD): "little girl",
    (Figure.BOY, Age.CHILD): "little boy",
    (Figure.WOMAN, Age.ELDERLY): "old woman|elderly woman|grandmother",
    (Figure.MAN, Age.ELDERLY): "old man|elderly man|grandfather",
}
#: How often a trait is told.
_TOLD: Final = {
    "figure": 0.9,
    "hair_colour": 0.92,
    "hair_style": 0.92,
    "eye_colour": 0.88,
    "outfit": 0.88,
    "outfit_colour": 0.85,
    "accessory": 0.88,
    "other": 0.35,
}
_CANONICAL: Final = 0.55
_UNCONDITIONAL: Final = 0.12
_TEMPLATED: Final = 0.35
_NOISY: Final = 0.2


def _inverse(table: Mapping[str, Any]) -> dict[Any, list[str]]:
    """Value -> its phrases."""
    found: dict[Any, list[str]] = {}
    for phrase, value in table.items():
        found.setdefault(value, []).append(phrase)
    return found


def _colour_words(tones: Mapping[str, str]) -> dict[str, list[str]]:
    """Colour of a trait -> every word that a prompt may call it."""
    names = _inverse(words.COLOURS)
    found: dict[str, list[str]] = {}
    for canonical, colour in tones.items():
        found.setdefault(colour, []).extend(names[canonical])
    return found


_HAIR_COLOURS: Final = _colour_words(words.HAIR_TONES)
_EYE_COLOURS: Final = _colour_words(words.EYE_TONES)
_CLOTH_COLOURS: Final = _colour_words(words.CLOTH_TONES)
_STYLES: Final = {str(key): value for key, value in _inverse(words.HAIR_STYLES).items()} | {
    key: value.split("|") for key, value in _SIMPLE_HAIR.items()
}
_OUTFITS: Final = {str(key): value for key, value in _inverse(words.OUTFITS).items() if key}
_ACCESSORIES: Final = {
    # "catgirl" would say whom the picture shows besides.
    str(key): [phrase for phrase in phrases if phrase not in words.FIGURES]
    for key, phrases in _inverse(words.ACCESSORIES).items()
}
_BANGS: Final = {str(key): value for key, value in _inverse(words.BANGS).items()}
_EYE_SHAPES: Final = {str(key): value for key, value in _inverse(words.EYE_SHAPES).items()}
_FACES: Final = {str(key): value for key, value in _inverse(words.FACES).items()}
_SKINS: Final = _inverse(words.SKIN_TONES)


class _Teller:
    """Chooses words and what is told."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def tells(self, trait: str) -> bool:
        return self.rng.random() < _TOLD[trait]

    def word(self, canonical: str, table: Mapping[str, list[str]]) -> str:
        """The usual word, or a synonym."""
        if self.rng.random() < _CANONICAL:
            return canonical
        return self.rng.choice(table.get(canonical, [canonical]))

    def joined(self, parts: Iterable[str]) -> str:
        return " ".join(part for part in parts if part)


def _person(tell: _Teller, attributes: Attributes) -> list[str]:
    figure, age = attributes.figure, attributes.age
    aged = _AGED.get((figure, age))
    if not tell.tells("figure"):
        return []
    if aged is not None and tell.rng.random() < 0.5:
        return [tell.rng.choice(aged.split("|"))]
    named = [tell.rng.choice(_FIGURES[figure].split("|"))]
    if age is not Age.YOUNG or tell.rng.random() < 0.2:
        named.append(str(age))
    return named


def _hair(tell: _Teller, attributes: Attributes) -> list[str]:
    colour = tell.word(attributes.hair_colour, _HAIR_COLOURS)
    style = tell.word(str(attributes.hair_style), _STYLES)
    has_colour, has_style = tell.tells("hair_colour"), tell.tells("hair_style")
    if has_colour and has_style and tell.rng.random() < 0.5:
        return [f"{colour} {style}"]
    told = [f"{colour} hair"] if has_colour else []
    return told + ([style] if has_style else [])


def _clothes(tell: _Teller, attributes: Attributes) -> list[str]:
    told = []
    if tell.tells("outfit"):
        colour = tell.word(attributes.outfit_colour, _CLOTH_COLOURS)
        outfit = tell.word(str(attributes.outfit), _OUTFITS)
        told.append(f"{colour} {outfit}" if tell.tells("outfit_colour") else outfit)
    told += [
        tell.word(str(name), _ACCESSORIES)
        for name in attributes.accessories
        if tell.tells("accessory")
    ]
    if not attributes.accessories and tell.rng.random() < 0.3:
        told.append("no accessories")
    return told


def _face(tell: _Teller, attributes: Attributes) -> list[str]:
    told = []
    if tell.tells("eye_colour"):
        told.append(f"{tell.word(attributes.eye_colour, _EYE_COLOURS)} eyes")
    if tell.tells("other"):
        told.append(tell.word(str(attributes.bangs), _BANGS))
    if tell.tells("other"):
        told.append(f"{tell.word(str(attributes.eye_shape), _EYE_SHAPES)} eyes")
    if tell.rng.random() < 0.15:
        told.append(tell.rng.choice(_FACES[str(attributes.face_shape)]))
    if attributes.skin in ("tan", "dark") or tell.rng.random() < 0.2:
        told.append(f"{tell.word(attributes.skin, _SKINS)} skin")
    for name, shown in (("ahoge", attributes.ahoge), ("freckles", attributes.freckles)):
        if shown and tell.rng.random() < 0.7:
            told.append(name)
    return told


def _sentence(tell: _Teller, attributes: Attributes) -> str:
    """As people write: "a girl with blue twin tails and green eyes, wearing a red hoodie"."""
    person = tell.joined(reversed(_person(tell, attributes))) or "character"
    looks = [*_hair(tell, attributes), *_face(tell, attributes)]
    clothes = _clothes(tell, attributes)
    text = f"a {person}"
    if looks:
        text += f" with {' and '.join(looks)}" if len(looks) < 3 else f" with {', '.join(looks)}"
    return f"{text} wearing {' and '.join(clothes)}" if clothes else text


def describe(attributes: Attributes, rng: random.Random) -> str:
    """What a user might write for a character: some of its traits, in some order and wording.

    `kuchipaku_imagegen.illustrator.parse_prompt` reads the told traits back.
    """
    tell = _Teller(rng)
    if rng.random() < 0.25:
        return _sentence(tell, attributes)
    parts = [
        *_person(tell, attributes),
        *_hair(tell, attributes),
        *_face(tell, attributes),
        *_clothes(tell, attributes),
    ]
    if rng.random() < 0.5:
        rng.shuffle(parts)
    return ", ".join(parts)


def training_caption(attributes: Attributes, rng: random.Random) -> str:
    """A caption as the network meets it: also none, within the service's template, with idle words.

    The service's negative prompt stands for no caption, so that guidance leads away from nothing
    in particular.
    """
    if rng.random() < _UNCONDITIONAL:
        return "" if rng.random() < 0.6 else AVOIDED.replace(PLACE, "").strip(" ,")
    text = describe(attributes, rng)
    if rng.random() < _NOISY:
        parts = text.split(", ")
        for _ in range(rng.randint(1, 3)):
            parts.insert(rng.randint(0, len(parts)), rng.choice(EMPTY_WORDS))
        text = ", ".join(parts)
    if rng.random() < _TEMPLATED:
        text = PORTRAIT.replace(PLACE, text)
    return text.strip(" ,")


def full_caption(attributes: Attributes, rng: random.Random | None = None) -> str:
    """The traits that obedience is measured by: in the usual words and order, or with `rng` in
    any, within the service's template."""
    parts = [
        str(attributes.figure),
        f"{attributes.hair_colour} hair",
        str(attributes.hair_style),
        f"{attributes.eye_colour} eyes",
        f"{attributes.outfit_colour} {attributes.outfit}",
        *([str(name) for name in attributes.accessories] or ["no accessories"]),
    ]
    if rng is None:
        return ", ".join(parts)
    tell = _Teller(rng)
    cloth = tell.word(attributes.outfit_colour, _CLOTH_COLOURS)
    parts[1] = f"{tell.word(attributes.hair_colour, _HAIR_COLOURS)} hair"
    parts[2] = tell.word(str(attributes.hair_style), _STYLES)
    parts[3] = f"{tell.word(attributes.eye_colour, _EYE_COLOURS)} eyes"
    parts[4] = f"{cloth} {tell.word(str(attributes.outfit), _OUTFITS)}"
    if attributes.accessories:
        parts[5:] = [tell.word(str(name), _ACCESSORIES) for name in attributes.accessories]
    rng.shuffle(parts)
    return PORTRAIT.replace(PLACE, ", ".join(parts))


def known_words() -> list[str]:
    """Every word that captions are made of, and those of the service's templates, sorted."""
    tables: list[Iterable[str]] = [
        *(_HAIR_COLOURS.values()),
        *(_EYE_COLOURS.values()),
        *(_CLOTH_COLOURS.values()),
        *(_STYLES.values()),
        words.OUTFITS,
        words.ACCESSORIES,
        words.BANGS,
        words.EYE_SHAPES,
        words.FACES,
        words.SKIN_TONES,
        words.FIGURES,
        words.AGES,
        words.ARMS,
        words.FILLERS,
        words.NEGATIONS,
        words.HAIR_WORDS,
        words.AHOGE | words.FRECKLES | words.BEAUTY_MARK | words.BLUSH | words.PLAIN,
        words.SECOND_NOUNS | words.ACCENT_NOUNS | words.TIP_NOUNS,
        words.HAIR_NOUNS | words.EYE_NOUNS | words.SKIN_NOUNS,
        EMPTY_WORDS,
        [PORTRAIT.replace(PLACE, ""), AVOIDED.replace(PLACE, "")],
    ]
    text = " ".join(phrase for table in tables for phrase in table).lower()
    return sorted(set(re.findall(r"[a-z]+", text)))
