"""The head-box networks: one finds heads in a whole picture, one looks at a single head closely.

Pictures are float32 NCHW, RGB, sRGB-encoded, 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_training.matting.network import Context, Residual, conv

#: Side of the letterboxed picture that the finder takes, and pixels per cell of its answer.
FINDER_SIZE: Final = 160
FINDER_STRIDE: Final = 8
#: Side of the crop that the examiner takes, and how many head sides it shows.
EXAMINER_SIZE: Final = 128
EXAMINER_VIEW: Final = 1.6
#: Channels of the finder's map. Offsets count cells from the cell's middle; the side is the
#: logarithm of cells.
FINDER_OUTPUTS: Final = ("heat", "dx", "dy", "log_side", "sine", "cosine")
#: Outputs of the examiner: logits of head, eyes open, mouth open, brows visible; turn and nod
#: (-1..1 of the illustrator's reach); what the true box is against the one that was cropped: shift
#: in head sides along the crop's axes, logarithm of the side, angle in radians.
EXAMINER_OUTPUTS: Final = (
    "head",
    "eyes_open",
    "mouth_open",
    "brows_visible",
    "turn",
    "nod",
    "dx",
    "dy",
    "log_side",
    "angle",
)


class _Encoder(nn.Module):
    """Feature maps of halving size; the first has half the picture's side."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.stem = conv(12, widths[0])
        self.down = nn.ModuleList(conv(fine, coarse, 2) for fine, coarse in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(widths[1:], blocks, strict=True)
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        fine = functional.pixel_unshuffle(picture * 2.0 - 1.0, 2)
        x = functional.relu(self.stem(fine.contiguous(memory_format=torch.channels_last)))
        features = [x]
        for down, blocks in zip(self.down, self.blocks, strict=True):
            x = blocks(functional.relu(down(x)))
            features.append(x)
        return features


class FinderNetwork(nn.Module):
    """Letterboxed picture (n, 3, 160, 160) -> map (n, 6, 20, 20) of `FINDER_OUTPUTS`.

    Heads are peaks of the heat, whose other channels describe the box, as in CenterNet
    (arXiv:1904.07850).
    """

    def __init__(self) -> None:
        super().__init__()
        widths, width = (16, 28, 44, 60, 80), 40
        self.encoder = _Encoder(widths, (0, 1, 1, 1))
        self.context = Context(widths[-1])
        self.side = nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths[2:])
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, 2) for _ in range(2))
        self.merge = nn.ModuleList(conv(width, width) for _ in range(2))
        self.head = nn.Conv2d(width, len(FINDER_OUTPUTS), 1)
        nn.init.constant_(self.head.bias, 0.0)
        with torch.no_grad():
            self.head.bias[0] = -3.0

    def forward(self, picture: Tensor) -> Tensor:
        features = self.encoder(picture)[2:]
        features[-1] = self.context(features[-1])
        x = self.side[-1](features[-1])
        for level in (1, 0):
            x = self.up[level](x) + self.side[level](features[level])
            x = functional.relu(self.merge[level](x) + x)
        return self.head(x)


class ExaminerNetwork(nn.Module):
    """Upright crop (n, 3, 128, 128) around a head -> `EXAMINER_OUTPUTS` (n, 10), raw."""

    def __init__(self) -> None:
        super().__init__()
        widths = (20, 32, 48, 68, 80)
        self.encoder = _Encoder(widths, (1, 1, 2, 1))
        places = (EXAMINER_SIZE // 32) ** 2
        self.squeeze = nn.Conv2d(widths[-1], 24, 1)
        self.hidden = nn.Linear(24 * places + widths[-1], 96)
        self.out = nn.Linear(96, len(EXAMINER_OUTPUTS))

    def forward(self, crop: Tensor) -> Tensor:
        x = self.encoder(crop)[-1]
        whole = x.mean((2, 3))
        where = functional.relu(self.squeeze(x)).flatten(1)
        return self.out(functional.relu(self.hidden(torch.cat([where, whole], 1))))
