"""The training loop of every network: AdamW, bf16 autocast, moving average of the weights.

Batches depend on (seed, step) alone, so that a checkpoint is the whole state and a training that
resumes goes on as if it had never stopped.
"""

from __future__ import annotations

import copy
import csv
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from torch import Tensor, nn

from kuchipaku_training.checkpoints import put_averaged, put_weights, read_checkpoint

Data = TypeVar("Data")
Score = TypeVar("Score")


@dataclass(frozen=True)
class LoopSettings:
    """How long and at what pace a network is trained.

    The learning rate rises for `warmup` steps, stays, and falls linearly over the last
    `decay_share` of the steps. `average` is the share that the moving average of the weights
    keeps at each step.
    """

    steps: int
    seed: int = 1
    learning_rate: float = 2e-3
    warmup: int = 60
    decay_share: float = 0.5
    average: float = 0.995
    gradient_limit: float = 1.0
    bf16: bool = True
    held_every: int = 250
    save_every: int = 100


def learning_rate(step: int, settings: LoopSettings) -> float:
    """Return the learning rate of a step counted from 0."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall_steps = max(1.0, settings.steps * settings.decay_share)
    fall = min(1.0, (settings.steps - step) / fall_steps)
    return settings.learning_rate * rise * max(fall, 0.01)


class TrainingLoop(ABC, Generic[Data, Score]):
    """One network in training; what it learns, and how that is measured, its heirs say.

    Checkpoints are `<name>.pt` in `folder`, the log is `<name>.csv` beside them.
    """

    def __init__(self, name: str, net: nn.Module, settings: LoopSettings, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.step = 0
        self.elapsed_s = 0.0
        self.net = net.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
        )
        self._pace = settings

    @abstractmethod
    def loss(self, data: Data) -> Tensor:
        """Return the loss, a scalar, on the batch of `step`; the network runs in `precision()`."""

    @abstractmethod
    def measured(self, held: Data) -> Score:
        """Measure the averaged weights on held-out data."""

    @abstractmethod
    def figures(self, score: Score) -> Mapping[str, float]:
        """Return a score as the columns of the log."""

    @abstractmethod
    def told(self, score: Score) -> str:
        """Return a score as part of a line on the screen."""

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    def save(self) -> None:
        """Write the checkpoint, replacing the former one in one move."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".part")
        state: dict[str, Any] = {
            "network": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "settings": asdict(self._pace),
        }
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one. Returns whether there was.

        Raises FailedPreconditionError if it is of another network.
        """
        if not self.checkpoint.exists():
            return False
        state = read_checkpoint(self.checkpoint)
        put_weights(self.net, state["network"], self.checkpoint)
        put_weights(self.average, state["average"], self.checkpoint)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        self.elapsed_s = float(state["elapsed_s"])
        return True

    def start_from(self, checkpoint: Path) -> None:
        """Take the averaged weights of another training; step and optimiser start afresh.

        Raises FailedPreconditionError if there is none, or if it is of another network.
        """
        state = put_averaged(self.net, checkpoint, advice="give another one", field="from")
        put_weights(self.average, state["average"], checkpoint, field="from")

    def precision(self) -> AbstractContextManager[object]:
        """Return what the network runs in; pictures and losses stay float32 outside of it."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self._pace.bf16)

    def train_step(self, data: Data) -> float:
        """Run one step and return its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self._pace)
        self.net.train()
        loss = self.loss(data)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self._pace.gradient_limit)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def run(self, data: Data, held: Data, console: Console) -> Score:
        """Train to the last step, telling and logging held-out figures. Returns the last ones."""
        steps, started = self._pace.steps, time.monotonic() - self.elapsed_s
        smooth, score = 0.0, None
        while self.step < steps:
            loss = self.train_step(data)
            smooth = loss if not smooth else 0.98 * smooth + 0.02 * loss
            self.elapsed_s = time.monotonic() - started
            last = self.step == steps
            if last or self.step % self._pace.held_every == 0:
                score = self._judged(held)
                self._report(score, smooth, console)
            if last or self.step % self._pace.save_every == 0:
                self.save()
        return self._judged(held) if score is None else score

    def _judged(self, held: Data) -> Score:
        self.average.eval()
        with torch.inference_mode():
            return self.measured(held)

    def _update_average(self) -> None:
        keep = min(self._pace.average, self.step / (self.step + 20.0))
        with torch.no_grad():
            current = self.net.state_dict()
            for name, value in self.average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(current[name], 1.0 - keep)
                else:
                    value.copy_(current[name])

    def _report(self, score: Score, loss: float, console: Console) -> None:
        console.print(
            f"{self.name} {self.step}/{self._pace.steps} {self.elapsed_s / 60:.1f} min "
            f"{self.step / max(self.elapsed_s, 1e-9):.2f} steps/s loss {loss:.4f} "
            f"held-out {self.told(score)}",
            highlight=False,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.name}.csv"
        row = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 1),
            "loss": round(loss, 6),
            **{name: round(value, 5) for name, value in self.figures(score).items()},
        }
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
