"""What the head-box networks learn from: batches and losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_training.headbox.networks import (
    EXAMINER_SIZE,
    EXAMINER_VIEW,
    FINDER_OUTPUTS,
    FINDER_SIZE,
    FINDER_STRIDE,
    ExaminerNetwork,
    FinderNetwork,
)
from kuchipaku_training.matting.compose import Composed, Placement, compose
from kuchipaku_training.matting.dataset import FigureData

Rng = np.random.Generator
Floats = NDArray[np.float64]

#: The crop that the examiner gets is off by about what the finder is.
_SHIFT = 0.14
_SCALE = 0.16
_ANGLE = 0.2
#: Below and above this the mouth counts as closed and open; between, the answer is not judged.
MOUTH_CLOSED: Final = 0.05
MOUTH_OPEN: Final = 0.15


@dataclass(frozen=True)
class Batch:
    """Pictures (n, 3, s, s), and targets with the weights of each, of one shape."""

    picture: Tensor
    target: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Task:
    """One network and how it is trained."""

    name: str
    build: Callable[[], nn.Module]
    batch: Callable[[FigureData, Rng, int], Batch]
    loss: Callable[[Tensor, Batch], Tensor]


def place_head(size: int, rng: Rng) -> Placement:
    """A head in a whole picture, from a full figure's to a portrait's, sometimes cut off."""
    side = math.exp(rng.uniform(math.log(0.1), math.log(0.75)))
    reach = 0.5 - 0.35 * side
    near = rng.normal(0.5, 0.08) if rng.random() < 0.4 else rng.uniform(0.5 - reach, 0.5 + reach)
    return Placement(
        x=float(near) * size,
        y=float(rng.uniform(0.1 + 0.25 * side, 0.85 - 0.35 * side)) * size,
        side=side * size,
        angle=float(rng.normal(0, 0.15)),
        stretch=math.exp(rng.uniform(-0.12, 0.12)),
        mirrored=bool(rng.random() < 0.5),
        bend=float(rng.choice([0.0, 0.08, 0.15])),
    )


def _apart(placements: list[Placement], other: Placement) -> bool:
    return all(
        math.hypot(one.x - other.x, one.y - other.y) > 0.7 * (one.side + other.side)
        for one in placements
    )


def place_heads(size: int, count: int, rng: Rng) -> list[Placement]:
    """Up to `count` heads that do not cover each other."""
    placements: list[Placement] = []
    for _ in range(12 * count):
        candidate = place_head(size, rng)
        if count > 1 and candidate.side > 0.4 * size:
            continue
        if _apart(placements, candidate):
            placements.append(candidate)
        if len(placements) == count:
            break
    # Whoever stands lower stands nearer, and in front: no body hides a head.
    return sorted(placements, key=lambda one: one.y + one.side)


def _letterboxed(one: Composed, size: int, rng: Rng) -> Composed:
    """Cover bars at two sides, as a picture that is not square leaves."""
    if rng.random() < 0.6:
        return one
    bar = int(rng.uniform(0, 0.25) * size)
    picture = one.picture.clone()
    if rng.random() < 0.5:
        picture[:, :bar], picture[:, size - bar :] = 0.5, 0.5
    else:
        picture[:, :, :bar], picture[:, :, size - bar :] = 0.5, 0.5
    middle = [
        seen
        for seen in one.seen
        if bar < seen.head[0] < size - bar and bar < seen.head[1] < size - bar
    ]
    return Composed(picture, one.alpha, tuple(middle) if len(middle) == len(one.seen) else ())


def finder_batch(data: FigureData, rng: Rng, count: int) -> Batch:
    """Compose whole pictures of no, one or two characters."""
    pictures, targets, weights = [], [], []
    for _ in range(count):
        heads = int(rng.choice([0, 1, 2], p=[0.1, 0.68, 0.22]))
        size = (FINDER_SIZE, FINDER_SIZE)
        one = compose(data, place_heads(FINDER_SIZE, heads, rng), size, rng)
        boxed = _letterboxed(one, FINDER_SIZE, rng)
        if len(boxed.seen) == len(one.seen):
            one = boxed
        target, weight = finder_target([seen.head for seen in one.seen])
        pictures.append(one.picture)
        targets.append(torch.from_numpy(target))
        weights.append(torch.from_numpy(weight))
    return Batch(torch.stack(pictures), torch.stack(targets), torch.stack(weights))


def finder_target(heads: list[Floats]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the map (6, 20, 20) that shows `heads`, and the weights of its values."""
    cells = FINDER_SIZE // FINDER_STRIDE
    target = np.zeros((len(FINDER_OUTPUTS), cells, cells), np.float32)
    weight = np.zeros_like(target)
    weight[0] = 1.0
    rows, columns = np.meshgrid(np.arange(cells) + 0.5, np.arange(cells) + 0.5, indexing="ij")
    for head in heads:
        x, y, side = head[:3] / FINDER_STRIDE
        distance = (columns - x) ** 2 + (rows - y) ** 2
        spread = max(0.7, 0.13 * side)
        heat = np.exp(-distance / (2 * spread**2))
        near = heat > np.maximum(target[0], 0.3)
        target[0] = np.maximum(target[0], heat)
        values = (x - columns, y - rows, math.log(side), math.sin(head[3]), math.cos(head[3]))
        for channel, value in enumerate(values, 1):
            target[channel][near] = np.broadcast_to(value, near.shape)[near]
            weight[channel][near] = heat[near]
        nearest = np.unravel_index(np.argmin(distance), distance.shape)
        target[0][nearest] = 1.0
    return target, weight


