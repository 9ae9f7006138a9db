"""How the networks of the starter pose model are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from kuchipaku_training.loop import LoopSettings, TrainingLoop
from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.tasks import HeldScore, Task, measure


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; a batch holds `characters` x `poses` pictures.

    The first `zoomed_share` of the steps looks at parts of the pictures, where the network can.
    """

    warmup: int = 100
    decay_share: float = 0.4
    average: float = 0.998
    held_every: int = 500
    save_every: int = 250
    characters: int = 4
    poses: int = 3
    zoomed_share: float = 0.85
    held_characters: int = 12


class Trainer(TrainingLoop[PoseData, HeldScore]):
    """One network of the pose model in training."""

    def __init__(self, task: Task, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        super().__init__(task.name, task.build(), settings, folder)
        self.task = task
        self.settings = settings

    def loss(self, data: PoseData) -> Tensor:
        settings = self.settings
        zoomed = self.step < settings.zoomed_share * settings.steps
        batch = self.task.batch(
            data, self.step, settings.seed, settings.characters, settings.poses, zoomed
        )
        with self.precision():
            layers = self.task.forward(self.net, batch)
        return self.task.loss(layers, batch)

    def measured(self, held: PoseData) -> HeldScore:
        count = min(self.settings.held_characters, held.spec.characters)
        return measure(self.task, self.average, held, count)

    def figures(self, score: HeldScore) -> Mapping[str, float]:
        return asdict(score)

    def told(self, score: HeldScore) -> str:
        return (
            f"{score.psnr:.2f} dB ssim {score.ssim:.4f} "
            f"(doing nothing {score.baseline_psnr:.2f} dB)"
        )
