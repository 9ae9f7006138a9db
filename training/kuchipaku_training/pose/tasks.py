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
from kuchipaku_training.pose.networks import FaceNetwork, Layers, RotatorNetwork, repeat

#: Where the warped picture is off by more than this, the colours have to help.
_MISSED_LEVEL = 0.05
#: Pixels that differ by less are the same.
_SAME_LEVEL = 0.02
#: Share of changed pixels above which no boost is needed.
_LARGE_CHANGE = 0.1
_CROP = slice(WINDOW_MARGIN, WINDOW_MARGIN + FACE_SIZE)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; `changed` is the extra weight of pixels that change,
    `focus` that of the mouth among them, `bare` that of the bare face, `shown` that of the masks
    where it comes to sight, `energy` that of lines that are too pale."""

    changed: float
    edge: float
    warped: float
    colour: float
    focus: float = 2.0
    bare: float = 1.0
    shown: float = 1.5
    energy: float = 0.0


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

        L1 weighted by change, the same of the edges (blur is what L1 alone settles for) and of the
        warped layer alone (the flow shall do what it can). Where what is behind them is not
        enough, the painted colours are compared too: otherwise the mask learns to hide them before
        they are any good, and they never get better.
        """
        changed = metrics.changed_mask(batch.source, batch.target)
        # A small change, such as a mouth alone, would drown among moving eyes and brows.
        share = changed.mean((1, 2, 3), keepdim=True).clamp(min=1e-4)
        boost = (_LARGE_CHANGE / share).sqrt().clamp(1.0, 4.0)
        if batch.focus is not None:
            boost = boost * (1.0 + self.weights.focus * batch.focus)
        weight = 1.0 + self.weights.changed * changed * boost
        picture, warped = layers.picture.float(), layers.warped.float()
        loss = ((picture - batch.target).abs() * weight).mean()
        loss = loss + self.weights.edge * metrics.edge_distance(picture, batch.target, weight)
        if self.weights.energy:
            distance = metrics.energy_distance(picture, batch.target, weight)
            loss = loss + self.weights.energy * distance
        loss = loss + self.weights.warped * ((warped - batch.target).abs() * weight).mean()
        missed = (layers.behind.detach() - batch.target).abs().amax(1, keepdim=True)
        painted = (layers.colour.float() - batch.target).abs() * (missed > _MISSED_LEVEL) * boost
        loss = loss + self.weights.colour * painted.mean()
        if batch.bare is None:
            return loss
        bare_face = _given(layers.bare)
        loss = loss + self.weights.bare * self._bare_loss(bare_face, batch.neutral, batch.bare)
        return loss + self.weights.shown * _shown_loss(layers, batch, changed)

    def _bare_loss(self, bare: Tensor, neutral: Tensor, truth: Tensor) -> Tensor:
        """L1 and edges of the bare face, weighted where there were features."""
        weight = 1.0 + self.weights.changed * metrics.changed_mask(neutral, truth)
        loss = ((bare - truth).abs() * weight).mean()
        return loss + self.weights.edge * metrics.edge_distance(bare, truth, weight)


def _shown_loss(layers: Layers, batch: Batch, changed: Tensor) -> Tensor:
    """Where a pose shows what was behind a feature, the masks shall show the bare face: painted
    colours would do nearly as well there, and leave smudges."""
    bare = repeat(_given(batch.bare), len(batch.target) // len(batch.neutral))
    shown = changed * ((batch.target - bare).abs().amax(1, keepdim=True) < _SAME_LEVEL)
    return ((1.0 - _given(layers.erased) + layers.alpha) * shown).mean()


def _given(tensor: Tensor | None) -> Tensor:
    assert tensor is not None  # noqa: S101
    return tensor


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
    LossWeights(changed=5.0, edge=0.8, warped=0.05, colour=3.0, energy=3.0),
)
ROTATOR_TASK = Task(
    "rotator",
    RotatorNetwork,
    rotator_batch,
    held_turns,
    _turn,
    LossWeights(changed=2.0, edge=0.3, warped=0.5, colour=1.0),
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
