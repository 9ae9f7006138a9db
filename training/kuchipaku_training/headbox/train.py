"""How the networks that find and examine heads are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from kuchipaku_training.headbox.task import Task
from kuchipaku_training.loop import LoopSettings, TrainingLoop
from kuchipaku_training.matting.dataset import FigureData

_HELD_SEED: Final = 9_000_000


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; `held_batches` batches of held-out pictures are measured."""

    gradient_limit: float = 5.0
    pictures: int = 24
    held_batches: int = 4


class Trainer(TrainingLoop[FigureData, float]):
    """One network in training; its score is the loss on held-out pictures."""

    def __init__(self, task: Task, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        super().__init__(task.name, task.build(), settings, folder)
        self.task = task
        self.settings = settings

    def loss(self, data: FigureData) -> Tensor:
        rng = np.random.default_rng((self.settings.seed, self.step))
        batch = self.task.batch(data, rng, self.settings.pictures)
        with self.precision():
            output = self.net(batch.picture)
        return self.task.loss(output.float(), batch)

    def measured(self, held: FigureData) -> float:
        losses = []
        for index in range(self.settings.held_batches):
            rng = np.random.default_rng((_HELD_SEED, index))
            batch = self.task.batch(held, rng, self.settings.pictures)
            losses.append(float(self.task.loss(self.average(batch.picture).float(), batch)))
        return float(np.mean(losses))

    def figures(self, score: float) -> Mapping[str, float]:
        return {"held_loss": score}

    def told(self, score: float) -> str:
        return f"loss {score:.4f}"
