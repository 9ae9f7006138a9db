"""The student networks for inference: the same functions, a third of the arithmetic.

- Positions and pose enter by sums: what every pixel shares is added, not carried in channels.
- A 1x1 convolution and a bilinear scaling commute: the convolution runs at the smaller size.
- Only what the character can reach of the canvas is computed (`kuchipaku_pose.tha.reach`); around
  it the picture is transparent. The work goes part by part, so that values stay in the cache.
- The factor 30 is part of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.tha.operators import blend, identity_grid, pixel_centres, sample
from kuchipaku_pose.tha.reach import Reach, Rectangle
from kuchipaku_pose.tha.students import (
    FACE_SIDE,
    LEVEL_SIDES,
    OMEGA,
    POSE_SIZE,
    SineLayer,
    StudentBodyMorpher,
    StudentFaceMorpher,
)

CANVAS_SIDE = LEVEL_SIDES[-1]
TRANSPARENT = -1.0


class SharedFirstLayer(nn.Module):
    """A layer's terms that do not come from the layer before: position, pose, bias."""

    def __init__(self, layer: SineLayer, side: int) -> None:
        super().__init__()
        weight = OMEGA * layer.linear.weight.detach()[:, :, 0, 0]
        carried = weight.shape[1] - 2 - _pose_size(layer)
        x, y, pose = weight[:, carried], weight[:, carried + 1], weight[:, carried + 2 :]
        centres = pixel_centres(side)
        self.rows = nn.Parameter((y[:, None] * centres)[None, :, :, None])
        self.columns = nn.Parameter((x[:, None] * centres)[None, :, None, :])
        self.pose = nn.Linear(pose.shape[1], pose.shape[0])
        self.pose.weight.data = pose.clone()
        self.pose.bias.data = OMEGA * layer.linear.bias.detach()

    def along_columns(self, pose: Tensor) -> Tensor:
        """Return what depends on the column and the pose, (N, C, 1, side)."""
        return self.columns + self.pose(pose)[:, :, None, None]

    def forward(self, columns: Tensor, part: Rectangle, carried: Tensor | None = None) -> Tensor:
        """Return the layer's output (N, C, h, w) in ``part`` before the sine."""
        here = columns[:, :, :, part.left : part.right]
        rows = self.rows[:, :, part.top : part.bottom]
        return rows + here if carried is None else carried + here + rows


def _pose_size(layer: SineLayer) -> int:
    # The face's first layer has no carried channels; the body's pose is the longer one.
    inputs = layer.linear.in_channels
    return inputs - 2 if inputs < 2 + POSE_SIZE else POSE_SIZE


class ScaledLinear(nn.Module):
    """A 1x1 convolution with the sine's factor in its weights."""

    def __init__(self, layer: SineLayer) -> None:
        super().__init__()
        inputs, outputs = layer.linear.in_channels, layer.linear.out_channels
        self.linear = nn.Conv2d(inputs, outputs, 1)
        self.linear.weight.data = OMEGA * layer.linear.weight.detach()
        self.linear.bias.data = OMEGA * layer.linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output before the sine."""
        result: Tensor = self.linear(x)
        return result


class ServedStudentFace(nn.Module):
    """`StudentFaceMorpher` for inference."""

    def __init__(self, network: StudentFaceMorpher) -> None:
        super().__init__()
        first, *others = network.siren.sine_layers
        self.whole = Rectangle(0, 0, FACE_SIDE, FACE_SIDE)
        self.first = SharedFirstLayer(first, FACE_SIDE)
        self.others = nn.Sequential(*(ScaledLinear(layer) for layer in others))
        self.last = network.siren.last_linear

    def forward(self, pose: Tensor) -> Tensor:
        """Return the face (N, 4, 128, 128) of pose (N, 39)."""
        x = torch.sin(self.first(self.first.along_columns(pose), self.whole))
        for layer in self.others:
            x = torch.sin(layer(x))
        face: Tensor = self.last(x)
        return face


class _Level(nn.Module):
    """The layers at one size, and what the next size takes from them."""

    def __init__(self, layers: Any, side: int, following: nn.Conv2d) -> None:
        super().__init__()
        first, *others = layers
        self.shared = SharedFirstLayer(first, side)
        self.others = nn.Sequential(*(ScaledLinear(layer) for layer in others))
        self.following = following

    def forward(self, columns: Tensor, part: Rectangle, carried: Tensor | None) -> Tensor:
        x = torch.sin(self.shared(columns, part, carried))
        for layer in self.others:
            x = torch.sin(layer(x))
        result: Tensor = self.following(x)
        return result


def _carry(layer: SineLayer) -> nn.Conv2d:
    """The share of a level's first layer that reads the level before."""
    carried = layer.linear.in_channels - 2 - POSE_SIZE
    convolution = nn.Conv2d(carried, layer.linear.out_channels, 1, bias=False)
    convolution.weight.data = OMEGA * layer.linear.weight.detach()[:, :carried]
    return convolution


