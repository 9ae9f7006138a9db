"""The training loop: AdamW, bf16 autocast, moving average of the weights, exact resume."""

from __future__ import annotations

import copy
import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.tasks import HeldScore, Task, measure


@dataclass(frozen=True)
class TrainSettings:
    """How long and with what a network is trained.

    The learning rate rises for `warmup` steps, stays, and falls linearly over the last
    `decay_share` of the steps; a batch holds `characters` x `poses` pictures. The first
    `zoomed_share` of the steps looks at parts of the pictures, where the network can.
    """

    steps: int
    characters: int = 4
    poses: int = 3
    seed: int = 1
    learning_rate: float = 2e-3
    warmup: int = 100
    decay_share: float = 0.4
    average: float = 0.998
    zoomed_share: float = 0.85
    bf16: bool = True
    held_every: int = 500
    held_characters: int = 12
    save_every: int = 250


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step counted from 0."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall_steps = max(1.0, settings.steps * settings.decay_share)
    fall = min(1.0, (settings.steps - step) / fall_steps)
    return settings.learning_rate * rise * max(fall, 0.01)


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

    def start_from(self, checkpoint: Path) -> None:
        """Take the averaged weights of another training; step and optimiser start afresh."""
        state = torch.load(checkpoint, weights_only=True)
        self.net.load_state_dict(state["average"])
        self.average.load_state_dict(state["average"])

    def train_step(self, data: PoseData) -> float:
        """Run one step and return its loss."""
        settings = self.settings
        batch = self.task.batch(
            data,
            self.step,
            settings.seed,
            settings.characters,
            settings.poses,
            self.step < settings.zoomed_share * settings.steps,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            layers = self.task.forward(self.net, batch)
        loss = self.task.loss(layers, batch)
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

    def run(self, data: PoseData, held: PoseData, console: Console) -> HeldScore:
        """Train to the last step, logging to `<name>.csv`. Returns the last held-out score."""
        settings, started = self.settings, time.monotonic() - self.elapsed_s
        smooth = 0.0
        while self.step < settings.steps:
            loss = self.train_step(data)
            smooth = loss if not smooth else 0.98 * smooth + 0.02 * loss
            self.elapsed_s = time.monotonic() - started
            if self.step % settings.held_every == 0 or self.step == settings.steps:
                score = measure(self.task, self.average, held, settings.held_characters)
                self._report(score, smooth, console)
            if self.step % settings.save_every == 0 or self.step == settings.steps:
                self.save()
        return measure(self.task, self.average, held, held.spec.characters)

    def _report(self, score: HeldScore, loss: float, console: Console) -> None:
        samples = self.step * self.settings.characters * self.settings.poses
        console.print(
            f"{self.task.name} {self.step}/{self.settings.steps} "
            f"{self.elapsed_s / 60:.1f} min {samples / max(self.elapsed_s, 1e-9):.1f}/s "
            f"loss {loss:.4f} held-out {score.psnr:.2f} dB ssim {score.ssim:.4f} "
            f"(doing nothing {score.baseline_psnr:.2f} dB)",
            highlight=False,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.task.name}.csv"
        row = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 1),
            "samples": samples,
            "loss": round(loss, 6),
            **{name: round(value, 5) for name, value in asdict(score).items()},
        }
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
