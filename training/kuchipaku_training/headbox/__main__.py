"""Commands of `python -m kuchipaku_training.headbox`, from drawing to export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_training.headbox.evaluate import evaluate
from kuchipaku_training.headbox.export import export_model
from kuchipaku_training.headbox.task import TASKS
from kuchipaku_training.headbox.train import Trainer, TrainSettings
from kuchipaku_training.matting.commands import add_render_options, render_data
from kuchipaku_training.matting.dataset import open_data


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kuchipaku_training.headbox",
        description="Train the starter head-box networks on illustrated characters. Every command "
        "resumes where an earlier run stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build/training/headbox"),
        help="folder of checkpoints and reports",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("build/training/matting/data"),
        help="folder of the drawn data, shared with the matting network",
    )
    parser.add_argument(
        "--pack", type=Path, default=Path("models/starter/headbox"), help="folder of the export"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one training")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("render", "draw the training and held-out data"),
        ("finder", "train the network that finds heads"),
        ("examiner", "train the network that judges faces"),
        ("evaluate", "measure on held-out characters"),
        ("export", "write the ONNX files and the model card"),
        ("all", "all of these, one after the other"),
    ):
        command = commands.add_parser(
            name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if name in ("render", "all"):
            add_render_options(command)
        if name in (*TASKS, "all"):
            command.add_argument("--steps", type=int, default=6000, help="steps of 24 pictures")
            command.add_argument("--learning-rate", type=float, default=2e-3)
            command.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
        if name in ("evaluate", "all"):
            command.add_argument("--pictures", type=int, default=200, help="pictures to measure")
        if name in ("export", "all"):
            command.add_argument("--note", default="", help="what the model card shall say besides")
    return parser.parse_args(arguments)


def _train(name: str, options: argparse.Namespace, console: Console) -> None:
    settings = TrainSettings(
        steps=options.steps, seed=options.seed, learning_rate=options.learning_rate
    )
    trainer = Trainer(TASKS[name], settings, options.work / "runs")
    if trainer.resume():
        console.print(f"{name}: resuming at step {trainer.step}", highlight=False)
    train, held = open_data(options.data / "train"), open_data(options.data / "held")
    loss = trainer.run(train, held, console)
    console.print(f"{name}: held-out loss {loss:.4f}", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    console = Console()
    torch.set_num_threads(options.threads)
    chosen = options.command
    try:
        if chosen in ("render", "all"):
            render_data(options.data, options, console)
        for name in TASKS:
            if chosen in (name, "all"):
                _train(name, options, console)
        if chosen in ("evaluate", "all"):
            evaluate(options.work, options.data, console, options.pictures)
        if chosen in ("export", "all"):
            export_model(options.work, options.data, options.pack, console, options.note)
    except KuchipakuError as error:
        Console(stderr=True).print(f"[red]{error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
