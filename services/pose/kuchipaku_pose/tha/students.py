"""Version 4's student networks: one character each, sines of pixel position and pose.

Source: pkhungurn/talking-head-anime-4-demo, src/tha4/nn/siren/; sinusoidal networks: Sitzmann et
al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kuchipaku_pose.tha.operators import blend, pixel_centres, resize, tile, warp

OMEGA = 30.0
"""Frequency factor of every layer."""
FACE_POSE_SIZE = 39
POSE_SIZE = 45
FACE_SIDE = 128
LEVEL_SIDES = (128, 256, 512)
_BODY_WIDTHS = ((360, 360, 180), (180, 180, 90), (90, 90, 90))


def positions(size: int) -> Tensor:
    """Return the pixel centres of a square picture, (1, 2, size, size): x, then y."""
    rows, columns = torch.meshgrid(pixel_centres(size), pixel_centres(size), indexing="ij")
    return torch.stack([columns, rows])[None]


class SineLayer(nn.Module):
    """sin(30 (W x + b)) at every pixel."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H, W) of (N, inputs, H, W)."""
        return torch.sin(OMEGA * self.linear(x))


class _Siren(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inputs = (2 + FACE_POSE_SIZE, *(128 for _ in range(7)))
        self.sine_layers = nn.ModuleList([SineLayer(width, 128) for width in inputs])
        self.last_linear = nn.Conv2d(128, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.sine_layers:
            x = layer(x)
        colour: Tensor = self.last_linear(x)
        return colour


class StudentFaceMorpher(nn.Module):
    """Draws the character's face, (N, 4, 128, 128), from 39 pose numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.siren = _Siren()

    def forward(self, pose: Tensor) -> list[Tensor]:
        """Return [**face**]."""
        place = positions(FACE_SIDE).to(pose).expand(pose.shape[0], -1, -1, -1)
        return [self.siren(torch.cat([place, tile(pose, place)], dim=1))]


class StudentBodyMorpher(nn.Module):
    """Moves the whole picture (N, 4, 512, 512); pose of 45 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.siren_layers = nn.ModuleList()
        carried = 0
        for widths in _BODY_WIDTHS:
            inputs = (carried + 2 + POSE_SIZE, *widths[:-1])
            self.siren_layers.append(
                nn.ModuleList([SineLayer(a, b) for a, b in zip(inputs, widths, strict=True)])
            )
            carried = widths[-1]
        self.last_linear = nn.Conv2d(carried, 7, 1)

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**picture**, alpha, colour, warped picture, offsets]."""
        x: Tensor | None = None
        for side, layers in zip(LEVEL_SIDES, self.siren_layers, strict=True):
            place = positions(side).to(pose).expand(pose.shape[0], -1, -1, -1)
            inputs = [place, tile(pose, place)]
            x = torch.cat(inputs if x is None else [resize(x, side), *inputs], dim=1)
            for layer in layers:
                x = layer(x)
        result = self.last_linear(x)
        offsets, alpha, colour = result[:, :2], result[:, 2:3], result[:, 3:7]
        warped = warp(image, offsets)
        return [blend(alpha, colour, warped), alpha, colour, warped, offsets]
