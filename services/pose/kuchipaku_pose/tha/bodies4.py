"""Version 4's teacher networks for head and body: diffusion-style U-Nets.

Source: pkhungurn/talking-head-anime-4-demo, src/tha4/nn/common/unet.py and
src/tha4/nn/{morpher,upscaler}/.
"""

from __future__ import annotations

from enum import Enum, auto

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.tha.operators import blend, warp

_CONDITION = 256
_HEADS = 8
_POSE_SIZE = 6


class Resample(Enum):
    """What a residual block does to the size."""

    NONE = auto()
    UP = auto()
    DOWN = auto()

    def apply(self, x: Tensor) -> Tensor:
        """Return ``x`` at twice, half or its own size."""
        if self is Resample.UP:
            return functional.interpolate(x, scale_factor=2, mode="nearest")
        if self is Resample.DOWN:
            return functional.avg_pool2d(x, 2)
        return x


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(32, channels), channels, eps=1e-5)


def _modulation(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.SiLU(), nn.Linear(_CONDITION, 2 * channels))


def _modulate(x: Tensor, parameters: Tensor) -> Tensor:
    scale, shift = parameters[:, :, None, None].chunk(2, dim=1)
    return x * (1 + scale) + shift


class TeacherResidualBlock(nn.Module):
    """Two convolutions, each after a norm; time and pose scale and shift between them."""

    def __init__(self, inputs: int, outputs: int, resample: Resample = Resample.NONE) -> None:
        super().__init__()
        self.resample = resample
        self.norm0 = _norm(inputs)
        self.conv0 = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.cond0_layers = _modulation(outputs)
        self.norm1 = _norm(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.cond1_layers = _modulation(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return (N, outputs, H', W') of ``x``, embedded time (1, 256) and pose (N, 256)."""
        h = self.conv0(self.resample.apply(functional.silu(self.norm0(x))))
        h = _modulate(self.norm1(h), self.cond0_layers(time))
        h = _modulate(h, self.cond1_layers(condition))
        h = self.conv1(functional.silu(h))
        x = self.resample.apply(x)
        return (x if self.skip is None else self.skip(x)) + h


class _AttentionBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        depth = channels // _HEADS
        heads = (
            t.reshape(-1, _HEADS, depth, height * width) for t in self.qkv(self.norm(x)).chunk(3, 1)
        )
        query, key, value = heads
        scale = depth**-0.25
        weights = torch.softmax((query * scale).transpose(2, 3) @ (key * scale), dim=-1)
        mixed = (value @ weights.transpose(2, 3)).reshape(-1, channels, height, width)
        attended: Tensor = self.conv(mixed)
        return x + attended


class _Wrapped(nn.Module):
    """Gives an attention block the key prefix that the author's middle blocks have."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        wrapped: Tensor = self.module(x)
        return wrapped


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, last: bool) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList([TeacherResidualBlock(inputs, outputs)])
        self.attention_blocks = nn.ModuleList([_AttentionBlock(outputs)] if last else [])
        self.downsample = None if last else TeacherResidualBlock(outputs, outputs, Resample.DOWN)


class _UpBlock(nn.Module):
    def __init__(self, inputs: tuple[int, int], outputs: int, *, first: bool, last: bool) -> None:
        super().__init__()
        self.resnet_blocks = nn.ModuleList(
            [TeacherResidualBlock(width, outputs) for width in inputs]
        )
        self.attention_blocks = nn.ModuleList(
            [_AttentionBlock(outputs) for _ in inputs] if first else []
        )
        self.upsample = None if last else TeacherResidualBlock(outputs, outputs, Resample.UP)


class _UNet(nn.Module):
    """One residual block per level downwards, two upwards; 7 channels out."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        first, deepest = widths[0], widths[-1]
        self.time_embed = nn.Sequential(
            nn.Identity(),
            nn.Linear(first, _CONDITION),
            nn.SiLU(),
            nn.Linear(_CONDITION, _CONDITION),
        )
        self.cond_embed = nn.Sequential(
            nn.Linear(_POSE_SIZE, _CONDITION), nn.SiLU(), nn.Linear(_CONDITION, _CONDITION)
        )
        self.first_conv = nn.Conv2d(4, first, 3, 1, 1)
        inputs = (first, *widths[:-1])
        skips = [first]
        self.down_blocks = nn.ModuleList()
        for level, (before, width) in enumerate(zip(inputs, widths, strict=True)):
            last = level == len(widths) - 1
            self.down_blocks.append(_DownBlock(before, width, last=last))
            skips += [width] if last else [width, width]
        self.middle_blocks = nn.ModuleList()
        for _ in range(3):
            self.middle_blocks.append(TeacherResidualBlock(deepest, deepest))
            self.middle_blocks.append(_Wrapped(_AttentionBlock(deepest)))
        self.middle_blocks.append(TeacherResidualBlock(deepest, deepest))
        self.up_blocks = nn.ModuleList()
        width = deepest
        for level in reversed(range(len(widths))):
            outputs = widths[level]
            sizes = (width + skips.pop(), outputs + skips.pop())
            first_up, last_up = level == len(widths) - 1, level == 0
            self.up_blocks.append(_UpBlock(sizes, outputs, first=first_up, last=last_up))
            width = outputs
        self.last = nn.Sequential(_norm(first), nn.SiLU(), nn.Conv2d(first, 7, 3, 1, 1))

    def time_embedding(self) -> Tensor:
        """Return the embedding of diffusion step 0, (1, 256): cosines of 0, then sines of 0."""
        half = self.first_conv.out_channels // 2
        like = self.first_conv.weight
        step = torch.cat([like.new_ones(1, half), like.new_zeros(1, half)], dim=1)
        embedding: Tensor = self.time_embed(step)
        return embedding

    def forward(self, feature: Tensor, pose: Tensor) -> Tensor:
        """Return (N, 7, S, S) of the first convolution's result and a pose (N, 6)."""
        time, condition = self.time_embedding(), self.cond_embed(pose)
        h = feature
        skips = [h]
        for block in self.down_blocks:
            h = block.res_blocks[0](h, time, condition)
            for attention in block.attention_blocks:
                h = attention(h)
            skips.append(h)
            if block.downsample is not None:
                h = block.downsample(h, time, condition)
                skips.append(h)
        for i, block in enumerate(self.middle_blocks):
            h = block(h) if i % 2 else block(h, time, condition)
        for block in self.up_blocks:
            for i, residual in enumerate(block.resnet_blocks):
                h = residual(torch.cat([h, skips.pop()], dim=1), time, condition)
                if len(block.attention_blocks):
                    h = block.attention_blocks[i](h)
            if block.upsample is not None:
                h = block.upsample(h, time, condition)
        result: Tensor = self.last(h)
        return result


def _compose(result: Tensor, image: Tensor) -> list[Tensor]:
    direct, offsets = result[:, :4], result[:, 4:6]
    alpha = torch.sigmoid(result[:, 6:7])
    warped = warp(image, offsets)
    return [blend(alpha, direct, warped), alpha, warped, offsets, direct]


class TeacherBodyMorpher(nn.Module):
    """Turns head and body at half size, (N, 4, 256, 256); pose of 6 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _UNet((64, 128, 256, 256, 256))

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**picture**, alpha, warped picture, **offsets**, direct colour]."""
        return _compose(self.body(self.body.first_conv(image), pose), image)


class Upscaler(nn.Module):
    """Repeats the turn at full size, (N, 4, 512, 512), led by the half-size result."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _UNet((32, 64, 128, 256, 256, 256))
        self.coarse_image_conv = nn.Conv2d(10, 32, 3, 1, 1)

    def forward(
        self, rest: Tensor, coarse: Tensor, coarse_offsets: Tensor, pose: Tensor
    ) -> list[Tensor]:
        """Return [**picture**, alpha, warped picture, offsets, direct colour]."""
        hints = torch.cat([coarse, warp(rest, coarse_offsets), coarse_offsets], dim=1)
        feature = self.body.first_conv(rest) + self.coarse_image_conv(hints)
        return _compose(self.body(feature, pose), rest)
