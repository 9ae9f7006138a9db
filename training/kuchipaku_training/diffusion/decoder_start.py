"""A decoder that starts as the linear map back from the latents.

The decoder of AutoencoderTiny enlarges by repeating pixels, and convolutions cannot tell repeated
pixels apart: from fresh weights it takes very long until it draws what a latent says lies where
within its patch. So its first weights are set by hand, in four stages, patches of 16 pixels to
their quarters of 8, 4 and 2: channels hold the components of all four quarters; parities, which
zeros beyond the edges set off, tell which quarter a pixel belongs to; a rectifier lets through the
components of that quarter alone. Training goes on from there, with all weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn

from kuchipaku_training.diffusion.latents import PATCH, SCALING, LinearLatents

#: Components of a quarter.
KEPT: Final = 6
#: Channels: two parities (of column and row), the components of four quarters, those of the own.
_PARITIES: Final = 2
_OWN: Final = _PARITIES + 4 * KEPT
#: Blocks per stage. Parities need a convolution for each of 16 patches from the edge; then each
#: stage needs a block for parities and one to choose, and has the others to learn with.
BLOCKS: Final = (6, 4, 4, 2, 0)
WIDTH: Final = _OWN + KEPT
#: Components are in standard deviations; this many are added, so that rectifiers let them pass.
_OFFSET: Final = 3.0
#: What a component is lowered by where it does not belong.
_SHUT: Final = 8.0
#: The tap of a kernel that sees the column before, and the row before.
_BEFORE: Final = ((1, 0), (0, 1))
#: How much of usual fresh weights is left where blocks begin as doing nothing.
_FRESH: Final = 0.2

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """Components of square patches: a patch (row, column, RGB) is about basis @ values + mean."""

    basis: Matrix
    """(size, 6), such that values have a standard deviation of 1."""
    read: Matrix
    """(6, size)"""
    mean: Matrix
    covariance: Matrix


def start_linear(vae: AutoencoderTiny, linear: LinearLatents) -> None:
    """Set the decoder of an autoencoder to the linear map back, as far as it can be that."""
    stages = _stages(vae.decoder)
    levels = _levels(linear)
    with torch.no_grad():
        for blocks, _ in stages:
            for block in blocks:
                last = _convolutions(block)[-1]
                last.weight.mul_(_FRESH)
                last.weight[:_PARITIES] = 0.0
                last.bias.zero_()
        _enter(vae.decoder.layers[0], stages[0][0], linear, levels[0])
        for stage in range(1, 4):
            maps, shift = np.eye(4 * KEPT), np.zeros(4 * KEPT)
            start = _PARITIES
            if stage > 1:
                maps, shift = _descent(levels[stage - 2], levels[stage - 1])
                start = _OWN
            _enlarge(stages[stage - 1][1], maps, start)
            even, choose, *_ = stages[stage][0]
            _find_parities(even, shift)
            _choose_quarter(choose)
        _leave(stages[3][1], stages[4][1], levels[2])


def _stages(decoder: nn.Module) -> list[tuple[list[nn.Module], nn.Conv2d]]:
    """The blocks of each size, and the convolution after them, which works on the next size."""
    found: list[tuple[list[nn.Module], nn.Conv2d]] = []
    blocks: list[nn.Module] = []
    for layer in decoder.layers[2:]:
        if isinstance(layer, nn.Conv2d):
            found.append((blocks, layer))
            blocks = []
        elif not isinstance(layer, nn.Upsample):
            blocks.append(layer)
    return found


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    return [part for part in block.conv if isinstance(part, nn.Conv2d)]


def _levels(linear: LinearLatents) -> list[_Level]:
    """The components of patches of 8, 4 and 2 pixels, of pictures that the latents can tell."""
    # What a latent's components vary by, as `latents.fit` scales them.
    size = np.linalg.norm(linear.inverse, axis=0)
    spread = linear.inverse * (size / np.sqrt(np.mean(size**2)))
    mean, covariance = linear.mean.astype(np.float64), (spread @ spread.T).astype(np.float64)
    levels = []
    for side in (PATCH, PATCH // 2, PATCH // 4):
        index = _quarters(side)
        means = mean[index]
        covariance = np.mean([covariance[np.ix_(part, part)] for part in index], 0)
        covariance += np.cov(means.T, bias=True)
        mean = means.mean(0)
        values, vectors = np.linalg.eigh(covariance)
        deviation = np.sqrt(np.maximum(values[::-1][:KEPT], 1e-8))
        basis = vectors[:, ::-1][:, :KEPT]
        levels.append(_Level(basis * deviation, (basis / deviation).T, mean, covariance))
    return levels


def _quarters(side: int) -> NDArray[np.int64]:
    """Where in a patch of `side` pixels the values of its four quarters lie, (4, values)."""
    half = side // 2
    index = np.arange(side * side * 3).reshape(2, half, 2, half, 3)
    return index.transpose(0, 2, 1, 3, 4).reshape(4, -1)


def _descent(level: _Level, below: _Level) -> tuple[Matrix, Matrix]:
    """From components of a patch, offset, to those of its four quarters: matrix (24, 6), shift."""
    side = round((len(level.mean) / 3) ** 0.5)
    parts = _quarters(side)
    maps = np.concatenate([below.read @ level.basis[part] for part in parts])
    means = np.concatenate([below.read @ (level.mean[part] - below.mean) for part in parts])
    return maps, means + _OFFSET - _OFFSET * maps.sum(1)


def _tensor(values: Matrix) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def _enter(first: nn.Conv2d, blocks: list[nn.Module], linear: LinearLatents, level: _Level) -> None:
    """From latents to the components of four quarters; the blocks count parities from the edges."""
    parts = _quarters(PATCH)
    maps = np.concatenate([level.read @ linear.inverse[part] for part in parts]) * SCALING
    means = np.concatenate([level.read @ (linear.mean[part] - level.mean) for part in parts])
    rows = slice(_PARITIES, _OWN)
    first.weight[:_OWN], first.bias[:_OWN] = 0.0, 0.0
    first.weight[rows, :, 1, 1] = _tensor(maps)
    first.bias[rows] = _tensor(means + _OFFSET)
    for block in blocks:
        one, two, three = _convolutions(block)
        for part in (one, two):
            part.weight[:4], part.bias[:4] = 0.0, 0.0
        for axis, (row, column) in enumerate(_BEFORE):
            # The parity of a patch is one minus that of the patch before; beyond the edge is 0.
            for part in (one, two, three):
                part.weight[axis, axis, row, column] = -1.0
                part.bias[axis] = 1.0
            # The block adds its input, which is to be replaced: carry it along and take it off.
            one.weight[2 + axis, axis, 1, 1] = two.weight[2 + axis, 2 + axis, 1, 1] = 1.0
            three.weight[axis, 2 + axis, 1, 1] = -1.0


def _enlarge(part: nn.Conv2d, maps: Matrix, start: int) -> None:
    """Components of quarters, by `maps` from the channels that begin at `start`; and where the
    repeated parity changes, +1 or -1, which is at the first pixel of two."""
    part.weight.zero_()
    part.weight[_PARITIES:_OWN, start : start + maps.shape[1], 1, 1] = _tensor(maps)
    for axis, (row, column) in enumerate(_BEFORE):
        part.weight[axis, axis, 1, 1] = 1.0
        part.weight[axis, axis, row, column] = -1.0


def _find_parities(block: nn.Module, shift: Matrix) -> None:
    """Make changes of the parity before to parities, by their absolute value; add `shift`."""
    one, two, three = _convolutions(block)
    for part in (one, two):
        part.weight[:2], part.bias[:2] = 0.0, 0.0
    three.weight.zero_()
    for axis in range(_PARITIES):
        one.weight[axis, axis, 1, 1] = -1.0
        two.weight[axis, axis, 1, 1] = 1.0
        three.weight[axis, axis, 1, 1] = 2.0
    three.bias[_PARITIES:_OWN] = _tensor(shift)


def _choose_quarter(block: nn.Module) -> None:
    """Let the components of the quarter that a pixel belongs to through, into their own place."""
    one, two, three = _convolutions(block)
    rows = 4 * KEPT
    for part in (one, two):
        part.weight[:rows], part.bias[:rows] = 0.0, 0.0
    three.weight.zero_()
    # Column and row parity are 1 at the first of two: their signs, and what they miss of being all
    # right, for the quarters row by row.
    for quarter, (column, row, missing) in enumerate(
        ((1, 1, 2), (-1, 1, 1), (1, -1, 1), (-1, -1, 0))
    ):
        for kept in range(KEPT):
            at = quarter * KEPT + kept
            one.weight[at, _PARITIES + at, 1, 1] = two.weight[at, at, 1, 1] = 1.0
            one.weight[at, 0, 1, 1], one.weight[at, 1, 1, 1] = column * _SHUT, row * _SHUT
            one.bias[at] = -missing * _SHUT
            three.weight[_OWN + kept, at, 1, 1] = 1.0


def _leave(enlarge: nn.Conv2d, last: nn.Conv2d, level: _Level) -> None:
    """The mean colour of 2 x 2 pixels, enlarged and smoothed."""
    colour = level.basis.reshape(4, 3, KEPT).mean(0)
    enlarge.weight[:3] = 0.0
    enlarge.weight[:3, _OWN:, 1, 1] = _tensor(colour)
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    last.weight.zero_()
    for channel in range(3):
        last.weight[channel, channel] = kernel[:, None] * kernel[None]
    last.bias.copy_(_tensor(level.mean.reshape(4, 3).mean(0) - _OFFSET * colour.sum(1)))
