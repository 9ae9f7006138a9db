"""The networks rewritten for inference: the same functions of the same weights, cheaper.

What is rewritten, and why onnxruntime's CPU provider gains by it:

- Its InstanceNormalization sums up naively: off by 1e-3 at 512x512. Larger maps get means of row
  means instead, and the scaling as a BatchNormalization, one pass over memory.
- Heads that read the same map become one convolution: each would be padded to 16 channels.
- A convolution of concatenated maps becomes a sum of convolutions: the maps are never copied.
- A depthwise transposed convolution becomes four depthwise convolutions at the smaller size.
- Channel counts are filled up with zeros to a multiple of 16, the width of its vectors.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_pose.tha.blocks import InstanceNorm, PoseEncoderDecoder
from kuchipaku_pose.tha.bodies3 import EditorBody
from kuchipaku_pose.tha.bodies4 import TeacherResidualBlock
from kuchipaku_pose.tha.operators import tile

VECTOR = 16
LARGEST_NATIVE_SIDE = 64
"""Largest map that onnxruntime's own instance normalisation is exact enough for."""


def sizes(x: Tensor) -> tuple[int, int]:
    """Return height and width as numbers, which a trace takes for constants."""
    return int(x.shape[2]), int(x.shape[3])


def normalise(x: Tensor, groups: int | None, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalise groups of channels of each picture, with sums that are made of row sums.

    Args:
        x: (N, C, H, W).
        groups: number of groups of channels; None: each channel alone.
        scale: (C,), (1, C) or (N, C), applied to the normalised values.
        shift: likewise, added after it.
        eps: added to the variance.
    """
    height, width = sizes(x)
    channels = int(x.shape[1])
    rows = x if groups is None else x.reshape(-1, groups, channels // groups * height, width)
    # Centred first: the mean of squares less the square of the mean would lose digits.
    centred = rows - _mean(rows)
    variance = _mean(centred * centred)
    if groups is not None:
        variance = variance.repeat_interleave(channels // groups, 1)
    variance = variance.reshape(-1)
    # One batch of all pictures' channels: the operator knows no numbers of its own per picture.
    flat = functional.batch_norm(
        centred.reshape(1, -1, height, width),
        torch.zeros_like(variance),
        variance,
        scale.expand(x.shape[0], channels).reshape(-1),
        shift.expand(x.shape[0], channels).reshape(-1),
        training=False,
        eps=eps,
    )
    return flat.reshape(-1, channels, height, width)


def _mean(x: Tensor) -> Tensor:
    return x.mean(3, keepdim=True).mean(2, keepdim=True)


class ExactInstanceNorm(nn.Module):
    """Instance normalisation that stays exact on large maps."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """See `InstanceNorm`."""
        if max(sizes(x)) <= LARGEST_NATIVE_SIDE:
            return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        return normalise(x, None, self.weight, self.bias, self.eps)


class ExactGroupNorm(nn.Module):
    """Group normalisation that stays exact on large maps."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return self.modulated(x, ())

    def modulated(self, x: Tensor, modulations: Sequence[Tensor]) -> Tensor:
        """Normalise, then scale and shift by each of ``modulations`` (N or 1, 2C) in turn."""
        scale, shift = self.norm.weight[None], self.norm.bias[None]
        for modulation in modulations:
            factor, offset = modulation.chunk(2, dim=1)
            scale, shift = scale * (1 + factor), shift * (1 + factor) + offset
        return normalise(x, self.norm.num_groups, scale, shift, self.norm.eps)


class ServedTeacherBlock(nn.Module):
    """A teacher's residual block with its norm and both modulations in one pass."""

    def __init__(self, block: TeacherResidualBlock) -> None:
        super().__init__()
        self.block = block
        self.norm0, self.norm1 = ExactGroupNorm(block.norm0), ExactGroupNorm(block.norm1)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """See `TeacherResidualBlock`."""
        block = self.block
        h = block.conv0(block.resample.apply(functional.silu(self.norm0(x))))
        modulations = (block.cond0_layers(time), block.cond1_layers(condition))
        h = block.conv1(functional.silu(self.norm1.modulated(h, modulations)))
        x = block.resample.apply(x)
        return (x if block.skip is None else block.skip(x)) + h


class BlockHead(nn.Module):
    """A 3x3 convolution to few channels that computes whole blocks of pixels at a time.

    onnxruntime pads channels to 16; here the pixels of a block fill them up. Two outputs in blocks
    of 2x4 pixels take a third of the arithmetic.
    """

    rows, columns = 2, 4

    def __init__(self, head: nn.Conv2d) -> None:
        super().__init__()
        self.outputs = head.out_channels
        kernel = torch.zeros(
            self.rows, self.columns, *head.weight.shape[:2], self.rows + 2, self.columns + 2
        )
        for row in range(self.rows):
            for column in range(self.columns):
                kernel[row, column, :, :, row : row + 3, column : column + 3] = head.weight.detach()
        pixels = self.rows * self.columns
        self.convolution = nn.Conv2d(
            head.in_channels,
            pixels * self.outputs,
            (self.rows + 2, self.columns + 2),
            (self.rows, self.columns),
            1,
        )
        bias = torch.zeros(self.outputs) if head.bias is None else head.bias.detach()
        self.convolution.weight.data = kernel.flatten(0, 2)
        self.convolution.bias.data = bias.repeat(pixels)

    def forward(self, feature: Tensor) -> Tensor:
        """Return the convolution of (N, C, H, W); H and W are multiples of the block's."""
        height, width = sizes(feature)
        blocks = self.convolution(feature).reshape(
            -1, self.rows, self.columns, self.outputs, height // self.rows, width // self.columns
        )
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(-1, self.outputs, height, width)


class FusedHeads(nn.Module):
    """Several 'same'-sized convolution heads with one input as one convolution."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        convolutions, self.activations = [], nn.ModuleList()
        for head in heads:
            convolution, *rest = head if isinstance(head, nn.Sequential) else (head,)
            convolutions.append(convolution)
            self.activations.append(nn.Sequential(*rest))
        self.widths = [c.out_channels for c in convolutions]
        first = convolutions[0]
        self.convolution = nn.Conv2d(
            first.in_channels, sum(self.widths), first.kernel_size, padding=first.padding
        )
        with torch.no_grad():
            self.convolution.weight.copy_(torch.cat([c.weight for c in convolutions]))
            biases = [
                torch.zeros(c.out_channels) if c.bias is None else c.bias for c in convolutions
            ]
            self.convolution.bias.copy_(torch.cat(biases))

    def forward(self, feature: Tensor) -> list[Tensor]:
        """Return each head's output, in the order of construction."""
        parts = self.convolution(feature).split(self.widths, dim=1)
        return [act(part) for act, part in zip(self.activations, parts, strict=True)]


class _ToPicture(torch.autograd.Function):
    """Four maps (N, 4C, H, W), one per corner of each pixel, interleaved to (N, C, 2H, 2W)."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        corners = x.reshape(n, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
        return corners.reshape(n, channels // 4, 2 * height, 2 * width)

    @staticmethod
    def symbolic(graph: Any, x: Any) -> Any:
        return graph.op("DepthToSpace", x, blocksize_i=2, mode_s="DCR")


class _InBlocks(torch.autograd.Function):
    """Nothing, as an operator that onnxruntime does on maps in blocks of channels.

    It changes the layout before it, where the map is small, and not after the scaling behind it.
    """

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def symbolic(graph: Any, x: Any) -> Any:
        return graph.op("MaxPool", x, kernel_shape_i=[1, 1])


def twice_as_large(x: Tensor) -> Tensor:
    """Scale (N, C, H, W) to (N, C, 2H, 2W) by the nearest pixel."""
    blocks: Tensor = _InBlocks.apply(x)
    return functional.interpolate(blocks, scale_factor=2, mode="nearest")


class NearestUp(nn.Module):
    """`twice_as_large` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, 2H, 2W)."""
        return twice_as_large(x)


class CornerwiseUp(nn.Module):
    """A depthwise transposed convolution (4x4, stride 2) and a pointwise one, at the small size."""

    def __init__(self, depthwise: nn.ConvTranspose2d, pointwise: nn.Conv2d) -> None:
        super().__init__()
        channels = depthwise.in_channels
        self.pointwise = pointwise
        self.corners = nn.ModuleList()
        kernel = depthwise.weight.detach()
        for row in range(2):
            for column in range(2):
                # Corner 0 sees the pixel and the one before it, corner 1 the one after it.
                taps = torch.zeros(channels, 1, 3, 3)
                for i, y in ((1, 1 + row), (2 * row, 3 - 3 * row)):
                    for j, x in ((1, 1 + column), (2 * column, 3 - 3 * column)):
                        taps[:, :, i, j] = kernel[:, :, y, x]
                corner = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
                corner.weight.data = taps
                self.corners.append(corner)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C', 2H, 2W) of (N, C, H, W)."""
        maps = [self.pointwise(corner(x)) for corner in self.corners]
        picture: Tensor = _ToPicture.apply(torch.cat(maps, dim=1))
        return picture


