"""The traits that obedience is measured by, as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_imagegen.illustrator.attributes import Accessory, HairStyle, Outfit
from kuchipaku_imagegen.illustrator.palette import CLOTH_COLOURS, EYE_COLOURS, HAIR_COLOURS

#: Trait -> its values, one of which a character has.
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "hair_colour": tuple(HAIR_COLOURS),
    "hair_style": tuple(map(str, HairStyle)),
    "eye_colour": tuple(EYE_COLOURS),
    "outfit": tuple(map(str, Outfit)),
    "outfit_colour": tuple(CLOTH_COLOURS),
}
#: Of these a character wears any number.
ACCESSORIES: Final = tuple(map(str, Accessory))
#: Traits that the requirement names; the others are told besides.
REQUIRED: Final = ("hair_colour", "hair_style", "eye_colour", "outfit", "accessory")

#: Numbers by which a network tells the traits: logits of all choices, then of all accessories.
OUTPUTS: Final = sum(len(values) for values in CHOICES.values()) + len(ACCESSORIES)

_READ: Final[dict[str, Callable[[Attributes], str]]] = {
    "hair_colour": lambda shown: shown.hair_colour,
    "hair_style": lambda shown: str(shown.hair_style),
    "eye_colour": lambda shown: shown.eye_colour,
    "outfit": lambda shown: str(shown.outfit),
    "outfit_colour": lambda shown: shown.outfit_colour,
}


def choices_of(shown: Attributes) -> NDArray[np.int64]:
    """Which value of each of `CHOICES` a character has, (5,)."""
    return np.array([CHOICES[name].index(read(shown)) for name, read in _READ.items()], np.int64)


def accessories_of(shown: Attributes) -> NDArray[np.float32]:
    """1 for each of `ACCESSORIES` that a character wears, else 0, (13,)."""
    return np.array([float(name in shown.accessories) for name in ACCESSORIES], np.float32)


def split(outputs: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Choices (n, 5) and worn accessories (n, 13) of the classifier's outputs (n, k)."""
    ends = np.cumsum([len(values) for values in CHOICES.values()])
    parts = np.split(outputs, ends, axis=1)
    chosen = [part.argmax(1) for part in parts[:-1]]
    return np.stack(chosen, 1), parts[-1] > 0


def agreement(outputs: NDArray[np.float32], shown: list[Attributes]) -> dict[str, float]:
    """How often the classifier's outputs (n, k) agree with characters, by trait.

    "accessory" counts the accessories worn and those that nobody wears: of the first, how many are
    seen; "no accessory" how many characters without any show none; "all required" how many agree
    in everything that the requirement names.
    """
    chosen, worn = split(outputs)
    truth = np.stack([choices_of(one) for one in shown])
    wanted = np.stack([accessories_of(one) for one in shown]) > 0
    right = chosen == truth
    found = {name: float(right[:, column].mean()) for column, name in enumerate(CHOICES)}
    found["accessory"] = float(worn[wanted].mean()) if wanted.any() else 1.0
    bare = ~wanted.any(1)
    found["no accessory"] = float((~worn[bare].any(1)).mean()) if bare.any() else 1.0
    required = [column for column, name in enumerate(CHOICES) if name in REQUIRED]
    whole = right[:, required].all(1) & (worn | ~wanted).all(1)
    found["all required"] = float(whole.mean())
    return found
