"""The training loop: AdamW, bf16 autocast, moving average of the weights, exact resume."""

from __future__ import annotations

import copy
import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.console import Console
from torch import nn

from kuchipaku_training.headbox.task import Task
from kuchipaku_training.matting.dataset import FigureData
from kuchipaku_training.matting.train import learning_rate

_HELD_SEED: Final = 9_000_000


@dataclass(frozen=True)
class TrainSettings:
    """How long and with what a network is trained."""

    steps: int
    seed: int = 1
    learning_rate: float = 2e-3
    pictures: int = 24
    warmup: int = 60
    decay_share: float = 0.5
    average: float = 0.995
    held_every: int = 250
    held_batches: int = 4
    save_every: int = 100


class Trainer:
    """One network in training. Batches depend on (seed, step) alone, so the state is complete."""

    def __init__(self, task: Task, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        self.task = task
        self.settings = settings
        self.folder = folder
        self.step = 0
        self.elapsed_s = 0.0
        self.net: nn.Module = task.build().to(memory_format=torch.channels_last)
        self.average: nn.Module = copy.deepcopy(self.net).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
        )

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.task.name}.pt"

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
        rng = np.random.default_rng((settings.seed, self.step))
        batch = self.task.batch(data, rng, settings.pictures)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            output = self.net(batch.picture)
        loss = self.task.loss(output.float(), batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
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

    def run(self, data: FigureData, held: FigureData, console: Console) -> float:
        """Train to the last step, logging to `<name>.csv`. Returns the last held-out loss."""
        settings, started = self.settings, time.monotonic() - self.elapsed_s
        smooth = 0.0
        while self.step < settings.steps:
            loss = self.train_step(data)
            smooth = loss if not smooth else 0.97 * smooth + 0.03 * loss
            self.elapsed_s = time.monotonic() - started
            if self.step % settings.held_every == 0 or self.step == settings.steps:
                self._report(self.held_loss(held), smooth, console)
            if self.step % settings.save_every == 0 or self.step == settings.steps:
                self.save()
        return self.held_loss(held)

    def held_loss(self, held: FigureData) -> float:
        """Return the mean loss on held-out batches."""
        self.average.eval()
        losses = []
        for index in range(self.settings.held_batches):
            rng = np.random.default_rng((_HELD_SEED, index))
            batch = self.task.batch(held, rng, self.settings.pictures)
            with torch.inference_mode():
                losses.append(float(self.task.loss(self.average(batch.picture).float(), batch)))
        return float(np.mean(losses))

    def _report(self, held: float, loss: float, console: Console) -> None:
        console.print(
            f"{self.task.name} {self.step}/{self.settings.steps} {self.elapsed_s / 60:.1f} min "
            f"loss {loss:.4f} held-out {held:.4f}",
            highlight=False,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.task.name}.csv"
        row = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 1),
            "loss": round(loss, 5),
            "held_loss": round(held, 5),
        }
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
