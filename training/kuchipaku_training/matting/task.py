"""What the matting network learns from: batches, loss, held-out measures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kuchipaku_training.matting.compose import Composed, Placement, compose
from kuchipaku_training.matting.dataset import FigureData
from kuchipaku_training.matting.network import MattingNetwork, normalised

Rng = np.random.Generator
#: Held-out pictures are drawn with seeds that no training batch uses.
_HELD_SALT = 9_000_000


@dataclass(frozen=True)
class Batch:
    """Pictures (n, 3, s, s), 0..1, and their foreground (n, 1, s, s), 0..1."""

    picture: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class HeldScore:
    """Means over held-out pictures; `baseline_iou` takes the whole picture as foreground."""

    iou: float
    mean_absolute_error: float
    edge_error: float
    baseline_iou: float


def _place(size: int, rng: Rng) -> Placement:
    """Anything from a full figure to a portrait that is larger than the picture."""
    side = math.exp(rng.uniform(math.log(0.13), math.log(0.7)))
    # Below the head follow three more sides of body; mostly the picture ends before the body does.
    lowest = max(0.1, 1.0 - 3.0 * side) if rng.random() < 0.8 else 0.1
    y = rng.uniform(lowest, max(lowest + 0.05, 0.65))
    return Placement(
        x=float(rng.uniform(0.15, 0.85) if rng.random() < 0.5 else rng.normal(0.5, 0.06)) * size,
        y=float(y) * size,
        side=side * size,
        angle=float(rng.normal(0, 0.12)),
        stretch=math.exp(rng.uniform(-0.4, 0.4)),
        mirrored=bool(rng.random() < 0.5),
        bend=float(rng.choice([0.0, 0.15, 0.35])),
    )


def draw_picture(data: FigureData, size: int, rng: Rng) -> Composed:
    """Compose one picture: mostly of one character, sometimes of two or none."""
    count = int(rng.choice([0, 1, 2], p=[0.03, 0.87, 0.1]))
    return compose(data, [_place(size, rng) for _ in range(count)], (size, size), rng)


def draw_single(data: FigureData, size: int, rng: Rng) -> Composed:
    """Compose one picture of one character, restyled as in training."""
    return compose(data, [_place(size, rng)], (size, size), rng)


def draw_plain(data: FigureData, size: int, rng: Rng) -> Composed:
    """Compose one picture of one character as it was drawn: portrait to full figure, upright."""
    side = math.exp(rng.uniform(math.log(0.2), math.log(0.5)))
    place = Placement(
        x=float(rng.uniform(0.35, 0.65)) * size,
        y=float(rng.uniform(0.6, 0.85)) * side * size,
        side=side * size,
        angle=float(rng.normal(0, 0.05)),
        mirrored=bool(rng.random() < 0.5),
    )
    return compose(data, [place], (size, size), rng, restyled=False)


def batch(data: FigureData, step: int, seed: int, count: int, size: int) -> Batch:
    """Compose the batch of (seed, step)."""
    rng = np.random.default_rng((seed, step))
    made = [draw_picture(data, size, rng) for _ in range(count)]
    return Batch(
        torch.stack([one.picture for one in made]), torch.stack([one.alpha for one in made])
    )


def loss(logits: Tensor, alpha: Tensor) -> Tensor:
    """Cross-entropy and distance, heavier at the outline, and overlap."""
    soft = functional.avg_pool2d(alpha, 7, 1, 3)
    outline = 1.0 + 3.0 * (4.0 * soft * (1.0 - soft))
    entropy = functional.binary_cross_entropy_with_logits(logits, alpha, reduction="none")
    guess = torch.sigmoid(logits)
    distance = (guess - alpha).abs()
    both = (guess * alpha).sum((1, 2, 3))
    either = (guess + alpha - guess * alpha).sum((1, 2, 3))
    overlap = 1.0 - (both + 20.0) / (either + 20.0)
    return ((entropy + distance) * outline).mean() + 0.5 * overlap.mean()


def iou(guess: Tensor, alpha: Tensor) -> Tensor:
    """Intersection over union (n,) of the pixels above one half; 1 where both are empty."""
    one, other = guess > 0.5, alpha > 0.5
    both = (one & other).sum((1, 2, 3)).float()
    either = (one | other).sum((1, 2, 3)).float()
    return torch.where(either > 0, both / either.clamp_min(1.0), torch.ones_like(both))


def edge_error(guess: Tensor, alpha: Tensor) -> Tensor:
    """Mean absolute error (n,) within three pixels of the true outline; 0 without one."""
    wide = functional.max_pool2d(alpha, 7, 1, 3)
    narrow = -functional.max_pool2d(-alpha, 7, 1, 3)
    rim = ((wide - narrow) > 0.5).float()
    return ((guess - alpha).abs() * rim).sum((1, 2, 3)) / rim.sum((1, 2, 3)).clamp_min(1.0)


def measure(network: MattingNetwork, data: FigureData, count: int, size: int) -> HeldScore:
    """Measure on `count` pictures of one held-out character each."""
    scores: list[list[float]] = []
    network.eval()
    for index in range(count):
        rng = np.random.default_rng((_HELD_SALT, index))
        one = draw_single(data, size, rng)
        alpha = one.alpha[None]
        with torch.inference_mode():
            guess = torch.sigmoid(network(normalised(one.picture[None])).float())
        scores.append(
            [
                float(iou(guess, alpha)[0]),
                float((guess - alpha).abs().mean()),
                float(edge_error(guess, alpha)[0]),
                float((alpha > 0.5).float().mean()),
            ]
        )
    return HeldScore(*(float(value) for value in np.mean(scores, 0)))
