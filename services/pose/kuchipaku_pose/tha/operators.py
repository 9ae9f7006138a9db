"""Picture operators that the networks of all versions share.

Pictures are (N, 4, H, W), channels R, G, B, A, values in [-1, 1]. Source: pkhungurn/
talking-head-anime-3-demo, tha3/nn/image_processing_util.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def pixel_centres(size: int) -> Tensor:
    """Return the coordinates of ``size`` pixel centres on [-1, 1], shape (size,)."""
    return (2 * torch.arange(size, dtype=torch.float32) + 1) / size - 1


def identity_grid(height: int, width: int, *, corners: bool = False) -> Tensor:
    """Return the sampling grid that changes nothing, (1, height, width, 2), x before y.

    Args:
        height: rows.
        width: columns.
        corners: whether -1 and 1 are the centres of the outermost pixels (``align_corners``)
            instead of their outer edges.
    """
    if corners:
        x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    else:
        x, y = pixel_centres(width), pixel_centres(height)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows], dim=-1)[None]


def sample(image: Tensor, grid: Tensor, *, corners: bool = False) -> Tensor:
    """Sample ``image`` at ``grid`` (N, H, W, 2), bilinear, the border repeated outside."""
    height, width = int(image.shape[2]), int(image.shape[3])
    if torch.onnx.is_in_onnx_export() and height == width:
        # Nothing outside is sampled where positions end at the border. onnxruntime's repetition of
        # the border takes two and a half times as long on CPUs.
        border = 1.0 if corners else 1.0 - 1.0 / width
        return functional.grid_sample(
            image,
            grid.clamp(-border, border),
            mode="bilinear",
            padding_mode="zeros",
            align_corners=corners,
        )
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="border", align_corners=corners
    )


def warp(image: Tensor, offsets: Tensor) -> Tensor:
    """Sample ``image`` where ``offsets`` (N, 2, H, W) point: x and y, in units of [-1, 1]."""
    grid = identity_grid(*offsets.shape[2:]).to(offsets) + offsets.permute(0, 2, 3, 1)
    return sample(image, grid)


def blend(alpha: Tensor, colour: Tensor, image: Tensor) -> Tensor:
    """Return ``colour`` where ``alpha`` is 1 and ``image`` where it is 0."""
    return colour * alpha + image * (1 - alpha)


def blend_colour(alpha: Tensor, colour: Tensor, image: Tensor) -> Tensor:
    """Blend the colour channels alone; the picture's own alpha channel stays."""
    mixed = blend(alpha, colour[:, :3], image[:, :3])
    return torch.cat([mixed, image[:, 3:]], dim=1)


def tile(pose: Tensor, like: Tensor) -> Tensor:
    """Spread ``pose`` (N, P) over the pixels of ``like`` (N, C, H, W): (N, P, H, W)."""
    return pose[:, :, None, None].expand(-1, -1, *like.shape[2:])


def paste(image: Tensor, part: Tensor, top: int, left: int) -> Tensor:
    """Return ``image`` with ``part`` (N, C, h, w) in place of its pixels from (top, left) on."""
    below, right = top + part.shape[2], left + part.shape[3]
    middle = torch.cat([image[:, :, top:below, :left], part, image[:, :, top:below, right:]], dim=3)
    return torch.cat([image[:, :, :top], middle, image[:, :, below:]], dim=2)


def resize(image: Tensor, size: int) -> Tensor:
    """Scale to ``size`` x ``size``, bilinear without antialiasing, as the author's posers do."""
    return functional.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)
