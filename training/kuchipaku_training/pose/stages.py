"""The networks as stages of a pose model pack.

`encoder` reads the canvas alone (once per character); `face` morphs the face crop; `flow` turns
the neutral canvas and tells where the face goes; `compose` lays the change of the face over it.

Warping is linear in the picture, so `turn(canvas + change) = turn(canvas) + turn(change)`: the
turned neutral canvas is a function of the head slice alone, and a moving mouth costs one warp of
the part of the frame that a face can reach (rows 0:256, columns 128:384).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_training.pose.layout import (
    CANVAS_SIZE,
    FACE_COLUMNS,
    FACE_LEFT,
    FACE_ROWS,
    FACE_SIZE,
    FACE_TOP,
    WINDOW_COLUMNS,
    WINDOW_LEFT,
    WINDOW_ROWS,
    WINDOW_SIZE,
    WINDOW_TOP,
)
from kuchipaku_training.pose.networks import FaceNetwork, RotatorNetwork, base_grid, sample


class EncoderStage(nn.Module):
    """Canvas (n, 4, 512, 512) -> the feature maps of both networks."""

    def __init__(self, face: FaceNetwork, rotator: RotatorNetwork) -> None:
        super().__init__()
        self.face = face.encoder
        self.rotator = rotator.encoder

    def forward(self, canvas: Tensor) -> tuple[Tensor, ...]:
        face = self.face(canvas[:, :, FACE_ROWS, FACE_COLUMNS])
        return (*face, *self.rotator(functional.avg_pool2d(canvas, 2)))


class FaceStage(nn.Module):
    """Canvas, facial pose (n, 39) and face features -> morphed crop (n, 4, 192, 192)."""

    def __init__(self, face: FaceNetwork) -> None:
        super().__init__()
        self.face = face

    def forward(self, canvas: Tensor, pose: Tensor, *features: Tensor) -> Tensor:
        crop = canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        return self.face.compose(crop, list(features), pose).picture


class FlowStage(nn.Module):
    """Canvas, head pose (n, 6) and features -> the turned neutral canvas (n, 4, 512, 512), where
    its window takes the face crop from (n, 256, 256, 2), and how much of the face stays visible
    there (n, 1, 256, 256)."""

    def __init__(self, rotator: RotatorNetwork) -> None:
        super().__init__()
        self.rotator = rotator
        # Pixel centres of one row; a whole grid would be the largest constant of the pack.
        self.register_buffer("line", base_grid(CANVAS_SIZE)[0, 0, :, 0], persistent=False)

    def forward(self, canvas: Tensor, pose: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        maps = self.rotator.maps(list(features), pose)
        flow, alpha, fill = self.rotator.full_size(*maps)
        keep = 1.0 - alpha
        grid = torch.stack([flow[:, 0] + self.line, flow[:, 1] + self.line[:, None]], -1)
        turned = sample(canvas, grid) * keep + fill
        # From -1..1 over the canvas to -1..1 over the face crop.
        gain = CANVAS_SIZE / FACE_SIZE
        middle = torch.tensor([FACE_LEFT, FACE_TOP]) + FACE_SIZE / 2
        middle = middle * (2.0 / CANVAS_SIZE) - 1.0
        face_grid = (grid[:, WINDOW_ROWS, WINDOW_COLUMNS] - middle) * gain
        return turned, face_grid, keep[:, :, WINDOW_ROWS, WINDOW_COLUMNS]


class ComposeStage(nn.Module):
    """Canvas, morphed crop and the outputs of the flow stage -> frame (n, 4, 512, 512)."""

    def forward(
        self, canvas: Tensor, face: Tensor, turned: Tensor, face_grid: Tensor, keep: Tensor
    ) -> Tensor:
        change = face - canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        moved = sample(change, face_grid)
        below = CANVAS_SIZE - WINDOW_TOP - WINDOW_SIZE
        right = CANVAS_SIZE - WINDOW_LEFT - WINDOW_SIZE
        return turned + functional.pad(moved * keep, (WINDOW_LEFT, right, WINDOW_TOP, below))


def render_frame(
    face: FaceNetwork, rotator: RotatorNetwork, canvas: Tensor, pose: Tensor
) -> Tensor:
    """Run all stages in torch: canvas (1, 4, 512, 512), pose (n, 45) -> frames (n, 4, 512, 512)."""
    frames = canvas.expand(pose.shape[0], -1, -1, -1)
    features = EncoderStage(face, rotator)(frames)
    count = len(face.config.decoder_widths)
    morphed = FaceStage(face)(frames, pose[:, :39], *features[:count])
    turned = FlowStage(rotator)(frames, pose[:, 39:], *features[count:])
    return ComposeStage()(frames, morphed, *turned)
