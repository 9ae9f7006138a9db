"""What the command lines of the trainings share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_training.loop import LoopSettings, TrainingLoop

Data = TypeVar("Data")
Score = TypeVar("Score")


def training_parser(model: str, what: str) -> argparse.ArgumentParser:
    """Return the parser of `python -m kuchipaku_training.<model>`, its commands still to come."""
    parser = argparse.ArgumentParser(
        prog=f"python -m kuchipaku_training.{model}",
        description=f"Train {what} on illustrated characters. Every command resumes where an "
        "earlier run stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build/training") / model,
        help="folder of data, checkpoints and reports",
    )
    parser.add_argument(
        "--pack", type=Path, default=Path("models/starter") / model, help="folder of the export"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one training")
    return parser


def add_commands(
    parser: argparse.ArgumentParser, commands: dict[str, str]
) -> dict[str, argparse.ArgumentParser]:
    """Add commands, name -> what it does, and `all` that runs them one after the other."""
    added = parser.add_subparsers(dest="command", required=True)
    told = {**commands, "all": "all of these, one after the other"}
    return {
        name: added.add_parser(
            name, help=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        for name, text in told.items()
    }


def add_loop_options(
    command: argparse.ArgumentParser, steps: int, pictures: int, rate: float
) -> None:
    """Add the options of a training."""
    command.add_argument(
        "--steps", type=int, default=steps, help=f"steps of {pictures} pictures each"
    )
    command.add_argument("--learning-rate", type=float, default=rate)
    command.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
    command.add_argument("--from", dest="start", type=Path, help="checkpoint to take weights from")


def add_note_option(command: argparse.ArgumentParser) -> None:
    """Add the option of the export."""
    command.add_argument("--note", default="", help="what the model card shall say besides")


Settings = TypeVar("Settings", bound=LoopSettings)


def loop_settings(kind: type[Settings], options: argparse.Namespace) -> Settings:
    """Return the settings that the options of `add_loop_options` give."""
    return kind(steps=options.steps, seed=options.seed, learning_rate=options.learning_rate)


def train(
    trainer: TrainingLoop[Data, Score],
    start: Path | None,
    data: Data,
    held: Data,
    console: Console,
) -> None:
    """Run a training to its end; `start` gives the weights of one that has no checkpoint yet."""
    if trainer.resume():
        console.print(f"{trainer.name}: resuming at step {trainer.step}", highlight=False)
    elif start is not None:
        trainer.start_from(start)
    score = trainer.run(data, held, console)
    console.print(f"{trainer.name}: held-out {trainer.told(score)}", highlight=False)


def drawing_progress(console: Console) -> Progress:
    """Return the progress bars of drawing data."""
    text = TextColumn("{task.description}")
    return Progress(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)


def run(work: Callable[[Console], None], threads: int) -> int:
    """Run a command in `threads` threads. Returns the exit status."""
    torch.set_num_threads(threads)
    try:
        work(Console())
    except KuchipakuError as error:
        Console(stderr=True).print(f"[red]{error.message}")
        return 1
    return 0
