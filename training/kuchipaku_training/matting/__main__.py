"""Command line: `python -m kuchipaku_training.matting {render,train,evaluate,export,all}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_training.matting.commands import add_render_options, render_data
from kuchipaku_training.matting.dataset import open_data
from kuchipaku_training.matting.evaluate import evaluate
from kuchipaku_training.matting.export import export_model
from kuchipaku_training.matting.train import Trainer, TrainSettings


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kuchipaku_training.matting",
        description="Train the starter matting network on illustrated characters. Every command "
        "resumes where an earlier run stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build/training/matting"),
        help="folder of data, checkpoints and reports",
    )
    parser.add_argument(
        "--pack", type=Path, default=Path("models/starter/matting"), help="folder of the export"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one training")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("render", "draw the training and held-out data"),
        ("train", "train the network"),
        ("evaluate", "measure on held-out characters and draw a sheet"),
        ("export", "write the ONNX file and the model card"),
        ("all", "all of these, one after the other"),
    ):
        command = commands.add_parser(
            name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if name in ("render", "all"):
            add_render_options(command)
        if name in ("train", "all"):
            command.add_argument("--steps", type=int, default=12_000, help="steps of 5 pictures")
            command.add_argument("--learning-rate", type=float, default=2.5e-3)
            command.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
        if name in ("evaluate", "all"):
            command.add_argument("--pictures", type=int, default=120, help="pictures to measure")
        if name in ("export", "all"):
            command.add_argument("--note", default="", help="what the model card shall say besides")
    return parser.parse_args(arguments)


def _train(options: argparse.Namespace, console: Console) -> None:
    settings = TrainSettings(
        steps=options.steps, seed=options.seed, learning_rate=options.learning_rate
    )
    trainer = Trainer(settings, options.work / "runs")
    if trainer.resume():
        console.print(f"matting: resuming at step {trainer.step}", highlight=False)
    data = options.work / "data"
    score = trainer.run(open_data(data / "train"), open_data(data / "held"), console)
    console.print(f"matting: held-out IoU {score.iou:.4f}", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    console = Console()
    torch.set_num_threads(options.threads)
    chosen = options.command
    try:
        if chosen in ("render", "all"):
            render_data(options.work / "data", options, console)
        if chosen in ("train", "all"):
            _train(options, console)
        if chosen in ("evaluate", "all"):
            evaluate(options.work, console, options.pictures)
        if chosen in ("export", "all"):
            export_model(options.work, options.pack, console, options.note)
    except KuchipakuError as error:
        Console(stderr=True).print(f"[red]{error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
