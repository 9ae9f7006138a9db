"""What a character's mouth looks like where it differs from the pose model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_animation.mouthmap import THA_MOUTH_MAP

from .characters import Character

Overrides = Mapping[str, animation_pb2.MouthOverride]


def mouth_of(overrides: Overrides, *, at: str) -> dict[str, Any]:
    """Overrides in the form that is stored: JSON-ready, by the shape's letter.

    Raises `InvalidArgumentError` MOUTH_MAP_INVALID with a field below `at`.
    """
    mouth: dict[str, Any] = {}
    for letter, override in sorted(overrides.items()):
        shape: dict[str, Any] = {}
        if override.weights:
            shape["weights"] = dict(sorted(override.weights.items()))
        for name in ("dominance", "loudness_sensitivity"):
            if override.HasField(name):
                shape[name] = getattr(override, name)
        mouth[letter] = shape
    THA_MOUTH_MAP.overridden(mouth, where=at)
    return mouth


def mouth_messages(mouth: Mapping[str, Any]) -> dict[str, animation_pb2.MouthOverride]:
    """What `mouth_of` made, as messages again."""
    return {letter: animation_pb2.MouthOverride(**shape) for letter, shape in mouth.items()}


def animation_of(
    character: Character, asked: animation_pb2.AnimationOptions
) -> animation_pb2.AnimationOptions:
    """The options of a request with the character's defaults where they leave something open.

    A mouth shape that the request names is the request's, even without a change.
    """
    options = animation_pb2.AnimationOptions()
    options.CopyFrom(asked)
    options.expression = asked.expression or character.expression
    for letter, override in mouth_messages(character.mouth).items():
        if letter not in asked.mouth_overrides:
            options.mouth_overrides[letter].CopyFrom(override)
    return options
