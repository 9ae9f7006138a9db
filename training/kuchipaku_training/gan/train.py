"""Training of a GAN: epochs, checkpoints, sheets of samples, losses to CSV and TensorBoard."""

from __future__ import annotations

import csv
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_imagegen.backends.gan import latent
from kuchipaku_training.gan.architectures import ARCHITECTURES, CLASSIC
from kuchipaku_training.gan.augment import AUGMENTATIONS
from kuchipaku_training.gan.classic import ClassicGan
from kuchipaku_training.gan.codec import Codec, fit_codec
from kuchipaku_training.gan.pictures import Faces, save_sheet
from kuchipaku_training.gan.recipe import Floats, Pace, Pixels, Recipe
from kuchipaku_training.gan.small import SmallGan

LEARNING_RATES: Final = {"classic": 1e-4, "small": 4e-4}
PRECISIONS: Final = ("float32", "bfloat16")
_SHEET: Final = 48
_COLUMNS: Final = 8
_SAVE_EVERY: Final = 500


@dataclass(frozen=True)
class TrainSettings:
    """What a training is asked for. learning_rate 0 stands for the architecture's own."""

    architecture: str
    epochs: int = 100
    batch: int = 16
    learning_rate: float = 0.0
    seed: int = 1
    precision: str = "float32"
    augment: str = "light"

    def __post_init__(self) -> None:
        _check(self.architecture in ARCHITECTURES, "no such architecture", "architecture")
        _check(self.epochs >= 1, "at least one epoch", "epochs")
        _check(self.batch >= 8 and self.batch % 8 == 0, "batches of 8, 16, 24...", "batch")
        _check(self.precision in PRECISIONS, "no such precision", "precision")
        _check(self.augment in AUGMENTATIONS, "no such augmentation", "augment")
        _check(0 <= self.learning_rate < 1, "learning rates are 0 to 1", "learning_rate")

    def pace(self, faces: int) -> Pace:
        """The pace of a training on so many faces."""
        return Pace(
            learning_rate=self.learning_rate or LEARNING_RATES[self.architecture],
            steps=self.epochs * max(1, faces // self.batch),
            batch=self.batch,
            seed=self.seed,
            precision="mixed_bfloat16" if self.precision == "bfloat16" else "float32",
            augment=self.augment,
        )


def _check(right: bool, message: str, field: str) -> None:
    if not right:
        raise InvalidArgumentError(message, reason="TRAINING_SETTING_INVALID", field=field)


def build_recipe(architecture: str, pace: Pace, codec: Codec) -> Recipe:
    """The networks and optimisers of an architecture, untrained."""
    return ClassicGan(pace) if architecture == CLASSIC else SmallGan(pace, codec)


def open_codec(runs: Path, faces: Faces) -> Codec:
    """The code of the training in `runs`; fitted to the faces if there is none yet."""
    path = runs / "codec.npz"
    if not path.exists():
        runs.mkdir(parents=True, exist_ok=True)
        fit_codec(faces.train).save(path)
    return Codec.load(path)


def pixels_of(pictures: Floats) -> Pixels:
    """Pictures, -1..1 -> uint8."""
    return np.rint(np.clip(pictures * 127.5 + 127.5, 0.0, 255.0)).astype(np.uint8)


def generate_pixels(recipe: Recipe, seeds: range) -> Pixels:
    """What the generator makes of seeds, as the serving backend makes its latents."""
    values = np.stack([latent(seed, recipe.latent_size) for seed in seeds])
    parts = [recipe.generate(values[i : i + 32]) for i in range(0, len(values), 32)]
    return pixels_of(np.concatenate(parts))


class Trainer:
    """One training in a folder `runs`: `checkpoints/`, `sheets/`, `losses.csv`, `tensorboard/`."""

    def __init__(self, settings: TrainSettings, faces: Faces, runs: Path, console: Console) -> None:
        _check(len(faces.train) >= settings.batch, "fewer faces than a batch has", "batch")
        self._settings, self._faces, self._console = settings, faces.train, console
        self._runs = runs
        self._pace = settings.pace(len(faces.train))
        codec = open_codec(runs, faces)
        self.recipe = build_recipe(settings.architecture, self._pace, codec)
        self._step = tf.Variable(0, dtype=tf.int64)
        self._seconds = tf.Variable(0.0, dtype=tf.float64)
        checkpoint = tf.train.Checkpoint(
            step=self._step, seconds=self._seconds, **self.recipe.state()
        )
        self._manager = tf.train.CheckpointManager(checkpoint, str(runs / "checkpoints"), 2)

    @property
    def step(self) -> int:
        """Steps that were made."""
        return int(self._step.numpy())

    @property
    def samples(self) -> int:
        """Faces that the discriminator has seen."""
        return self.step * self._settings.batch

    def resume(self) -> bool:
        """Continue from the latest checkpoint. Returns whether there was one."""
        latest = self._manager.latest_checkpoint
        if latest is None:
            return False
        # The optimisers' slots are all built, so that everything is restored at once.
        self._manager.checkpoint.restore(latest).expect_partial()
        return True

    def save(self) -> None:
        """Write a checkpoint; the last two are kept."""
        self._manager.save(checkpoint_number=self.step)

    def run(self) -> bool:
        """Train to the last epoch. Returns False if that was interrupted; a checkpoint is left."""
        per_epoch = max(1, len(self._faces) // self._settings.batch)
        writer = tf.summary.create_file_writer(str(self._runs / "tensorboard"))
        with _progress(self._console) as progress, writer.as_default(), _interruptible():
            try:
                for epoch in range(self.step // per_epoch, self._settings.epochs):
                    self._run_epoch(epoch, per_epoch, progress)
            except KeyboardInterrupt:
                self.save()
                self._console.print(f"interrupted; checkpoint at step {self.step}")
                return False
        return True

    def _run_epoch(self, epoch: int, per_epoch: int, progress: Progress) -> None:
        order = np.random.default_rng((self._settings.seed, epoch)).permutation(len(self._faces))
        done = self.step - epoch * per_epoch
        text = f"epoch {epoch + 1}/{self._settings.epochs}"
        row = progress.add_task(text, total=per_epoch, completed=done)
        losses: dict[str, list[Any]] = {}
        for index in range(done, per_epoch):
            started = time.process_time()
            chosen = order[index * self._settings.batch : (index + 1) * self._settings.batch]
            for name, value in self.recipe.train_step(self._faces[chosen], self.step).items():
                losses.setdefault(name, []).append(float(value))
            self._step.assign_add(1)
            self._seconds.assign_add(time.process_time() - started)
            progress.advance(row)
            if self.step % _SAVE_EVERY == 0:
                self.save()
        means = {name: float(np.mean(values)) for name, values in losses.items()}
        self._finish_epoch(epoch + 1, means, progress, row)

    def _finish_epoch(
        self, epoch: int, losses: dict[str, float], progress: Progress, row: TaskID
    ) -> None:
        for name, value in losses.items():
            tf.summary.scalar(f"loss/{name}", value, step=epoch)
        sheet = generate_pixels(self.recipe, range(_SHEET))
        save_sheet(sheet, _COLUMNS, self._runs / "sheets" / f"epoch{epoch:04d}.jpg")
        tf.summary.image("samples", sheet[:16], step=epoch, max_outputs=16)
        seconds = round(float(self._seconds.numpy()), 1)
        self._log(
            {"epoch": epoch, "step": self.step, "samples": self.samples, "seconds": seconds}, losses
        )
        self.save()
        told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        progress.remove_task(row)
        self._console.print(f"epoch {epoch}: {told} ({seconds / 60:.1f} min)", highlight=False)

    def _log(self, place: dict[str, float], losses: dict[str, float]) -> None:
        path = self._runs / "losses.csv"
        fresh = not path.exists()
        columns = [*place, *self.recipe.losses]
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            if fresh:
                writer.writeheader()
            told = {name: round(value, 5) for name, value in losses.items()}
            writer.writerow({**place, **told})


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C and a request to end raise KeyboardInterrupt, in the background too."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, signal.default_int_handler) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def _progress(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)


def set_threads(threads: int) -> None:
    """Have TensorFlow compute in so many threads. Only before it has computed anything."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def loaded(architecture: str, faces: Faces, runs: Path) -> tuple[Recipe, int]:
    """The trained networks in `runs`, and the steps that they were trained for."""
    trainer = Trainer(TrainSettings(architecture, batch=8), faces, runs, Console(quiet=True))
    if not trainer.resume():
        raise InvalidArgumentError(
            f"no checkpoint in {runs}; train first", reason="CHECKPOINT_MISSING", field="work"
        )
    return trainer.recipe, trainer.step