def finder_loss(output: Tensor, batch: Batch) -> Tensor:
    """Focal loss of the heat (arXiv:1904.07850) and distances of the boxes."""
    heat, wanted = output[:, 0], batch.target[:, 0]
    chance = torch.sigmoid(heat).clamp(1e-4, 1 - 1e-4)
    peak = wanted > 0.999
    hit = -((1 - chance) ** 2) * torch.log(chance) * peak
    miss = -((1 - wanted) ** 4) * chance**2 * torch.log(1 - chance) * ~peak
    focal = (hit + miss).sum() / peak.sum().clamp_min(1)
    scale = torch.tensor([1.0, 1.0, 4.0, 4.0, 4.0])[:, None, None]
    far = (output[:, 1:] - batch.target[:, 1:]).abs() * batch.weight[:, 1:] * scale
    boxes = far.sum() / batch.weight[:, 1:].sum().clamp_min(1)
    return focal + boxes


def examiner_batch(data: FigureData, rng: Rng, count: int) -> Batch:
    """Compose crops around heads, shifted and turned about as the finder errs."""
    pictures = []
    target = np.zeros((count, 10), np.float32)
    weight = np.ones((count, 10), np.float32)
    for row in range(count):
        picture = _examined(data, rng, target[row], weight[row])
        pictures.append(picture)
    return Batch(torch.stack(pictures), torch.from_numpy(target), torch.from_numpy(weight))


def _examined(
    data: FigureData, rng: Rng, target: NDArray[np.float32], weight: NDArray[np.float32]
) -> Tensor:
    size = EXAMINER_SIZE
    frame = (size, size)
    if rng.random() < 0.08:
        weight[1:] = 0.0
        places = [_elsewhere(size, rng)] if rng.random() < 0.6 else []
        return compose(data, places, frame, rng).picture
    wide = 1.0 if rng.random() < 0.7 else 2.0
    dx, dy = rng.normal(0, _SHIFT / 2, 2) * wide
    grow = float(rng.normal(0, _SCALE / 2)) * wide
    angle = float(rng.normal(0, _ANGLE / 2)) * wide
    side = size / EXAMINER_VIEW * math.exp(grow)
    unit = size / EXAMINER_VIEW
    place = Placement(
        x=size / 2 + dx * unit,
        y=size / 2 + dy * unit,
        side=side,
        angle=angle,
        stretch=math.exp(rng.uniform(-0.12, 0.12)),
        mirrored=bool(rng.random() < 0.5),
        bend=float(rng.choice([0.0, 0.04, 0.09])),
    )
    one = compose(data, [place], frame, rng)
    picture = _cut_off(one.picture, rng)
    seen = one.seen[0]
    eyes, mouth, brows, turn, nod = (float(value) for value in seen.labels)
    opened = float(mouth > (MOUTH_CLOSED + MOUTH_OPEN) / 2)
    log_side = math.log(float(seen.head[2]) / unit)
    target[:] = (1.0, eyes > 0.5, opened, brows, turn, nod, dx, dy, log_side, angle)
    if MOUTH_CLOSED < mouth < MOUTH_OPEN:
        weight[2] = 0.0
    return picture


def _elsewhere(size: int, rng: Rng) -> Placement:
    """A character whose head is not in the frame: the crop shows its body, or hardly anything."""
    side = size * float(rng.uniform(0.3, 1.2))
    return Placement(
        x=size * float(rng.uniform(0.2, 0.8)),
        y=-side * float(rng.uniform(0.75, 2.0)),
        side=side,
        mirrored=bool(rng.random() < 0.5),
    )


def _cut_off(picture: Tensor, rng: Rng) -> Tensor:
    """Sometimes the picture ends within the crop, which is grey beyond."""
    if rng.random() < 0.85:
        return picture
    picture = picture.clone()
    size = picture.shape[1]
    edge = int(size * rng.uniform(0.02, 0.3))
    side = int(rng.integers(3))
    if side == 0:
        picture[:, :edge] = 0.5
    elif side == 1:
        picture[:, :, :edge] = 0.5
    else:
        picture[:, :, size - edge :] = 0.5
    return picture


def examiner_loss(output: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the four verdicts, distances of the six measures."""
    # The mouth is the smallest thing that is asked for, and is learned last.
    weight = batch.weight[:, :4] * torch.tensor([1.0, 1.0, 4.0, 1.0])
    verdicts = functional.binary_cross_entropy_with_logits(
        output[:, :4], batch.target[:, :4], weight, reduction="sum"
    ) / batch.weight[:, :4].sum().clamp_min(1)
    # Squares for turn and nod, which most faces have little of: an absolute distance would teach
    # the median, none at all.
    off = output[:, 4:] - batch.target[:, 4:]
    squared = off[:, :2] ** 2 * torch.tensor([5.0, 2.0])
    near = functional.smooth_l1_loss(
        off[:, 2:], torch.zeros_like(off[:, 2:]), reduction="none", beta=0.02
    )
    far = torch.cat([squared, near * 6.0], 1)
    measures = (far * batch.weight[:, 4:]).sum() / batch.weight[:, 4:].sum().clamp_min(1)
    return verdicts + measures


TASKS: Final = {
    "finder": Task("finder", FinderNetwork, finder_batch, finder_loss),
    "examiner": Task("examiner", ExaminerNetwork, examiner_batch, examiner_loss),
}
