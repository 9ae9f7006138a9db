"""The families as lists of stages: which part of a chain is one ONNX graph, and what it reads.

A stage ends where what follows depends on more of the pose than what came before: that is what
the engine can keep. Encoders that see the picture alone belong to image-only stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.manifest import CANVAS
from kuchipaku_pose.tha.catalogue import Family
from kuchipaku_pose.tha.chains import (
    BROW_BOX,
    BROW_BOX_256,
    BROW_IN_FACE,
    BROW_POSE,
    FACE_BOX,
    FACE_BOX_256,
    FACE_POSE,
    ROTATION_POSE,
    ROTATION_POSE_2,
    STUDENT_FACE_BOX,
    Box,
)
from kuchipaku_pose.tha.networks import Networks
from kuchipaku_pose.tha.operators import blend, paste, resize, tile, warp
from kuchipaku_pose.tha.reach import Reach
from kuchipaku_pose.tha.serving import (
    BlockHead,
    FusedHeads,
    ServedEditorBody,
    ServedEncoderDecoder,
    fill,
    filled,
    rewrite,
)
from kuchipaku_pose.tha.studentserving import CANVAS_SIDE, ServedStudentBody, ServedStudentFace

FRAME: Final = "frame"
"""Name of the tensor that is the result."""


@dataclass(frozen=True)
class StageDraft:
    """One stage to export.

    ``module`` takes the tensors ``reads`` and then, if ``pose`` is set, those pose parameters;
    it returns a tuple of the tensors ``writes``.
    """

    name: str
    module: nn.Module
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    pose: slice | None = None


class _PrepareBrows(nn.Module):
    def __init__(self, networks: Networks, brows: Box) -> None:
        super().__init__()
        decomposer, combiner = networks["eyebrow_decomposer"], networks["eyebrow_morphing_combiner"]
        self.box = brows
        self.decomposer = ServedEncoderDecoder(rewrite(decomposer.body))
        self.heads = FusedHeads(decomposer.heads())
        self.draw = decomposer.draw
        self.encoder = ServedEncoderDecoder(rewrite(combiner.body))

    def forward(self, canvas: Tensor) -> tuple[Tensor, ...]:
        image = self.box.of(canvas)
        feature = self.decomposer.decode(self.decomposer.encode(image))
        brows, _, _, background, _, _ = self.draw(self.heads(feature), image)
        return background, brows, self.encoder.encode(torch.cat([background, brows], dim=1))


class _MoveBrows(nn.Module):
    def __init__(self, networks: Networks, face: Box) -> None:
        super().__init__()
        combiner, morpher = networks["eyebrow_morphing_combiner"], networks["face_morpher"]
        self.box = face
        self.decoder = ServedEncoderDecoder(rewrite(combiner.body))
        self.heads = FusedHeads(combiner.heads())
        self.draw = combiner.draw
        self.encoder = ServedEncoderDecoder(rewrite(morpher.encoder_decoder()))

    def forward(
        self, canvas: Tensor, background: Tensor, brows: Tensor, feature: Tensor, pose: Tensor
    ) -> tuple[Tensor, ...]:
        parts = self.heads(self.decoder.decode(feature, pose))
        moved = self.draw(parts, background, brows)[2]
        face = paste(self.box.of(canvas), moved, BROW_IN_FACE.top, BROW_IN_FACE.left)
        return face, self.encoder.encode(face)


class _MoveFace(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        morpher = networks["face_morpher"]
        self.decoder = ServedEncoderDecoder(rewrite(morpher.encoder_decoder()))
        self.heads = FusedHeads(morpher.heads())
        self.draw = morpher.draw

    def forward(self, face: Tensor, feature: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        return (self.draw(self.heads(self.decoder.decode(feature, pose)), face)[0],)


def face_stages(networks: Networks, brows: Box, face: Box) -> list[StageDraft]:
    """Return the stages of versions 2 to 4 that move brows and face; they write ``face``."""
    layers = ("background", "brows", "brow_features")
    return [
        StageDraft("prepare", _PrepareBrows(networks, brows), (CANVAS,), layers),
        StageDraft(
            "brows",
            _MoveBrows(networks, face),
            (CANVAS, *layers),
            ("browed_face", "face_features"),
            BROW_POSE,
        ),
        StageDraft(
            "face", _MoveFace(networks), ("browed_face", "face_features"), ("face",), FACE_POSE
        ),
    ]


class Rotate(nn.Module):
    """Version 3's rotator on the canvas with its face, at half size."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        rotator = networks["two_algo_face_body_rotator"]
        self.body = rewrite(rotator.encoder_decoder)
        first = self.body.downsample_blocks[0]
        self.extra = fill(first[0].in_channels)
        self.body.downsample_blocks[0] = filled(first, first[0].in_channels)
        # What the rotator draws anew, the editor does not read.
        self.offsets = BlockHead(rotator.grid_change_creator)

    def forward(self, canvas: Tensor, face: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        """Return the canvas with its face, the same warped at half size, and the offsets."""
        full = paste(canvas, face, FACE_BOX.top, FACE_BOX.left)
        return (full, *self.turned(full, pose))

    def turned(self, full: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Return the warped picture at half size and the offsets."""
        image = functional.avg_pool2d(full, 2)
        pose = functional.pad(pose, (0, self.extra))
        feature = self.body(torch.cat([image, tile(pose, image)], dim=1))
        offsets = self.offsets(feature)
        return warp(image, offsets), offsets


class Edit(nn.Module):
    """Version 3's editor at full size."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        editor = networks["editor"]
        self.body = ServedEditorBody(rewrite(editor.body))
        self.heads = FusedHeads(editor.heads())

    def forward(
        self, full: Tensor, warped: Tensor, offsets: Tensor, pose: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the frame of the canvas with its face and of the rotator's half-size results."""
        colour, alpha, offsets = self.parts(full, warped, offsets, pose)
        return (blend(alpha, colour, warp(full, offsets)),)

    def parts(
        self, full: Tensor, warped: Tensor, offsets: Tensor, pose: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is drawn, where, and the offsets at which the rest is sampled."""
        offsets = resize(offsets, 512)
        inputs = torch.cat([full, resize(warped, 512), offsets, tile(pose, full)], dim=1)
        colour, alpha, correction = self.heads(self.body(inputs))
        return colour, alpha, offsets + correction


def _stages_3(networks: Networks) -> list[StageDraft]:
    half = ("faced", "half_picture", "half_offsets")
    return [
        *face_stages(networks, BROW_BOX, FACE_BOX),
        StageDraft("rotate", Rotate(networks), (CANVAS, "face"), half, ROTATION_POSE),
        StageDraft("edit", Edit(networks), half, (FRAME,), ROTATION_POSE),
    ]


class _Chosen(nn.Module):
    """Some of a network's outputs."""

    def __init__(self, network: nn.Module, outputs: Sequence[int]) -> None:
        super().__init__()
        self.network = rewrite(network)
        self.outputs = tuple(outputs)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        results = self.network(*inputs)
        return tuple(results[i] for i in self.outputs)


class _WithFace(nn.Module):
    """A network of version 1 or 2 on the canvas with its face."""

    def __init__(self, network: nn.Module, box: Box, outputs: Sequence[int]) -> None:
        super().__init__()
        self.box = box
        self.chosen = _Chosen(network, outputs)

    def forward(self, canvas: Tensor, face: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        full = paste(canvas, face, self.box.top, self.box.left)
        results: tuple[Tensor, ...] = self.chosen(full, pose)
        return results


def _stages_2(networks: Networks) -> list[StageDraft]:
    pictures = ("redrawn", "warped")
    rotator = _WithFace(networks["two_algo_face_rotator"], FACE_BOX_256, (0, 1))
    combiner = _Chosen(networks["combiner"], (0,))
    return [
        *face_stages(networks, BROW_BOX_256, FACE_BOX_256),
        StageDraft("rotate", rotator, (CANVAS, "face"), pictures, ROTATION_POSE_2),
        StageDraft("combine", combiner, pictures, (FRAME,), ROTATION_POSE_2),
    ]


def _stages_1(networks: Networks) -> list[StageDraft]:
    pictures = ("redrawn", "warped")
    turn = slice(0, 3)
    morpher = _Chosen(networks["face_morpher"], (0,))
    rotator = _Chosen(networks["two_algo_face_rotator"], (0, 1))
    combiner = _Chosen(networks["combiner"], (0,))
    return [
        StageDraft("face", morpher, (CANVAS,), ("faced",), slice(3, 6)),
        StageDraft("rotate", rotator, ("faced",), pictures, turn),
        StageDraft("combine", combiner, pictures, (FRAME,), turn),
    ]


class _TeacherBody(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = rewrite(networks["body_morpher"])

    def forward(self, canvas: Tensor, face: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        full = paste(canvas, face, FACE_BOX.top, FACE_BOX.left)
        picture, _, _, offsets, _ = self.network(functional.avg_pool2d(full, 2), pose)
        return full, picture, offsets


class _Upscale(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = rewrite(networks["upscaler"])

    def forward(
        self, full: Tensor, picture: Tensor, offsets: Tensor, pose: Tensor
    ) -> tuple[Tensor, ...]:
        return (self.network(full, resize(picture, 512), resize(offsets, 512), pose)[0],)


def _stages_4(networks: Networks) -> list[StageDraft]:
    half = ("faced", "half_picture", "half_offsets")
    return [
        *face_stages(networks, BROW_BOX, FACE_BOX),
        StageDraft("body", _TeacherBody(networks), (CANVAS, "face"), half, ROTATION_POSE),
        StageDraft("upscale", _Upscale(networks), half, (FRAME,), ROTATION_POSE),
    ]


class _StudentFace(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = ServedStudentFace(networks["face_morpher"])

    def forward(self, pose: Tensor) -> tuple[Tensor, ...]:
        return (self.network(pose),)


class _StudentBody(nn.Module):
    def __init__(self, networks: Networks, reach: Reach) -> None:
        super().__init__()
        self.network = ServedStudentBody(networks["body_morpher"], reach)

    def forward(self, canvas: Tensor, face: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        full = paste(canvas, face, STUDENT_FACE_BOX.top, STUDENT_FACE_BOX.left)
        return (self.network(full, pose),)


def student_stages(networks: Networks, reach: Reach | None = None) -> list[StageDraft]:
    """Return a student's stages; outside of ``reach`` frames are transparent."""
    reach = reach or Reach.everything(CANVAS_SIDE)
    face, body = _StudentFace(networks), _StudentBody(networks, reach)
    return [
        StageDraft("face", face, (), ("face",), slice(0, 39)),
        StageDraft("body", body, (CANVAS, "face"), (FRAME,), slice(0, 45)),
    ]


_STAGES: Final[Mapping[Family, Callable[[Networks], list[StageDraft]]]] = {
    Family.THA1: _stages_1,
    Family.THA2: _stages_2,
    Family.THA3: _stages_3,
    Family.THA4: _stages_4,
    Family.THA4_STUDENT: student_stages,
}


def build_stages(family: Family, networks: Networks) -> list[StageDraft]:
    """Return the stages of a family in the order in which they run, ready to export."""
    return _STAGES[family](networks)


def run_stages(stages: Sequence[StageDraft], canvas: Tensor, pose: Tensor) -> dict[str, Tensor]:
    """Run stages in torch and return every tensor by name."""
    tensors = {CANVAS: canvas}
    for stage in stages:
        inputs = [tensors[name] for name in stage.reads]
        if stage.pose is not None:
            inputs.append(pose[:, stage.pose])
        tensors |= dict(zip(stage.writes, stage.module(*inputs), strict=True))
    return tensors
