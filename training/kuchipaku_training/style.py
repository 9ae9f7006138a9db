"""Changes of style in picture space: colours, light, paper, focus, noise."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Rng = np.random.Generator

_LUMA: Final = torch.tensor([0.299, 0.587, 0.114])


def recolour(layer: Tensor, rng: Rng) -> Tensor:
    """Recolour a premultiplied layer (4, h, w): channels, hue, contrast, light, grain."""
    alpha = layer[3:]
    colour = layer[:3] / alpha.clamp_min(1e-3)
    if rng.random() < 0.25:
        colour = colour[torch.from_numpy(rng.permutation(3))]
    if rng.random() < 0.5:
        colour = _saturated(colour, float(rng.uniform(0.2, 1.6)))
    if rng.random() < 0.04:
        colour = _saturated(colour, 0.0)
    if rng.random() < 0.6:
        gamma = torch.from_numpy(np.exp(rng.normal(0, 0.3, (3, 1, 1)))).float()
        colour = colour.clamp(0, 1) ** gamma
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 0.25), rng.uniform(0.75, 1.0)
        colour = low + colour * (high - low)
    if rng.random() < 0.35:
        colour = colour * _light(colour.shape[1:], rng)
    if rng.random() < 0.25:
        colour = colour * _mottled(colour.shape[1:], rng, 0.25)
    if rng.random() < 0.06:
        levels = float(rng.integers(4, 10))
        colour = torch.round(colour * levels) / levels
    return torch.cat([colour.clamp(0, 1) * alpha, alpha])


def with_shadow(picture: Tensor, alpha: Tensor, rng: Rng) -> Tensor:
    """Darken a picture behind a figure, as if the figure threw a soft shadow."""
    height, width = alpha.shape[1:]
    reach = max(2, int(0.05 * min(height, width)))
    dy, dx = (int(value) for value in rng.integers(-reach, reach + 1, 2))
    shadow = torch.roll(blurred(alpha, float(rng.uniform(1.0, 5.0))), (dy, dx), (1, 2))
    return picture * (1.0 - shadow * float(rng.uniform(0.1, 0.5)))


def roughened(picture: Tensor, rng: Rng) -> Tensor:
    """What cameras, files and filters do to a whole picture (3, h, w), 0..1."""
    if rng.random() < 0.3:
        gamma = torch.from_numpy(np.exp(rng.normal(0, 0.15, (3, 1, 1)))).float()
        picture = picture.clamp(0, 1) ** gamma
    if rng.random() < 0.04:
        picture = _saturated(picture, 0.0)
    if rng.random() < 0.2:
        picture = blurred(picture, float(rng.uniform(0.4, 1.1)))
    if rng.random() < 0.15:
        picture = _shrunk_and_back(picture, float(rng.uniform(0.45, 0.9)))
    if rng.random() < 0.15:
        soft = blurred(picture, 1.2)
        picture = picture + (picture - soft) * float(rng.uniform(0.3, 1.2))
    if rng.random() < 0.25:
        strength = float(rng.choice([0.01, 0.03, 0.06]))
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(strength)
        picture = picture + torch.from_numpy(noise)
    return picture.clamp(0, 1)


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Blur (c, h, w) by a Gaussian of `sigma` pixels."""
    if sigma > 2.0:
        height, width = picture.shape[1:]
        half = functional.interpolate(picture[None], scale_factor=0.5, mode="bilinear")[0]
        soft = blurred(half, sigma / 2.0)[None]
        return functional.interpolate(soft, (height, width), mode="bilinear")[0]
    radius = max(1, math.ceil(2.5 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    line = (line / line.sum()).to(picture)
    channels = picture.shape[0]
    kernel = line.repeat(channels, 1)[:, None]
    padded = functional.pad(picture[None], (radius,) * 4, mode="replicate")
    across = functional.conv2d(padded, kernel[:, :, None], groups=channels)
    return functional.conv2d(across, kernel[..., None], groups=channels)[0]


def _saturated(picture: Tensor, amount: float) -> Tensor:
    grey = (picture * _LUMA[:, None, None]).sum(0, keepdim=True)
    return grey + (picture - grey) * amount


def _light(shape: torch.Size, rng: Rng) -> Tensor:
    """A soft ramp of light (1, h, w) over a figure."""
    rows = torch.linspace(-1, 1, shape[0])[:, None]
    columns = torch.linspace(-1, 1, shape[1])[None]
    angle = rng.uniform(0, 2 * math.pi)
    ramp = rows * math.sin(angle) + columns * math.cos(angle)
    return (1.0 + ramp * float(rng.uniform(0.1, 0.5)))[None]


def _mottled(shape: torch.Size, rng: Rng, strength: float) -> Tensor:
    """Paper or paint: uneven brightness (1, h, w) about 1."""
    cells = int(rng.integers(6, 60))
    coarse = rng.uniform(1 - strength, 1 + strength, (1, 1, cells, cells)).astype(np.float32)
    return functional.interpolate(torch.from_numpy(coarse), shape, mode="bilinear")[0]


def _shrunk_and_back(picture: Tensor, factor: float) -> Tensor:
    height, width = picture.shape[1:]
    small = (max(8, int(height * factor)), max(8, int(width * factor)))
    shrunk = functional.interpolate(picture[None], small, mode="bilinear", antialias=True)
    return functional.interpolate(shrunk, (height, width), mode="bilinear")[0]
