"""Picture distances used in training and evaluation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: A pixel counts as changed where any channel differs by more than this.
CHANGED_LEVEL = 0.03


def changed_mask(source: Tensor, target: Tensor) -> Tensor:
    """Return float (n, 1, h, w): 1 where the pictures (n, 4, h, w) differ visibly."""
    return ((source - target).abs().amax(1, keepdim=True) > CHANGED_LEVEL).float()


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB of each pair of (n, 4, h, w) in 0..1, (n,)."""
    error = ((first - second) ** 2).mean((1, 2, 3))
    return -10.0 * torch.log10(error + 1e-10)


def changed_psnr(source: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the PSNR in dB over the pixels where `second` differs from `source`, (n,)."""
    mask = changed_mask(source, second)
    error = (((first - second) ** 2).mean(1, keepdim=True) * mask).sum((1, 2, 3))
    return -10.0 * torch.log10(error / mask.sum((1, 2, 3)).clamp(min=1.0) + 1e-10)


def _gaussian(size: int = 11, sigma: float = 1.5) -> Tensor:
    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2.0 * sigma**2))
    return line / line.sum()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Return the structural similarity of each pair, (n,): Wang et al. 2004, 11 x 11 Gaussian."""
    channels = first.shape[1]
    kernel = _gaussian().expand(channels, 1, -1)

    def blur(x: Tensor) -> Tensor:
        rows = functional.conv2d(x, kernel[:, :, :, None], groups=channels)
        return functional.conv2d(rows, kernel[:, :, None, :], groups=channels)

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first * first) - mean_a**2
    var_b = blur(second * second) - mean_b**2
    covariance = blur(first * second) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    score = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return score.mean((1, 2, 3))


def gradient_energy(picture: Tensor, mask: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels under `mask`, (n,): sharpness."""
    across = (picture[..., :, 1:] - picture[..., :, :-1]).abs() * mask[..., :, 1:]
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs() * mask[..., 1:, :]
    total = across.mean(1).sum((1, 2)) + down.mean(1).sum((1, 2))
    return total / mask.sum((1, 2, 3)).clamp(min=1.0)


def edge_distance(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted L1 distance of the pictures' differences along rows and columns."""
    error = first - second
    across = (error[..., :, 1:] - error[..., :, :-1]).abs() * weight[..., :, 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


def energy_distance(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted L1 distance of the pictures' local gradient energies.

    Energies are means over squares of 7 pixels, so that a line counts as drawn although it is a
    pixel away: where it cannot be known exactly, L1 alone draws it pale, or not at all.
    """
    local = (_local_energy(first) - _local_energy(second)).abs()
    return (local * weight).mean()


def _local_energy(picture: Tensor) -> Tensor:
    across = functional.pad((picture[..., :, 1:] - picture[..., :, :-1]).abs(), (0, 1, 0, 0))
    down = functional.pad((picture[..., 1:, :] - picture[..., :-1, :]).abs(), (0, 0, 0, 1))
    return functional.avg_pool2d((across + down).mean(1, keepdim=True), 7, 1, padding=3)
