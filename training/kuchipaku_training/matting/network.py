"""The matting network: a small U-Net from a picture to the share of foreground at every pixel.

It takes what rembg's custom U^2-Net session (https://github.com/danielgatis/rembg) feeds:
float32 (n, 3, 320, 320), sRGB divided by the picture's maximum, less the ImageNet mean, over its
standard deviation. Side lengths may be any multiple of 32.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Mean and standard deviation of ImageNet, by which rembg normalises.
MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
#: Side of the pictures that the exported network takes.
INPUT_SIZE: Final = 320


@dataclass(frozen=True)
class NetworkConfig:
    """Widths from the finest level (half the picture's side) down, each half the one before.

    `blocks`: residual blocks of the encoder at each level; `convolutions`: convolutions of the
    decoder at each level but the coarsest.
    """

    widths: tuple[int, ...] = (16, 32, 64, 96, 144)
    blocks: tuple[int, ...] = (0, 1, 1, 2, 1)
    convolutions: tuple[int, ...] = (2, 2, 1, 1)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types."""
        return asdict(self)


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution with batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Residual block of two 3 x 3 convolutions (He et al., arXiv:1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Context(nn.Module):
    """Tells every place what the whole picture holds (squeeze and excitation, arXiv:1709.01507)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // 4, 1)
        self.excite = nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        whole = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(functional.relu(self.squeeze(whole)))) * 2.0


class MattingNetwork(nn.Module):
    """Normalised pictures (n, 3, h, w) -> logits of the foreground (n, 1, h, w)."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        config = config or NetworkConfig()
        self.config = config
        widths = config.widths
        self.stem = conv(12, widths[0])
        self.down = nn.ModuleList(conv(fine, coarse, 2) for fine, coarse in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(widths, config.blocks, strict=True)
        )
        self.context = Context(widths[-1])
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, 2, bias=False) for fine, coarse in pairwise(widths)
        )
        self.merge = nn.ModuleList(
            nn.ModuleList(conv(width, width) for _ in range(count))
            for width, count in zip(widths[:-1], config.convolutions, strict=True)
        )
        self.head = nn.Conv2d(widths[0] + 12, 4, 3, 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = functional.pixel_unshuffle(picture, 2)
        x = functional.relu(self.stem(fine.contiguous(memory_format=torch.channels_last)))
        features = [self.blocks[0](x)]
        for down, blocks in zip(self.down, self.blocks[1:], strict=True):
            features.append(blocks(functional.relu(down(features[-1]))))
        x = self.context(features[-1])
        for level in reversed(range(len(self.up))):
            x = self.up[level](x) + features[level]
            for layer in self.merge[level]:
                x = functional.relu(layer(x) + x)
        return functional.pixel_shuffle(self.head(torch.cat([x, fine], 1)), 2)


def normalised(picture: Tensor) -> Tensor:
    """Normalise pictures (n, 3, h, w) in 0..1 as rembg does."""
    brightest = picture.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    mean = torch.tensor(MEAN)[:, None, None]
    return (picture / brightest - mean) / torch.tensor(DEVIATION)[:, None, None]