def fill(count: int) -> int:
    """Return how many channels are missing to a multiple of the vector width."""
    return -count % VECTOR


def filled(block: nn.Sequential, inputs: int) -> nn.Sequential:
    """Return ``block`` for an input that has zero channels behind its ``inputs`` channels."""
    extra = fill(inputs)
    first = block[0]
    wider = copy.deepcopy(block)
    if first.groups > 1:
        _widen(wider[0], 0, extra)
        wider[0].groups = inputs + extra
        _widen(wider[1], 1, extra)
    else:
        _widen(wider[0], 1, extra)
    return wider


def _widen(convolution: Any, axis: int, extra: int) -> None:
    shape = list(convolution.weight.shape)
    shape[axis] = extra
    weight = torch.cat([convolution.weight.detach(), torch.zeros(shape)], dim=axis)
    convolution.weight = nn.Parameter(weight)
    convolution.in_channels += extra


class SplitBlock(nn.Module):
    """A block of concatenated maps as a sum over the maps, the first of them at half size."""

    def __init__(self, block: nn.Sequential, first_channels: int) -> None:
        super().__init__()
        *convolutions, self.norm, self.activation = block
        inputs = convolutions[0].in_channels
        ranges = (slice(0, first_channels), slice(first_channels, inputs))
        self.paths = nn.ModuleList([_path_of(convolutions, channels) for channels in ranges])

    def forward(self, smaller: Tensor, skip: Tensor) -> Tensor:
        """Return the block of cat[smaller scaled to twice its size, skip]."""
        x = self.paths[0](twice_as_large(smaller)) + self.paths[1](skip)
        result: Tensor = self.activation(self.norm(x))
        return result


