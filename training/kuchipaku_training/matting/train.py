"""How the matting network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from kuchipaku_training.loop import LoopSettings, TrainingLoop
from kuchipaku_training.matting import task
from kuchipaku_training.matting.dataset import FigureData
from kuchipaku_training.matting.network import INPUT_SIZE, MattingNetwork, normalised

#: Pictures of half the side cost a quarter; the rest is what small convolutions waste.
_SMALL_BATCH = 3


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; the first `small_share` of the steps sees three times as many pictures
    of half the side."""

    learning_rate: float = 2.5e-3
    pictures: int = 5
    small_share: float = 0.45
    held_pictures: int = 24


class Trainer(TrainingLoop[FigureData, task.HeldScore]):
    """The matting network in training."""

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        super().__init__("matting", MattingNetwork(), settings, folder)
        self.settings = settings

    def loss(self, data: FigureData) -> Tensor:
        settings = self.settings
        small = self.step < settings.small_share * settings.steps
        count = settings.pictures * (_SMALL_BATCH if small else 1)
        size = INPUT_SIZE // 2 if small else INPUT_SIZE
        batch = task.batch(data, self.step, settings.seed, count, size)
        with self.precision():
            logits = self.net(normalised(batch.picture))
        return task.loss(logits.float(), batch.alpha)

    def measured(self, held: FigureData) -> task.HeldScore:
        return task.measure(self.average, held, self.settings.held_pictures, INPUT_SIZE)

    def figures(self, score: task.HeldScore) -> Mapping[str, float]:
        return asdict(score)

    def told(self, score: task.HeldScore) -> str:
        return f"IoU {score.iou:.4f} edge {score.edge_error:.3f}"
