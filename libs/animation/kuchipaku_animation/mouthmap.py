"""Mouth maps: what each mouth shape means in pose parameters, and how strongly it insists.

A pose-model pack may bring its own map in its manifest; ``THA_MOUTH_MAP`` fits THA3, THA4 and the
starter model, ``ONE_OPENING_MOUTH_MAP`` models with a single mouth parameter, such as THA1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from kuchipaku_animation.cues import MouthShape
from kuchipaku_animation.poses import VOWEL_NAMES, FloatArray
from kuchipaku_contract.errors import InvalidArgumentError

MIN_REACH_S: Final = 0.02
MAX_REACH_S: Final = 0.09
"""Longest reach of a shape into its neighbours; bounds the look-ahead of the animation."""
MAX_DOMINANCE: Final = 10.0
CLOSED_OPENING: Final = 0.1
"""A mouth that opens less than this counts as shut."""

# Weights that came as 32-bit floats may sum to a hair more than 1.
_SUM_TOLERANCE: Final = 1e-6
_TARGET_KEYS: Final = {"weights", "dominance", "loudness_sensitivity", "reach_s"}

SHAPES: Final = tuple(MouthShape)
SHAPE_INDEX: Final[Mapping[MouthShape, int]] = {shape: i for i, shape in enumerate(SHAPES)}


@dataclass(frozen=True, slots=True)
class ShapeTarget:
    """What one mouth shape aims at."""

    weights: Mapping[str, float]
    """Weights 0..1 of vowel parameters (``VOWEL_NAMES``); their sum is at most 1."""
    dominance: float
    """How strongly the shape asserts itself against its neighbours, > 0."""
    loudness_sensitivity: float = 0.0
    """Share 0..1 of the opening that follows the loudness; the rest stays in a whisper."""
    reach_s: float = 0.09
    """How far the shape reaches into its neighbours, in seconds."""


@dataclass(frozen=True, slots=True)
class ShapeArrays:
    """A mouth map as arrays; rows follow ``SHAPES``, columns the weights (``VOWEL_NAMES``)."""

    targets: FloatArray
    """(9, columns)"""
    dominance: FloatArray
    """(9,)"""
    loudness_sensitivity: FloatArray
    """(9,)"""
    reach_s: FloatArray
    """(9,)"""
    follows_loudness: FloatArray
    """(columns,): 1 where a weight follows the loudness, 0 where it does not."""
    classic: FloatArray
    """(9, columns), one row per shape for the classic keyframe rule."""


@dataclass(frozen=True, slots=True)
class MouthMap:
    """The targets of all nine mouth shapes.

    Raises:
        InvalidArgumentError: on construction, if a value is out of range; the error's field names
            it, e.g. ``mouth_map.shapes.D.weights.mouth_aaa``.
    """

    name: str
    shapes: Mapping[MouthShape, ShapeTarget]
    classic: Mapping[MouthShape, Mapping[str, float]] = field(
        default_factory=lambda: dict(SEED_VOWELS)
    )
    """Mouths of the classic rule at multiplier 1; A and X rest."""

    def __post_init__(self) -> None:
        for shape in SHAPES:
            where = f"mouth_map.shapes.{shape}"
            if shape not in self.shapes:
                raise _invalid(where, "is missing")
            _check_shape(shape, self.shapes[shape], where)
            _check_weights(self.classic.get(shape, {}), f"mouth_map.classic.{shape}")

    @property
    def max_reach_s(self) -> float:
        """The longest reach of any shape, in seconds."""
        return max(target.reach_s for target in self.shapes.values())

    def arrays(self) -> ShapeArrays:
        """The map as arrays for the blending code."""
        rows = [self.shapes[shape] for shape in SHAPES]
        return ShapeArrays(
            targets=_weight_rows([row.weights for row in rows]),
            dominance=np.array([row.dominance for row in rows]),
            loudness_sensitivity=np.array([row.loudness_sensitivity for row in rows]),
            reach_s=np.array([row.reach_s for row in rows]),
            follows_loudness=np.ones(len(VOWEL_NAMES)),
            classic=_weight_rows([self.classic.get(shape, {}) for shape in SHAPES]),
        )

    def to_dict(self) -> dict[str, Any]:
        """The map as plain JSON values; ``from_dict`` reads it back."""
        return {
            "name": self.name,
            "shapes": {str(shape): _target_dict(target) for shape, target in self.shapes.items()},
            "classic": {str(shape): dict(weights) for shape, weights in self.classic.items()},
        }

    def overridden(self, changes: Mapping[str, Any], *, where: str = "mouth_map") -> MouthMap:
        """The map with some of its shapes changed, for a character with a mouth of its own.

        `changes` maps a shape's letter to JSON values as in `to_dict`; what is left out of a shape
        stays as it is. Raises InvalidArgumentError with a field such as `mouth_map.D.weights`.
        """
        shapes = dict(self.shapes)
        for key, value in changes.items():
            field_path = f"{where}.{key}"
            data = _mapping(value, field_path)
            shape = _shape(key, where)
            _check_keys(data, field_path, required=set(), optional=_TARGET_KEYS)
            shapes[shape] = _target({**_target_dict(shapes[shape]), **data}, field_path)
            _check_shape(shape, shapes[shape], field_path)
        return replace(self, shapes=shapes)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MouthMap:
        """Read a map from JSON values, e.g. a pack's manifest.

        Raises:
            InvalidArgumentError: something is missing, unknown or out of range.
        """
        _check_keys(data, "mouth_map", required={"name", "shapes"}, optional={"classic"})
        if not isinstance(data["name"], str) or not data["name"]:
            raise _invalid("mouth_map.name", "must be a non-empty string")
        shapes = {
            _shape(key, "mouth_map.shapes"): _target(value, f"mouth_map.shapes.{key}")
            for key, value in _mapping(data["shapes"], "mouth_map.shapes").items()
        }
        if "classic" not in data:
            return cls(name=data["name"], shapes=shapes)
        classic = {
            _shape(key, "mouth_map.classic"): _weights(value, f"mouth_map.classic.{key}")
            for key, value in _mapping(data["classic"], "mouth_map.classic").items()
        }
        return cls(name=data["name"], shapes=shapes, classic=classic)


def _weight_rows(rows: list[Mapping[str, float]]) -> FloatArray:
    return np.array([[row.get(name, 0.0) for name in VOWEL_NAMES] for row in rows])


def _target_dict(target: ShapeTarget) -> dict[str, Any]:
    return {
        "weights": dict(target.weights),
        "dominance": target.dominance,
        "loudness_sensitivity": target.loudness_sensitivity,
        "reach_s": target.reach_s,
    }


def _target(value: object, where: str) -> ShapeTarget:
    data = _mapping(value, where)
    _check_keys(
        data,
        where,
        required={"weights", "dominance"},
        optional=_TARGET_KEYS,
    )
    numbers = {key: _number(data[key], f"{where}.{key}") for key in data if key != "weights"}
    return ShapeTarget(weights=_weights(data["weights"], f"{where}.weights"), **numbers)


def _weights(value: object, where: str) -> dict[str, float]:
    return {k: _number(v, f"{where}.{k}") for k, v in _mapping(value, where).items()}


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _invalid(where, "must be an object")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(where, "must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _invalid(where, "is too large a number") from None


def _shape(key: str, where: str) -> MouthShape:
    try:
        return MouthShape(key)
    except ValueError:
        raise _invalid(f"{where}.{key}", "is not a mouth shape; they are A to H and X") from None


def _check_keys(
    data: Mapping[str, Any], where: str, *, required: set[str], optional: set[str]
) -> None:
    for key in sorted(required - set(data)):
        raise _invalid(f"{where}.{key}", "is missing")
    for key in sorted(set(data) - required - optional):
        raise _invalid(f"{where}.{key}", "is not known")


def _check_shape(shape: MouthShape, target: ShapeTarget, where: str) -> None:
    _check_target(target, where)
    opening = sum(target.weights.values())
    if shape in (MouthShape.A, MouthShape.X) and opening >= CLOSED_OPENING:
        raise _invalid(f"{where}.weights", f"must be shut, opens by {opening:g}")


def _check_target(target: ShapeTarget, where: str) -> None:
    _check_weights(target.weights, f"{where}.weights")
    _check_range(target.dominance, 1e-3, MAX_DOMINANCE, f"{where}.dominance")
    _check_range(target.loudness_sensitivity, 0.0, 1.0, f"{where}.loudness_sensitivity")
    _check_range(target.reach_s, MIN_REACH_S, MAX_REACH_S, f"{where}.reach_s")


def _check_weights(weights: Mapping[str, float], where: str) -> None:
    for name, weight in weights.items():
        if name not in VOWEL_NAMES:
            raise _invalid(f"{where}.{name}", f"is not one of {', '.join(VOWEL_NAMES)}")
        _check_range(weight, 0.0, 1.0, f"{where}.{name}")
    if sum(weights.values()) > 1.0 + _SUM_TOLERANCE:
        raise _invalid(where, f"must sum to at most 1, sums to {sum(weights.values()):g}")


def _check_range(value: float, low: float, high: float, where: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _invalid(where, f"must lie in {low:g}..{high:g}, is {value}")


def _invalid(where: str, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{where} {problem}", reason="MOUTH_MAP_INVALID", field=where)


SEED_VOWELS: Final[Mapping[MouthShape, Mapping[str, float]]] = {
    MouthShape.A: {},
    MouthShape.B: {"mouth_iii": 1.0},
    MouthShape.C: {"mouth_eee": 1.0},
    MouthShape.D: {"mouth_aaa": 1.0},
    MouthShape.E: {"mouth_ooo": 1.0},
    MouthShape.F: {"mouth_uuu": 1.0},
    MouthShape.G: {"mouth_iii": 1.0},
    MouthShape.H: {"mouth_eee": 1.0},
    MouthShape.X: {},
}
"""Six mouths only: the classic rule knows a, e, i, o, u and rest."""

THA_MOUTH_MAP: Final = MouthMap(
    name="tha",
    shapes={
        MouthShape.A: ShapeTarget({}, dominance=3.0, reach_s=0.075),
        # B fills a third of all speech: a full "iii" would freeze into a grin.
        MouthShape.B: ShapeTarget({"mouth_iii": 0.45}, 0.7, loudness_sensitivity=0.25),
        MouthShape.C: ShapeTarget(
            {"mouth_eee": 0.65, "mouth_aaa": 0.15}, 0.9, loudness_sensitivity=0.3
        ),
        MouthShape.D: ShapeTarget({"mouth_aaa": 1.0}, 1.1, loudness_sensitivity=0.35),
        MouthShape.E: ShapeTarget({"mouth_ooo": 0.75}, 1.1, loudness_sensitivity=0.25),
        MouthShape.F: ShapeTarget({"mouth_uuu": 0.85}, 1.6, loudness_sensitivity=0.15),
        MouthShape.G: ShapeTarget({"mouth_iii": 0.2, "mouth_uuu": 0.15}, 2.0, reach_s=0.075),
        MouthShape.H: ShapeTarget(
            {"mouth_eee": 0.5, "mouth_aaa": 0.3}, 0.9, loudness_sensitivity=0.3
        ),
        MouthShape.X: ShapeTarget({}, dominance=1.2),
    },
)
"""Map for THA3, THA4 and the starter model."""

_OPENINGS: Final[Mapping[MouthShape, float]] = {
    MouthShape.A: 0.0,
    MouthShape.B: 0.25,
    MouthShape.C: 0.6,
    MouthShape.D: 1.0,
    MouthShape.E: 0.6,
    MouthShape.F: 0.3,
    MouthShape.G: 0.15,
    MouthShape.H: 0.55,
    MouthShape.X: 0.0,
}


def _one_opening(shape: MouthShape) -> ShapeTarget:
    target = THA_MOUTH_MAP.shapes[shape]
    opening = _OPENINGS[shape]
    return ShapeTarget(
        {"mouth_aaa": opening} if opening else {},
        target.dominance,
        target.loudness_sensitivity,
        target.reach_s,
    )


ONE_OPENING_MOUTH_MAP: Final = MouthMap(
    name="one_opening",
    shapes={shape: _one_opening(shape) for shape in SHAPES},
    classic={
        shape: {"mouth_aaa": opening} if opening else {} for shape, opening in _OPENINGS.items()
    },
)
"""Map for models with one mouth parameter, addressed as ``mouth_aaa``."""