def _path_of(convolutions: Sequence[Any], channels: slice) -> nn.Sequential:
    layers = [copy.deepcopy(convolution) for convolution in convolutions]
    width = channels.stop - channels.start
    if len(layers) == 2:
        layers[0].weight = nn.Parameter(layers[0].weight.detach()[channels].clone())
        layers[0].in_channels = layers[0].out_channels = layers[0].groups = width
    layers[-1].weight = nn.Parameter(layers[-1].weight.detach()[:, channels].clone())
    layers[-1].in_channels = width
    return nn.Sequential(*layers)


class ServedEditorBody(nn.Module):
    """The editor's U-Net without its concatenations."""

    def __init__(self, body: EditorBody) -> None:
        super().__init__()
        self.downsample_blocks = body.downsample_blocks
        self.bottleneck_blocks = body.bottleneck_blocks
        widths = (256, 128, 64)
        self.upsample_blocks = nn.ModuleList(
            [
                SplitBlock(block, width)
                for block, width in zip(body.upsample_blocks, widths, strict=True)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """See `EditorBody`."""
        skips = []
        for block in self.downsample_blocks:
            x = block(x)
            skips.append(x)
        for block in self.bottleneck_blocks:
            x = block(x)
        for block, skip in zip(self.upsample_blocks, skips[-2::-1], strict=True):
            x = block(x, skip)
        return x


class ServedEncoderDecoder(nn.Module):
    """`PoseEncoderDecoder` with the pose filled up to whole vectors."""

    def __init__(self, body: PoseEncoderDecoder) -> None:
        super().__init__()
        self.downsample_blocks = body.downsample_blocks
        first = body.bottleneck_blocks[0]
        self.inputs = first[0].in_channels
        blocks = [filled(first, self.inputs), *body.bottleneck_blocks[1:], *body.upsample_blocks]
        self.blocks = nn.Sequential(*blocks)

    def encode(self, image: Tensor) -> Tensor:
        """See `PoseEncoderDecoder.encode`."""
        for block in self.downsample_blocks:
            image = block(image)
        return image

    def decode(self, feature: Tensor, pose: Tensor | None = None) -> Tensor:
        """See `PoseEncoderDecoder.decode`."""
        if pose is not None:
            pose = functional.pad(pose, (0, fill(self.inputs)))
            feature = torch.cat([feature, tile(pose, feature)], dim=1)
        decoded: Tensor = self.blocks(feature)
        return decoded


def rewrite(module: nn.Module) -> nn.Module:
    """Return a copy of ``module`` with norms and transposed depthwise convolutions rewritten."""
    return _rewritten(copy.deepcopy(module))


def _rewritten(module: nn.Module) -> nn.Module:
    if isinstance(module, InstanceNorm):
        return ExactInstanceNorm(module)
    if isinstance(module, nn.GroupNorm):
        return ExactGroupNorm(module)
    if isinstance(module, TeacherResidualBlock):
        return ServedTeacherBlock(module)
    if isinstance(module, nn.Upsample):
        return NearestUp()
    if isinstance(module, nn.Sequential) and isinstance(module[0], nn.ConvTranspose2d):
        transposed, *rest = module
        if transposed.groups > 1:
            pointwise, *rest = rest
            up = CornerwiseUp(transposed, pointwise)
            return nn.Sequential(up, *map(_rewritten, rest))
    for name, child in module.named_children():
        setattr(module, name, _rewritten(child))
    return module
