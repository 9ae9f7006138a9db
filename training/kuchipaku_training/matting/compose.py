"""Pictures for training: figures placed on scenes, recoloured and roughened.

Everything happens in the space of pictures, so that the networks see more styles than the
illustrator draws. Coordinates are pixels of the composed picture; x to the right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kuchipaku_training import style
from kuchipaku_training.matting.dataset import FigureData
from kuchipaku_training.matting.figures import CANVAS_SIZE

Rng = np.random.Generator
Floats = NDArray[np.float64]
#: Column of the picture's mirrored head turn among the labels.
_TURN: Final = 3


@dataclass(frozen=True)
class Placement:
    """Where a figure's head box goes: centre and side in pixels, angle in radians clockwise.

    `stretch` widens the figure against its height; `bend` is the largest local displacement as a
    share of the head's side.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0
    stretch: float = 1.0
    mirrored: bool = False
    bend: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A head in a composed picture: centre x, y, side, angle; labels as in `figures.LABELS`."""

    head: Floats
    labels: NDArray[np.float32]


@dataclass(frozen=True)
class Composed:
    """A picture (3, h, w) 0..1, its foreground (1, h, w) 0..1, and the heads in it."""

    picture: Tensor
    alpha: Tensor
    seen: tuple[Seen, ...] = field(default=())


def compose(
    data: FigureData,
    placements: list[Placement],
    size: tuple[int, int],
    rng: Rng,
    *,
    restyled: bool = True,
) -> Composed:
    """Lay random figures at `placements` (back to front) over a random scene of (height, width).

    Without `restyled` the figures and the picture stay as they were drawn.
    """
    picture = _scene(data, size, rng)
    alpha = torch.zeros(1, *size)
    seen: list[Seen] = []
    for placement in placements:
        index = int(rng.choice(data.figures))
        layer = _placed(data, index, placement, size, rng)
        if restyled:
            layer = style.recolour(layer, rng)
            if rng.random() < 0.25:
                picture = style.with_shadow(picture, layer[3:], rng)
        picture = layer[:3] + picture * (1.0 - layer[3:])
        alpha = layer[3:] + alpha * (1.0 - layer[3:])
        seen.append(_seen(data, index, placement))
    if restyled:
        picture = style.roughened(picture, rng)
    return Composed(picture, alpha, tuple(seen))


def _seen(data: FigureData, index: int, placement: Placement) -> Seen:
    labels = np.array(data["labels"][index], np.float32)
    if placement.mirrored:
        labels[_TURN] = -labels[_TURN]
    side = placement.side * math.sqrt(placement.stretch)
    return Seen(np.array([placement.x, placement.y, side, placement.angle]), labels)


def _scene(data: FigureData, size: tuple[int, int], rng: Rng) -> Tensor:
    """A part of a random scene, enlarged to `size`."""
    scene = data["scenes"][int(rng.choice(data.scenes))]
    whole = scene.shape[0]
    side = int(rng.uniform(0.5, 1.0) * whole)
    top, left = (int(value) for value in rng.integers(0, whole - side + 1, 2))
    part = np.array(scene[top : top + side, left : left + side])
    if rng.random() < 0.5:
        part = part[:, ::-1].copy()
    tensor = torch.from_numpy(part).permute(2, 0, 1).float().div_(255.0)
    if rng.random() < 0.3:
        tensor = tensor[torch.from_numpy(rng.permutation(3))]
    tensor = functional.interpolate(tensor[None], size, mode="bilinear", antialias=True)[0]
    if rng.random() < 0.25:
        # Out of focus, as behind a portrait.
        tensor = style.blurred(tensor, float(rng.uniform(1.0, 4.0)))
    return tensor.clamp(0.0, 1.0)


def _placed(
    data: FigureData, index: int, placement: Placement, size: tuple[int, int], rng: Rng
) -> Tensor:
    """The premultiplied figure (4, h, w), its head box laid onto the placement."""
    x, y, side, angle = (float(value) for value in data["heads"][index])
    zoom = placement.side / side
    level = 1
    while zoom * level < 0.6 and level < 8:
        level *= 2
    source = torch.from_numpy(data.figure(index, level))[None].float().div_(255.0)
    flip = -1.0 if placement.mirrored else 1.0
    # Picture pixel -> canvas pixel: undo shift, turn, scale and mirroring, in this order.
    turn = placement.angle - flip * angle
    cos, sin = math.cos(turn), math.sin(turn)
    back = np.array([[cos, sin], [-sin, cos]]) / zoom
    back = np.diag([flip / placement.stretch, 1.0]) @ back
    unit = 2.0 / CANVAS_SIZE
    grid = _pixel_grid(size) - torch.tensor([placement.x, placement.y], dtype=torch.float32)
    grid = (grid + _bends(size, placement, rng)) @ torch.from_numpy(back.T * unit).float()
    grid += torch.tensor([x * unit - 1.0, y * unit - 1.0])
    return functional.grid_sample(source, grid[None], mode="bilinear", align_corners=False)[0]


def _pixel_grid(size: tuple[int, int]) -> Tensor:
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)


def _bends(size: tuple[int, int], placement: Placement, rng: Rng) -> Tensor:
    """Smooth displacements (h, w, 2) in pixels: other proportions than the illustrator's."""
    if placement.bend <= 0.0:
        return torch.zeros(1, 1, 2)
    reach = placement.bend * placement.side
    coarse = torch.from_numpy(rng.uniform(-reach, reach, (1, 2, 6, 6))).float()
    smooth = functional.interpolate(coarse, size, mode="bicubic", align_corners=True)[0]
    return smooth.permute(1, 2, 0)
