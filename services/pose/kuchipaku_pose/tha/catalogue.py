"""What there is to import: families, variants, files, licences, parameters. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kuchipaku_animation import ONE_OPENING_MOUTH_MAP, PARAMETER_NAMES, PARAMETER_RANGES, MouthMap
from kuchipaku_pose.manifest import CanvasSpec, CanvasWindow, Convention, Parameter

AUTHOR: Final = "Pramook Khungurn"


class Family(StrEnum):
    """A generation of talking-head-anime networks."""

    THA1 = "tha1"
    THA2 = "tha2"
    THA3 = "tha3"
    THA4 = "tha4"
    THA4_STUDENT = "tha4-student"


class Variant(StrEnum):
    """How version 3's networks are built and stored."""

    STANDARD_FLOAT = "standard_float"
    SEPARABLE_FLOAT = "separable_float"
    STANDARD_HALF = "standard_half"
    SEPARABLE_HALF = "separable_half"


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """What is the same for every pack of a family."""

    title: str
    repository: str
    licence: str
    files: tuple[str, ...]
    """Names of the networks; each is a file ``<name>.pt``."""
    parameters: tuple[Parameter, ...]
    canvas: CanvasSpec
    mouth_map: MouthMap | None = None
    variants: tuple[Variant, ...] = ()

    @property
    def attribution(self) -> str:
        """The line that the licence asks for."""
        return f"{self.title} by {AUTHOR}, {self.repository}; weights converted to ONNX."


def _parameters(names: tuple[str, ...]) -> tuple[Parameter, ...]:
    ranges = dict(zip(PARAMETER_NAMES, PARAMETER_RANGES, strict=True))
    return tuple(
        Parameter(name=name, minimum=ranges[name][0], maximum=ranges[name][1], neutral=0.0)
        for name in names
    )


def _parameters_of_version_1() -> tuple[Parameter, ...]:
    # The author's names; what moves each of them when cues and expressions are animated.
    moved_by = {
        "head_x": "head_x",
        "head_y": "head_y",
        "neck_z": "neck_z",
        "left_eye": "eye_wink_left",
        "right_eye": "eye_wink_right",
        "mouth": "mouth_aaa",
    }
    plain = _parameters(tuple(moved_by.values()))
    return tuple(
        parameter.model_copy(update={"name": name, "moved_by": source})
        for parameter, (name, source) in zip(plain, moved_by.items(), strict=True)
    )


def _project(version: str) -> str:
    return f"https://github.com/pkhungurn/talking-head-anime{version}-demo"


_BROWS_AND_FACE = ("eyebrow_decomposer", "eyebrow_morphing_combiner", "face_morpher")
_CANVAS = 512
_WINDOW = CanvasWindow(left=128, top=0, size=256)

FAMILIES: Final[Mapping[Family, FamilyFacts]] = MappingProxyType(
    {
        Family.THA1: FamilyFacts(
            "Talking Head Anime 1",
            _project(""),
            "CC-BY-4.0",
            ("face_morpher", "two_algo_face_rotator", "combiner"),
            _parameters_of_version_1(),
            CanvasSpec(
                size=_CANVAS, convention=Convention.STRAIGHT_LINEAR_UNMASKED, window=_WINDOW
            ),
            mouth_map=ONE_OPENING_MOUTH_MAP,
        ),
        Family.THA2: FamilyFacts(
            "Talking Head Anime 2",
            _project("-2"),
            "CC-BY-4.0",
            (*_BROWS_AND_FACE, "two_algo_face_rotator", "combiner"),
            _parameters(PARAMETER_NAMES[:42]),
            CanvasSpec(size=_CANVAS, convention=Convention.STRAIGHT_LINEAR, window=_WINDOW),
        ),
        Family.THA3: FamilyFacts(
            "Talking Head Anime 3",
            _project("-3"),
            "CC-BY-4.0",
            (*_BROWS_AND_FACE, "two_algo_face_body_rotator", "editor"),
            _parameters(PARAMETER_NAMES),
            CanvasSpec(size=_CANVAS, convention=Convention.STRAIGHT_LINEAR),
            variants=tuple(Variant),
        ),
        Family.THA4: FamilyFacts(
            "Talking Head Anime 4",
            _project("-4"),
            "CC-BY-NC-4.0",
            (*_BROWS_AND_FACE, "body_morpher", "upscaler"),
            _parameters(PARAMETER_NAMES),
            CanvasSpec(size=_CANVAS, convention=Convention.PREMULTIPLIED_LINEAR),
        ),
        Family.THA4_STUDENT: FamilyFacts(
            "Talking Head Anime 4 (student of one character)",
            _project("-4"),
            "CC-BY-NC-4.0",
            ("face_morpher", "body_morpher"),
            _parameters(PARAMETER_NAMES),
            CanvasSpec(size=_CANVAS, convention=Convention.PREMULTIPLIED_LINEAR),
        ),
    }
)
"""The facts of each family."""
