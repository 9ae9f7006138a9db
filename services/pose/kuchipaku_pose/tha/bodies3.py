"""Version 3's networks for head and body: the rotator and the editor.

Source: pkhungurn/talking-head-anime-3-demo, tha3/nn/{two_algo_body_rotator,editor}/ and
tha3/nn/common/{resize_conv_encoder_decoder,resize_conv_unet}.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.tha.blocks import (
    Activation,
    ResidualBlock,
    Style,
    alpha_head,
    colour_head,
    conv_block,
    down_block,
    grid_head,
    leaky_relu,
    relu,
)
from kuchipaku_pose.tha.operators import blend, tile, warp

ROTATION_POSE_SIZE = 6


def _down_activation(style: Style) -> Activation:
    # The author's factory drops the activation's settings for standard down blocks.
    return relu if style is Style.STANDARD else leaky_relu


class RotatorBody(nn.Module):
    """The rotator without its heads."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        down = _down_activation(style)
        self.downsample_blocks = nn.ModuleList(
            [
                conv_block(style, 4 + ROTATION_POSE_SIZE, 64, 7, leaky_relu),
                down_block(style, 64, 128, down),
                down_block(style, 128, 256, down),
                down_block(style, 256, 512, down),
            ]
        )
        self.bottleneck_blocks = nn.ModuleList(
            [ResidualBlock(style, 512, leaky_relu) for _ in range(6)]
        )
        self.upsample_blocks = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="nearest"),
                    conv_block(style, channels, channels // 2, 3, leaky_relu),
                )
                for channels in (512, 256, 128)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in (*self.downsample_blocks, *self.bottleneck_blocks, *self.upsample_blocks):
            x = block(x)
        return x


class TwoAlgoFaceBodyRotator(nn.Module):
    """Turns head and body at half size, (N, 4, 256, 256); pose of 6 numbers."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.encoder_decoder = RotatorBody(style)
        self.direct_creator = colour_head(64)
        self.grid_change_creator = grid_head(64)

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [picture drawn anew, **warped picture**, **offsets**]."""
        feature = self.encoder_decoder(torch.cat([image, tile(pose, image)], dim=1))
        return self.draw([head(feature) for head in self.heads()], image)

    def heads(self) -> list[nn.Module]:
        """Return the heads in the order in which `draw` takes their outputs."""
        return [self.direct_creator, self.grid_change_creator]

    @staticmethod
    def draw(parts: Sequence[Tensor], image: Tensor) -> list[Tensor]:
        """Return what `forward` returns from the heads' outputs."""
        direct, offsets = parts
        return [direct, warp(image, offsets), offsets]


class EditorBody(nn.Module):
    """The editor without its heads: a U-Net."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        down = _down_activation(style)
        self.downsample_blocks = nn.ModuleList(
            [
                conv_block(style, 4 + 4 + 2 + ROTATION_POSE_SIZE, 32, 3, leaky_relu),
                down_block(style, 32, 64, down),
                down_block(style, 64, 128, down),
                down_block(style, 128, 256, down),
            ]
        )
        self.bottleneck_blocks = nn.ModuleList(
            [ResidualBlock(style, 256, leaky_relu) for _ in range(6)]
        )
        self.upsample_blocks = nn.ModuleList(
            [
                conv_block(style, inputs, outputs, 3, leaky_relu)
                for inputs, outputs in ((256 + 128, 128), (128 + 64, 64), (64 + 32, 32))
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.downsample_blocks:
            x = block(x)
            skips.append(x)
        for block in self.bottleneck_blocks:
            x = block(x)
        for block, skip in zip(self.upsample_blocks, skips[-2::-1], strict=True):
            larger = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([larger, skip], dim=1))
        return x


class Editor(nn.Module):
    """Corrects the rotator's result at full size, (N, 4, 512, 512); pose of 6 numbers."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.body = EditorBody(style)
        self.color_change_creator = colour_head(32)
        self.alpha_creator = alpha_head(32, 4)
        self.grid_change_creator = grid_head(32)

    def forward(
        self, original: Tensor, warped: Tensor, offsets: Tensor, pose: Tensor
    ) -> list[Tensor]:
        """Return [**picture**, alpha of 4 channels, colour, warped picture, offsets]."""
        inputs = torch.cat([original, warped, offsets, tile(pose, original)], dim=1)
        feature = self.body(inputs)
        return self.draw([head(feature) for head in self.heads()], original, offsets)

    def heads(self) -> list[nn.Module]:
        """Return the heads in the order in which `draw` takes their outputs."""
        return [self.color_change_creator, self.alpha_creator, self.grid_change_creator]

    @staticmethod
    def draw(parts: Sequence[Tensor], original: Tensor, offsets: Tensor) -> list[Tensor]:
        """Return what `forward` returns from the heads' outputs."""
        colour, alpha, correction = parts
        corrected = offsets + correction
        rewarped = warp(original, corrected)
        return [blend(alpha, colour, rewarped), alpha, colour, rewarped, corrected]
