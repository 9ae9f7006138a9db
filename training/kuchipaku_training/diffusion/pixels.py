"""Pictures as tensors, and how far apart they are."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

#: Weight of the differences between neighbours, which are the lines of a drawing.
_LINES: Final = 1.0


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """RGB pictures (n, h, w, 3) as (n, 3, h, w), -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2) / 127.5 - 1


def picture_loss(output: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the values, and of the differences to the right and below."""
    loss = nn.functional.l1_loss(output, truth)
    for axis in (2, 3):
        loss = loss + _LINES * nn.functional.l1_loss(output.diff(dim=axis), truth.diff(dim=axis))
    return loss


def psnr(output: Tensor, truth: Tensor) -> float:
    """Mean over pictures, in dB, of values in -1..1."""
    error = ((output.clamp(-1, 1) - truth) / 2).square().mean((1, 2, 3))
    return float((-10 * torch.log10(error.clamp_min(1e-9))).mean())
