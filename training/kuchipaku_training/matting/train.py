"""The training loop: AdamW, bf16 autocast, moving average of the weights, exact resume."""

from __future__ import annotations

import copy
import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from torch import nn

from kuchipaku_training.matting import task
from kuchipaku_training.matting.dataset import FigureData
from kuchipaku_training.matting.network import INPUT_SIZE, MattingNetwork, normalised


@dataclass(frozen=True)
class TrainSettings:
    """How long and with what the network is trained.

    The first `small_share` of the steps sees pictures of half the side, four times as many at the
    same cost. The learning rate rises for `warmup` steps, stays, and falls over the last
    `decay_share`.
    """

    steps: int
    seed: int = 1
    learning_rate: float = 2.5e-3
    pictures: int = 5
    small_share: float = 0.45
    warmup: int = 60
    decay_share: float = 0.5
    average: float = 0.995
    held_every: int = 250
    held_pictures: int = 24
    save_every: int = 100


class Pace(Protocol):
    """What decides the learning rate."""

    @property
    def steps(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    @property
    def warmup(self) -> int: ...

    @property
    def decay_share(self) -> float: ...


def learning_rate(step: int, settings: Pace) -> float:
    """Return the learning rate of a step counted from 0."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall_steps = max(1.0, settings.steps * settings.decay_share)
    fall = min(1.0, (settings.steps - step) / fall_steps)
    return settings.learning_rate * rise * max(fall, 0.01)


class Trainer:
    """The network in training. Batches depend on (seed, step) alone, so the state is complete."""

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.folder = folder
        self.step = 0
        self.elapsed_s = 0.0
        self.net = MattingNetwork().to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
        )

    @property
    def checkpoint(self) -> Path:
        return self.folder / "matting.pt"

    def state(self) -> dict[str, Any]:
        """Return everything a resumed training needs, as tensors and plain types."""
        return {
            "network": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "settings": asdict(self.settings),
        }

    def save(self) -> None:
        """Write the checkpoint, replacing the former one in one move."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".part")
        torch.save(self.state(), partial)
        partial.replace(self.checkpoint)

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one. Returns whether there was."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        self.net.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        self.elapsed_s = float(state["elapsed_s"])
        return True

    def train_step(self, data: FigureData) -> float:
        """Run one step and return its loss."""
        settings = self.settings
        small = self.step < settings.small_share * settings.steps
        count = settings.pictures * (3 if small else 1)
        size = INPUT_SIZE // 2 if small else INPUT_SIZE
        batch = task.batch(data, self.step, settings.seed, count, size)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(normalised(batch.picture))
        loss = task.loss(logits.float(), batch.alpha)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _update_average(self) -> None:
        keep = min(self.settings.average, self.step / (self.step + 20.0))
        with torch.no_grad():
            current = self.net.state_dict()
            for name, value in self.average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(current[name], 1.0 - keep)
                else:
                    value.copy_(current[name])

    def run(self, data: FigureData, held: FigureData, console: Console) -> task.HeldScore:
        """Train to the last step, logging to `matting.csv`. Returns the last held-out score."""
        settings, started = self.settings, time.monotonic() - self.elapsed_s
        smooth = 0.0
        while self.step < settings.steps:
            loss = self.train_step(data)
            smooth = loss if not smooth else 0.97 * smooth + 0.03 * loss
            self.elapsed_s = time.monotonic() - started
            if self.step % settings.held_every == 0 or self.step == settings.steps:
                self._report(self._measured(held), smooth, console)
            if self.step % settings.save_every == 0 or self.step == settings.steps:
                self.save()
        return self._measured(held)

    def _measured(self, held: FigureData) -> task.HeldScore:
        return task.measure(self.average, held, self.settings.held_pictures, INPUT_SIZE)

    def _report(self, score: task.HeldScore, loss: float, console: Console) -> None:
        console.print(
            f"matting {self.step}/{self.settings.steps} {self.elapsed_s / 60:.1f} min "
            f"loss {loss:.4f} held-out IoU {score.iou:.4f} edge {score.edge_error:.3f}",
            highlight=False,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "matting.csv"
        row = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 1),
            "loss": round(loss, 6),
            **{name: round(value, 5) for name, value in asdict(score).items()},
        }
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