def enlarged(smaller: Tensor, part: Rectangle) -> Tensor:
    """Return ``part`` of ``smaller`` scaled to twice its size, bilinear."""
    side = int(smaller.shape[2])
    source = part.halved(side)
    window = smaller[:, :, source.top : source.bottom, source.left : source.right]
    large = functional.interpolate(window, scale_factor=2, mode="bilinear", align_corners=False)
    top, left = part.top - 2 * source.top, part.left - 2 * source.left
    return large[:, :, top : top + part.height, left : left + part.width]


def assemble(
    pieces: Sequence[Tensor], parts: Sequence[Rectangle], side: int, value: float
) -> Tensor:
    """Return a square picture with ``pieces`` at ``parts`` and ``value`` elsewhere.

    The parts come from the top down in bands of equal rows, and from the left in each.
    """
    bands: dict[tuple[int, int], list[Tensor]] = {}
    ends: dict[tuple[int, int], int] = {}
    for piece, part in zip(pieces, parts, strict=True):
        band = (part.top, part.bottom)
        row = bands.setdefault(band, [])
        row.append(functional.pad(piece, (part.left - ends.get(band, 0), 0), value=value))
        ends[band] = part.right
    rows = []
    reached = 0
    for (top, bottom), row in bands.items():
        line = torch.cat(row, dim=3) if len(row) > 1 else row[0]
        around = (0, side - ends[top, bottom], top - reached, 0)
        rows.append(functional.pad(line, around, value=value))
        reached = bottom
    rows[-1] = functional.pad(rows[-1], (0, 0, 0, side - reached), value=value)
    return torch.cat(rows, dim=2) if len(rows) > 1 else rows[0]


class ServedStudentBody(nn.Module):
    """`StudentBodyMorpher` for inference, where the character can be."""

    def __init__(self, network: StudentBodyMorpher, reach: Reach) -> None:
        super().__init__()
        levels: Any = network.siren_layers
        following = [*(_carry(layers[0]) for layers in levels[1:]), network.last_linear]
        self.parts = reach.levels(LEVEL_SIDES)
        self.levels = nn.ModuleList(
            [
                _Level(layers, side, convolution)
                for layers, side, convolution in zip(levels, LEVEL_SIDES, following, strict=True)
            ]
        )
        self.grid = nn.Parameter(identity_grid(CANVAS_SIDE, CANVAS_SIDE))

    def forward(self, image: Tensor, pose: Tensor) -> Tensor:
        """Return the picture (N, 4, 512, 512) of ``image`` with its face and of pose (N, 45)."""
        smaller = None
        for level, parts, side in zip(self.levels, self.parts, LEVEL_SIDES, strict=True):
            columns = level.shared.along_columns(pose)
            pieces = []
            for part in parts:
                carried = None if smaller is None else enlarged(smaller, part)
                piece = level(columns, part, carried)
                pieces.append(piece if side < CANVAS_SIDE else self._picture(image, piece, part))
            smaller = assemble(pieces, parts, side, 0.0 if side < CANVAS_SIDE else TRANSPARENT)
        return smaller

    def _picture(self, image: Tensor, result: Tensor, part: Rectangle) -> Tensor:
        offsets, alpha, colour = result[:, :2], result[:, 2:3], result[:, 3:7]
        base = self.grid[:, part.top : part.bottom, part.left : part.right]
        return blend(alpha, colour, sample(image, base + offsets.permute(0, 2, 3, 1)))
