"""What is trained: the two networks with their batches, losses and held-out measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kuchipaku_training.pose import metrics
from kuchipaku_training.pose.batches import (
    Batch,
    expression_half,
    face_batch,
    rotator_batch,
    to_tensor,
)
from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.layout import (
    FACE_SIZE,
    WINDOW_COLUMNS,
    WINDOW_MARGIN,
    WINDOW_ROWS,
)
from kuchipaku_training.pose.networks import FaceNetwork, Layers, RotatorNetwork

_CROP = slice(WINDOW_MARGIN, WINDOW_MARGIN + FACE_SIZE)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; `changed` is the extra weight of pixels that change."""

    changed: float
    edge: float
    warped: float
    alpha: float


@dataclass(frozen=True)
class Task:
    """One network and how it is trained and measured."""

    name: str
    build: Callable[[], nn.Module]
    batch: Callable[[PoseData, int, int, int, int, bool], Batch]
    held: Callable[[PoseData, int], Batch]
    forward: Callable[[nn.Module, Batch], Layers]
    weights: LossWeights

    def loss(self, layers: Layers, batch: Batch) -> Tensor:
        """Return the training loss, a scalar.

        L1 weighted by change, the same of the edges (blur is what L1 alone settles for), of the
        warped layer alone (the flow shall do what it can), and the cost of repainting.
        """
        changed = metrics.changed_mask(batch.source, batch.target)
        weight = 1.0 + self.weights.changed * changed
        picture, warped = layers.picture.float(), layers.warped.float()
        loss = ((picture - batch.target).abs() * weight).mean()
        loss = loss + self.weights.edge * metrics.edge_distance(picture, batch.target, weight)
        loss = loss + self.weights.warped * ((warped - batch.target).abs() * weight).mean()
        return loss + self.weights.alpha * layers.alpha.float().mean()


def held_faces(data: PoseData, character: int) -> Batch:
    """Return all facial poses of one character, unchanged: crops (k, 4, 192, 192)."""
    neutral = to_tensor(np.asarray(data["neutral"][character][None, WINDOW_ROWS, WINDOW_COLUMNS]))
    neutral = neutral[..., _CROP, _CROP]
    target = to_tensor(np.asarray(data["face"][character]))[..., _CROP, _CROP]
    pose = torch.from_numpy(np.array(data["face_pose"][character]))
    return Batch(neutral, neutral.expand(len(target), -1, -1, -1), target, pose)


def held_turns(data: PoseData, character: int) -> Batch:
    """Return all turned pictures of one character at half size (r, 4, 256, 256)."""
    neutral = to_tensor(np.asarray(data["neutral_half"][character][None]))
    faces = [expression_half(data, character, turn) for turn in range(data.spec.turns)]
    target = to_tensor(np.asarray(data["turned_half"][character]))
    pose = torch.from_numpy(np.array(data["head_pose"][character]))
    return Batch(neutral, to_tensor(np.stack(faces)), target, pose)


def _morph(net: nn.Module, batch: Batch) -> Layers:
    layers = net(batch.neutral, batch.pose)
    assert isinstance(layers, Layers)  # noqa: S101
    return layers


def _turn(net: nn.Module, batch: Batch) -> Layers:
    layers = net(batch.neutral, batch.pose, batch.source)
    assert isinstance(layers, Layers)  # noqa: S101
    return layers


FACE_TASK = Task(
    "face",
    FaceNetwork,
    face_batch,
    held_faces,
    _morph,
    LossWeights(changed=5.0, edge=0.5, warped=0.05, alpha=0.003),
)
ROTATOR_TASK = Task(
    "rotator",
    RotatorNetwork,
    rotator_batch,
    held_turns,
    _turn,
    LossWeights(changed=2.0, edge=0.3, warped=0.5, alpha=0.01),
)
TASKS = {task.name: task for task in (FACE_TASK, ROTATOR_TASK)}


@dataclass(frozen=True)
class HeldScore:
    """Means over held-out pictures; `baseline_psnr` is what doing nothing gives."""

    loss_l1: float
    psnr: float
    ssim: float
    baseline_psnr: float


def measure(task: Task, net: nn.Module, data: PoseData, characters: int) -> HeldScore:
    """Measure `net` on the first `characters` of a held-out set."""
    rows: list[list[float]] = []
    net.eval()
    with torch.inference_mode():
        for character in data.ready[:characters]:
            batch = task.held(data, int(character))
            picture = task.forward(net, batch).picture.float().clamp(0.0, 1.0)
            l1 = (picture - batch.target).abs().mean((1, 2, 3))
            scores = (
                l1,
                metrics.psnr(picture, batch.target),
                metrics.ssim(picture, batch.target),
                metrics.psnr(batch.source, batch.target),
            )
            rows.extend(torch.stack(scores, 1).tolist())
    return HeldScore(*(float(value) for value in np.mean(rows, 0)))
