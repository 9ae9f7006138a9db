"""Commands of `python -m kuchipaku_training.headbox`, from drawing to export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kuchipaku_training import commands
from kuchipaku_training.headbox.evaluate import evaluate
from kuchipaku_training.headbox.export import export_model
from kuchipaku_training.headbox.task import TASKS
from kuchipaku_training.headbox.train import Trainer, TrainSettings
from kuchipaku_training.matting.dataset import open_data
from kuchipaku_training.matting.drawing import add_render_options, render_data


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = commands.training_parser("headbox", "the networks that find and examine heads")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("build/training/matting/data"),
        help="folder of the drawn data, shared with the matting network",
    )
    added = commands.add_commands(
        parser,
        {
            "render": "draw the training and held-out data",
            "finder": "train the network that finds heads",
            "examiner": "train the network that judges faces",
            "evaluate": "measure on held-out characters",
            "export": "write the ONNX files and the model card",
        },
    )
    for name in ("render", "all"):
        add_render_options(added[name])
    for name in (*TASKS, "all"):
        commands.add_loop_options(added[name], steps=6000, pictures=24, rate=2e-3)
    for name in ("evaluate", "all"):
        added[name].add_argument("--pictures", type=int, default=200, help="pictures to measure")
    for name in ("export", "all"):
        commands.add_note_option(added[name])
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, console: Console) -> None:
    chosen, data = options.command, options.data
    if chosen in ("render", "all"):
        render_data(data, options, console)
    for name in TASKS:
        if chosen in (name, "all"):
            settings = commands.loop_settings(TrainSettings, options)
            trainer = Trainer(TASKS[name], settings, options.work / "runs")
            drawn = open_data(data / "train"), open_data(data / "held")
            commands.train(trainer, options.start, *drawn, console)
    if chosen in ("evaluate", "all"):
        evaluate(options.work, data, console, options.pictures)
    if chosen in ("export", "all"):
        export_model(options.work, data, options.pack, console, options.note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    return commands.run(lambda console: _run(options, console), options.threads)


if __name__ == "__main__":
    sys.exit(main())
