"""Building blocks of versions 1 to 3, and of the brow and face networks of version 4.

Convolutions carry no bias; every one that opens a block is followed by an instance normalisation.
In the separable variants each convolution is a depthwise and a pointwise one with nothing between.
Source: pkhungurn/talking-head-anime-3-demo, tha3/nn/common/.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.tha.operators import tile

Activation = Callable[[], nn.Module]


class Style(StrEnum):
    """How convolutions are made."""

    STANDARD = "standard"
    SEPARABLE = "separable"


class InstanceNorm(nn.Module):
    """Instance normalisation with scale and shift, eps 1e-5, no running statistics."""

    eps = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of each picture of ``x`` (N, C, H, W) over its pixels."""
        return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def relu() -> nn.Module:
    """Return the activation of most networks."""
    return nn.ReLU()


def leaky_relu() -> nn.Module:
    """Return the activation of version 3's rotator and editor."""
    return nn.LeakyReLU(0.1)


def _convolution(
    style: Style, inputs: int, outputs: int, kernel: int, *, stride: int = 1
) -> list[nn.Module]:
    padding = (kernel - 1) // 2
    if style is Style.STANDARD:
        return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)]
    return [
        nn.Conv2d(inputs, inputs, kernel, stride, padding, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
    ]


def conv_block(
    style: Style, inputs: int, outputs: int, kernel: int, activation: Activation
) -> nn.Sequential:
    """Return a convolution that keeps the size, with norm and activation."""
    layers = _convolution(style, inputs, outputs, kernel)
    return nn.Sequential(*layers, InstanceNorm(outputs), activation())


def down_block(style: Style, inputs: int, outputs: int, activation: Activation) -> nn.Sequential:
    """Return a 4x4 convolution that halves the size, with norm and activation."""
    layers = _convolution(style, inputs, outputs, 4, stride=2)
    return nn.Sequential(*layers, InstanceNorm(outputs), activation())


def up_block(style: Style, inputs: int, outputs: int, activation: Activation) -> nn.Sequential:
    """Return a transposed 4x4 convolution that doubles the size, with norm and activation."""
    if style is Style.STANDARD:
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
    else:
        layers = [
            nn.ConvTranspose2d(inputs, inputs, 4, 2, 1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        ]
    return nn.Sequential(*layers, InstanceNorm(outputs), activation())


class ResidualBlock(nn.Module):
    """``x`` plus two convolutions with norms and an activation between them."""

    def __init__(self, style: Style, channels: int, activation: Activation) -> None:
        super().__init__()

        def convolution() -> nn.Module:
            layers = _convolution(style, channels, channels, 3)
            return layers[0] if len(layers) == 1 else nn.Sequential(*layers)

        self.resnet_path = nn.Sequential(
            convolution(),
            InstanceNorm(channels),
            activation(),
            convolution(),
            InstanceNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``."""
        residual: Tensor = self.resnet_path(x)
        return x + residual


class PoseEncoderDecoder(nn.Module):
    """Encoder to an eighth of the size, where the pose joins, six blocks, decoder to 64 channels.

    Source: tha3/nn/common/poser_encoder_decoder_00.py and ..._00_separable.py.
    """

    def __init__(self, style: Style, inputs: int, pose_size: int) -> None:
        super().__init__()
        self.downsample_blocks = nn.ModuleList(
            [
                conv_block(style, inputs, 64, 3, relu),
                down_block(style, 64, 128, relu),
                down_block(style, 128, 256, relu),
                down_block(style, 256, 512, relu),
            ]
        )
        self.bottleneck_blocks = nn.ModuleList(
            [
                conv_block(style, 512 + pose_size, 512, 3, relu),
                *(ResidualBlock(style, 512, relu) for _ in range(5)),
            ]
        )
        self.upsample_blocks = nn.ModuleList(
            [
                up_block(style, 512, 256, relu),
                up_block(style, 256, 128, relu),
                up_block(style, 128, 64, relu),
            ]
        )

    def encode(self, image: Tensor) -> Tensor:
        """Return (N, 512, S/8, S/8) of ``image`` (N, C, S, S); the pose plays no part."""
        for block in self.downsample_blocks:
            image = block(image)
        return image

    def decode(self, feature: Tensor, pose: Tensor | None = None) -> Tensor:
        """Return (N, 64, S, S) of an encoded picture and a pose (N, P)."""
        if pose is not None:
            feature = torch.cat([feature, tile(pose, feature)], dim=1)
        for block in (*self.bottleneck_blocks, *self.upsample_blocks):
            feature = block(feature)
        return feature

    def forward(self, image: Tensor, pose: Tensor | None = None) -> Tensor:
        """Encode and decode."""
        return self.decode(self.encode(image), pose)


def alpha_head(channels: int, outputs: int = 1) -> nn.Sequential:
    """Return a head for opacities in [0, 1]; never separable."""
    return nn.Sequential(nn.Conv2d(channels, outputs, 3, 1, 1), nn.Sigmoid())


def colour_head(channels: int) -> nn.Sequential:
    """Return a head for RGBA in [-1, 1]; never separable."""
    return nn.Sequential(nn.Conv2d(channels, 4, 3, 1, 1), nn.Tanh())


def grid_head(channels: int) -> nn.Conv2d:
    """Return a head for sampling offsets; never separable."""
    return nn.Conv2d(channels, 2, 3, 1, 1, bias=False)
