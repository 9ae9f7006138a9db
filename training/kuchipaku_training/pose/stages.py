"""The networks as stages of a pose model pack.

`encoder` reads the canvas alone (once per character); `face` morphs the face crop; `flow` turns
the neutral canvas and tells where the face goes; `compose` lays the change of the face over it.

Warping is linear in the picture, so `turn(canvas + change) = turn(canvas) + turn(change)`: the
turned neutral canvas is a function of the head slice alone, and a moving mouth costs one warp of
the window, the part of the frame that a face can reach (rows 0:256, columns 128:384). The rest of
the frame is the turned canvas as it is.
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
from kuchipaku_training.pose.networks import (
    FaceNetwork,
    RotatorNetwork,
    base_grid,
    enlarge,
    sample,
)

_IN_WINDOW = (FACE_TOP - WINDOW_TOP, FACE_LEFT - WINDOW_LEFT)
"""Row and column of the face crop in the window."""


def _line(size: int) -> Tensor:
    """Return the positions of pixel centres; a whole grid would be the largest constant."""
    return base_grid(size)[0, 0, :, 0]


def _grid(line: Tensor, flow: Tensor) -> Tensor:
    """Return the positions of the pixels of a square picture, displaced by `flow`."""
    return torch.stack([flow[:, 0] + line, flow[:, 1] + line[:, None]], -1)


class EncoderStage(nn.Module):
    """Canvas (n, 4, 512, 512) -> the bare face (n, 4, 192, 192), the feature maps of both
    networks."""

    def __init__(self, face: FaceNetwork, rotator: RotatorNetwork) -> None:
        super().__init__()
        self.face = face.encoder
        self.eraser = face.eraser
        self.rotator = rotator.encoder

    def forward(self, canvas: Tensor) -> tuple[Tensor, ...]:
        crop = canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        face = self.face(crop)
        bare = self.eraser(face[0], crop)
        return (bare, *face, *self.rotator(functional.avg_pool2d(canvas, 2)))


class FaceStage(nn.Module):
    """Canvas, facial pose (n, 39), bare face and face features -> morphed crop
    (n, 4, 192, 192)."""

    def __init__(self, face: FaceNetwork) -> None:
        super().__init__()
        self.face = face
        self.register_buffer("line", _line(FACE_SIZE), persistent=False)

    def forward(self, canvas: Tensor, pose: Tensor, bare: Tensor, *features: Tensor) -> Tensor:
        flow, masks, colour = self.face.maps(list(features), pose)
        crop = canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        warped = sample(crop, _grid(self.line, enlarge(flow, 2)))
        return self.face.lay(warped, bare, masks, colour)[0]


class FlowStage(nn.Module):
    """Canvas, head pose (n, 6) and features -> the turned neutral canvas (n, 4, 512, 512), from how
    far its window takes the face (n, 2, 256, 256: x and y, in half sides of the canvas), and how
    much of the face stays visible there (n, 1, 256, 256)."""

    def __init__(self, rotator: RotatorNetwork) -> None:
        super().__init__()
        self.rotator = rotator
        self.register_buffer("line", _line(CANVAS_SIZE), persistent=False)

    def forward(self, canvas: Tensor, pose: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        maps = self.rotator.maps(list(features), pose)
        flow, alpha, fill = self.rotator.full_size(*maps)
        keep = 1.0 - alpha
        turned = sample(canvas, _grid(self.line, flow)) * keep + fill
        return (
            turned,
            flow[:, :, WINDOW_ROWS, WINDOW_COLUMNS],
            keep[:, :, WINDOW_ROWS, WINDOW_COLUMNS],
        )


class ComposeStage(nn.Module):
    """Canvas, morphed crop and the outputs of the flow stage -> the frame's window
    (n, 4, 256, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("line", _line(WINDOW_SIZE), persistent=False)

    def forward(
        self, canvas: Tensor, face: Tensor, turned: Tensor, face_flow: Tensor, keep: Tensor
    ) -> Tensor:
        change = face - canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        top, left = _IN_WINDOW
        below, right = (WINDOW_SIZE - FACE_SIZE - start for start in _IN_WINDOW)
        around = functional.pad(change, (left, right, top, below))
        moved = sample(around, _grid(self.line, face_flow * (CANVAS_SIZE / WINDOW_SIZE)))
        return turned[:, :, WINDOW_ROWS, WINDOW_COLUMNS] + moved * keep


def render_frame(
    face: FaceNetwork, rotator: RotatorNetwork, canvas: Tensor, pose: Tensor
) -> Tensor:
    """Run all stages in torch: canvas (1, 4, 512, 512), pose (n, 45) -> frames (n, 4, 512, 512)."""
    frames = canvas.expand(pose.shape[0], -1, -1, -1)
    features = EncoderStage(face, rotator)(frames)
    count = 1 + len(face.config.decoder_widths)
    morphed = FaceStage(face)(frames, pose[:, :39], *features[:count])
    turned = FlowStage(rotator)(frames, pose[:, 39:], *features[count:])
    window = ComposeStage()(frames, morphed, *turned)
    frames = turned[0].clone()
    frames[:, :, WINDOW_ROWS, WINDOW_COLUMNS] = window
    return frames
