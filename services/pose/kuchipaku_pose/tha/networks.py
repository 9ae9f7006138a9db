"""The networks of each family as torch modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import nn

from kuchipaku_pose.tha.blocks import Style
from kuchipaku_pose.tha.bodies1 import Combiner, FaceMorpher1, TwoAlgoFaceRotator
from kuchipaku_pose.tha.bodies3 import Editor, TwoAlgoFaceBodyRotator
from kuchipaku_pose.tha.bodies4 import TeacherBodyMorpher, Upscaler
from kuchipaku_pose.tha.catalogue import Family, Variant
from kuchipaku_pose.tha.faces import EyebrowDecomposer, EyebrowMorphingCombiner, FaceMorpher
from kuchipaku_pose.tha.students import StudentBodyMorpher, StudentFaceMorpher

Networks = Mapping[str, nn.Module]

_STANDARD: Final = {Variant.STANDARD_FLOAT, Variant.STANDARD_HALF}


def _faces(style: Style) -> dict[str, Callable[[], nn.Module]]:
    return {
        "eyebrow_decomposer": lambda: EyebrowDecomposer(style),
        "eyebrow_morphing_combiner": lambda: EyebrowMorphingCombiner(style),
        "face_morpher": lambda: FaceMorpher(style),
    }


def network_makers(
    family: Family, variant: Variant | None = None
) -> Mapping[str, Callable[[], nn.Module]]:
    """Return a maker of each network of a family, by file name, in the order in which they run.

    Args:
        family: the family.
        variant: needed for version 3, and for no other.
    """
    standard = _faces(Style.STANDARD)
    match family:
        case Family.THA1:
            return {
                "face_morpher": FaceMorpher1,
                "two_algo_face_rotator": TwoAlgoFaceRotator,
                "combiner": Combiner,
            }
        case Family.THA2:
            return standard | {"two_algo_face_rotator": TwoAlgoFaceRotator, "combiner": Combiner}
        case Family.THA3:
            if variant is None:
                raise ValueError("version 3 comes in variants; one must be named")
            style = Style.STANDARD if variant in _STANDARD else Style.SEPARABLE
            return _faces(style) | {
                "two_algo_face_body_rotator": lambda: TwoAlgoFaceBodyRotator(style),
                "editor": lambda: Editor(style),
            }
        case Family.THA4:
            return standard | {"body_morpher": TeacherBodyMorpher, "upscaler": Upscaler}
        case Family.THA4_STUDENT:
            return {"face_morpher": StudentFaceMorpher, "body_morpher": StudentBodyMorpher}


def build_networks(family: Family, variant: Variant | None = None) -> dict[str, nn.Module]:
    """Return the family's networks with random weights, by file name, ready to evaluate."""
    return {name: make().eval() for name, make in network_makers(family, variant).items()}
