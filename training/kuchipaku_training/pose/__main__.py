"""Command line: `python -m kuchipaku_training.pose {render,face,rotator,evaluate,export,all}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_training.pose import dataset
from kuchipaku_training.pose.dataset import DataSpec
from kuchipaku_training.pose.evaluate import evaluate
from kuchipaku_training.pose.export import export_pack
from kuchipaku_training.pose.tasks import TASKS
from kuchipaku_training.pose.train import Trainer, TrainSettings

TRAIN_SEED = 100_000
HELD_SEED = 300_000


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kuchipaku_training.pose",
        description="Train the starter pose networks on illustrated characters. Every command "
        "resumes where an earlier run stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build/training/pose"),
        help="folder of data, checkpoints and reports",
    )
    parser.add_argument(
        "--pack", type=Path, default=Path("models/starter/pose"), help="folder of the exported pack"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one training")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("render", "draw the training and held-out characters"),
        ("face", "train the face network"),
        ("rotator", "train the rotator network"),
        ("evaluate", "measure on held-out characters, write figures and sheets"),
        ("export", "write the ONNX pack, check it and measure its speed"),
        ("all", "all of these, one after the other"),
    ):
        command = commands.add_parser(
            name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if name in ("render", "all"):
            _add_render_options(command)
        if name in ("export", "all"):
            command.add_argument("--note", default="", help="what the model card shall say besides")
        if name in ("evaluate", "all"):
            command.add_argument(
                "--measured", type=int, help="held-out characters to measure (all of them)"
            )
        if name in ("face", "rotator", "all"):
            _add_train_options(command)
    return parser.parse_args(arguments)


def _add_render_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--characters", type=int, default=600, help="training characters")
    command.add_argument("--held-characters", type=int, default=32, help="held-out characters")
    command.add_argument("--workers", type=int, default=2, help="drawing processes")


def _add_train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--steps", type=int, default=20_000, help="steps of 12 pictures")
    command.add_argument("--learning-rate", type=float, default=2e-3)
    command.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
    command.add_argument("--from", dest="start", type=Path, help="checkpoint to take weights from")


def _render(options: argparse.Namespace, console: Console) -> None:
    specs = {
        "held": DataSpec(HELD_SEED, options.held_characters, faces=10, turns=6, full_size=True),
        "train": DataSpec(TRAIN_SEED, options.characters, faces=7, turns=5),
    }
    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        for name, spec in specs.items():
            folder = options.work / "data" / name
            dataset.create(folder, spec)
            row = progress.add_task(f"{name} characters", total=dataset.missing_count(folder))
            for _ in dataset.render(folder, spec, options.workers):
                progress.advance(row)


def _train(name: str, options: argparse.Namespace, console: Console) -> None:
    settings = TrainSettings(
        steps=options.steps, seed=options.seed, learning_rate=options.learning_rate
    )
    trainer = Trainer(TASKS[name], settings, options.work / "runs")
    if trainer.resume():
        console.print(f"{name}: resuming at step {trainer.step}", highlight=False)
    elif options.start is not None:
        trainer.start_from(options.start)
    data = dataset.open_data(options.work / "data" / "train")
    held = dataset.open_data(options.work / "data" / "held")
    score = trainer.run(data, held, console)
    console.print(
        f"{name}: held-out {score.psnr:.2f} dB, ssim {score.ssim:.4f}; "
        f"doing nothing {score.baseline_psnr:.2f} dB",
        highlight=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    console = Console()
    torch.set_num_threads(options.threads)
    chosen = options.command
    try:
        if chosen in ("render", "all"):
            _render(options, console)
        for name in TASKS:
            if chosen in (name, "all"):
                _train(name, options, console)
        if chosen in ("evaluate", "all"):
            evaluate(options.work, console, options.measured)
        if chosen in ("export", "all"):
            export_pack(options.work, options.pack, console, options.note)
    except KuchipakuError as error:
        Console(stderr=True).print(f"[red]{error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
