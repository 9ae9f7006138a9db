"""The author's posers in eager torch: what an export is measured against.

Sources: tha/poser of talking-head-anime-demo, tha2/poser/modes/mode_20.py of version 2,
tha3/poser/modes/standard_float.py of version 3, tha4/poser/modes/{mode_07,mode_14}.py of version 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from torch import Tensor

from kuchipaku_pose.tha.catalogue import Family
from kuchipaku_pose.tha.networks import Networks
from kuchipaku_pose.tha.operators import paste, resize

Results = dict[str, list[Tensor]]
"""Outputs of every network by its name, in the author's order."""


class Box(NamedTuple):
    """A square part of a picture."""

    top: int
    left: int
    size: int

    def of(self, image: Tensor) -> Tensor:
        """Return the part of ``image`` (N, C, H, W)."""
        below, right = self.top + self.size, self.left + self.size
        return image[:, :, self.top : below, self.left : right]


BROW_BOX: Final = Box(64, 192, 128)
"""Brows in the 512x512 canvas."""
FACE_BOX: Final = Box(32, 160, 192)
"""Face in the 512x512 canvas."""
BROW_BOX_256: Final = Box(64, 64, 128)
"""Brows in version 2's 256x256 picture."""
FACE_BOX_256: Final = Box(32, 32, 192)
"""Face in version 2's 256x256 picture."""
BROW_IN_FACE: Final = Box(32, 32, 128)
"""Brows within the face."""
STUDENT_FACE_BOX: Final = Box(80, 192, 128)
"""What the student's face network draws."""
BROW_POSE, FACE_POSE, ROTATION_POSE = slice(0, 12), slice(12, 39), slice(39, 45)
ROTATION_POSE_2: Final = slice(39, 42)
_BROWS = 2
"""Which output of the brow combiner the posers use."""


def _face(
    networks: Networks, image: Tensor, pose: Tensor, *, brow_box: Box, face_box: Box
) -> tuple[Results, Tensor]:
    decomposed = networks["eyebrow_decomposer"](brow_box.of(image))
    combined = networks["eyebrow_morphing_combiner"](
        decomposed[3], decomposed[0], pose[:, BROW_POSE]
    )
    face = paste(face_box.of(image), combined[_BROWS], BROW_IN_FACE.top, BROW_IN_FACE.left)
    morphed = networks["face_morpher"](face, pose[:, FACE_POSE])
    results = {
        "eyebrow_decomposer": decomposed,
        "eyebrow_morphing_combiner": combined,
        "face_morpher": morphed,
    }
    return results, paste(image, morphed[0], face_box.top, face_box.left)


def _version_1(networks: Networks, image: Tensor, pose: Tensor) -> Results:
    morphed = networks["face_morpher"](image, pose[:, 3:6])
    rotated = networks["two_algo_face_rotator"](morphed[0], pose[:, :3])
    combined = networks["combiner"](rotated[0], rotated[1], pose[:, :3])
    return {"face_morpher": morphed, "two_algo_face_rotator": rotated, "combiner": combined}


def _version_2(networks: Networks, image: Tensor, pose: Tensor) -> Results:
    results, full = _face(networks, image, pose, brow_box=BROW_BOX_256, face_box=FACE_BOX_256)
    rotated = networks["two_algo_face_rotator"](full, pose[:, ROTATION_POSE_2])
    combined = networks["combiner"](rotated[0], rotated[1], pose[:, ROTATION_POSE_2])
    return results | {"two_algo_face_rotator": rotated, "combiner": combined}


def _version_3(networks: Networks, image: Tensor, pose: Tensor) -> Results:
    results, full = _face(networks, image, pose, brow_box=BROW_BOX, face_box=FACE_BOX)
    turn = pose[:, ROTATION_POSE]
    rotated = networks["two_algo_face_body_rotator"](resize(full, 256), turn)
    edited = networks["editor"](full, resize(rotated[1], 512), resize(rotated[2], 512), turn)
    return results | {"two_algo_face_body_rotator": rotated, "editor": edited}


def _version_4(networks: Networks, image: Tensor, pose: Tensor) -> Results:
    results, full = _face(networks, image, pose, brow_box=BROW_BOX, face_box=FACE_BOX)
    turn = pose[:, ROTATION_POSE]
    body = networks["body_morpher"](resize(full, 256), turn)
    upscaled = networks["upscaler"](full, resize(body[0], 512), resize(body[3], 512), turn)
    return results | {"face_morphed_full": [full], "body_morpher": body, "upscaler": upscaled}


def _student(networks: Networks, image: Tensor, pose: Tensor) -> Results:
    face = networks["face_morpher"](pose[:, :39])
    full = paste(image, face[0], STUDENT_FACE_BOX.top, STUDENT_FACE_BOX.left)
    return {"face_morpher": face, "body_morpher": networks["body_morpher"](full, pose)}


_CHAINS: Final[Mapping[Family, tuple[Callable[[Networks, Tensor, Tensor], Results], str]]] = {
    Family.THA1: (_version_1, "combiner"),
    Family.THA2: (_version_2, "combiner"),
    Family.THA3: (_version_3, "editor"),
    Family.THA4: (_version_4, "upscaler"),
    Family.THA4_STUDENT: (_student, "body_morpher"),
}


def run_chain(family: Family, networks: Networks, image: Tensor, pose: Tensor) -> Results:
    """Run the whole poser.

    Args:
        family: the family of ``networks``.
        networks: the networks by file name.
        image: (N, 4, S, S) in the family's convention; S is 256 for versions 1 and 2, else 512.
        pose: (N, parameters).
    """
    return _CHAINS[family][0](networks, image, pose)


def final_picture(family: Family, results: Results) -> Tensor:
    """Return the poser's result (N, 4, S, S) among the outputs of all networks."""
    return results[_CHAINS[family][1]][0]
