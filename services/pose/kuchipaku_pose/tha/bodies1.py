"""Version 1's networks; version 2 uses the rotator and the combiner too.

In these networks opacity means the opposite of what it means later: 1 keeps the picture. Source:
pkhungurn/talking-head-anime-demo, nn/ and tha/.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kuchipaku_pose.tha.blocks import InstanceNorm, Style, conv_block, down_block, relu, up_block
from kuchipaku_pose.tha.operators import blend, identity_grid, sample, tile

POSE_SIZE = 3
_STYLE = Style.STANDARD


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm1 = InstanceNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = InstanceNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        residual: Tensor = self.norm2(self.conv2(inner))
        return x + residual


def _head(outputs: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(64, outputs, 7, 1, 3, bias=False), activation)


def _downward(inputs: int) -> list[nn.Module]:
    return [
        conv_block(_STYLE, inputs, 64, 7, relu),
        down_block(_STYLE, 64, 128, relu),
        down_block(_STYLE, 128, 256, relu),
        down_block(_STYLE, 256, 512, relu),
    ]


class _EncoderDecoder(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(
            [
                *_downward(inputs),
                *(_ResidualBlock(512) for _ in range(6)),
                up_block(_STYLE, 512, 256, relu),
                up_block(_STYLE, 256, 128, relu),
                up_block(_STYLE, 128, 64, relu),
            ]
        )

    def forward(self, image: Tensor, pose: Tensor) -> Tensor:
        x = torch.cat([image, tile(pose, image)], dim=1)
        for module in self.module_list:
            x = module(x)
        return x


class FaceMorpher1(nn.Module):
    """Moves eyes and mouth of a picture (N, 4, 256, 256); pose of 3 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.main_body = _EncoderDecoder(4 + POSE_SIZE)
        self.color_change = _head(4, nn.Tanh())
        self.alpha_mask = _head(4, nn.Sigmoid())

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**picture**, alpha of 4 channels, colour]."""
        feature = self.main_body(image, pose)
        colour = self.color_change(feature)
        alpha = self.alpha_mask(feature)
        return [blend(alpha, image, colour), alpha, colour]


class TwoAlgoFaceRotator(nn.Module):
    """Turns the head in a picture (N, 4, 256, 256) in two ways; pose of 3 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.main_body = _EncoderDecoder(4 + POSE_SIZE)
        self.pumarola_color_change = _head(4, nn.Tanh())
        self.pumarola_alpha_mask = _head(4, nn.Sigmoid())
        self.zhou_grid_change = nn.Conv2d(64, 2, 7, 1, 3, bias=False)

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**picture drawn anew**, **warped picture**, colour, alpha, offsets (N, 2, H, W)].

        Version 1 returns the offsets as (N, H, W, 2), and the grid after them.
        """
        feature = self.main_body(image, pose)
        colour = self.pumarola_color_change(feature)
        alpha = self.pumarola_alpha_mask(feature)
        offsets = self.zhou_grid_change(feature)
        base = identity_grid(*offsets.shape[2:], corners=True).to(offsets)
        warped = sample(image, base + offsets.permute(0, 2, 3, 1), corners=True)
        return [blend(alpha, image, colour), warped, colour, alpha, offsets]


class _UNet(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.downward_modules = nn.ModuleList(_downward(inputs))
        self.bottleneck_modules = nn.ModuleList([_ResidualBlock(512) for _ in range(6)])
        self.upsampling_modules = nn.ModuleList(
            [
                conv_block(_STYLE, 128, 64, 7, relu),
                up_block(_STYLE, 256, 64, relu),
                up_block(_STYLE, 512, 128, relu),
                up_block(_STYLE, 512, 256, relu),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for module in self.downward_modules:
            x = module(x)
            skips.append(x)
        for module in self.bottleneck_modules:
            x = module(x)
        x = self.upsampling_modules[3](x)
        for level in (2, 1, 0):
            x = self.upsampling_modules[level](torch.cat([x, skips[level]], dim=1))
        return x


class Combiner(nn.Module):
    """Chooses between the rotator's two pictures (N, 4, 256, 256) and retouches; pose of 3."""

    def __init__(self) -> None:
        super().__init__()
        self.main_body = _UNet(4 + 4 + POSE_SIZE)
        self.combine_alpha_mask = _head(4, nn.Sigmoid())
        self.retouch_alpha_mask = _head(4, nn.Sigmoid())
        self.retouch_color_change = _head(4, nn.Tanh())

    def forward(self, first: Tensor, second: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**picture**, combined, combine alpha, retouch alpha, retouch colour]."""
        feature = self.main_body(torch.cat([first, second, tile(pose, first)], dim=1))
        combine_alpha = self.combine_alpha_mask(feature)
        retouch_alpha = self.retouch_alpha_mask(feature)
        colour = self.retouch_color_change(feature)
        combined = blend(combine_alpha, first, second)
        picture = blend(retouch_alpha, combined, colour)
        return [picture, combined, combine_alpha, retouch_alpha, colour]
