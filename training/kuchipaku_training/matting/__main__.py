"""Command line: `python -m kuchipaku_training.matting {render,train,evaluate,export,all}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from kuchipaku_training import commands
from kuchipaku_training.matting.dataset import open_data
from kuchipaku_training.matting.drawing import add_render_options, render_data
from kuchipaku_training.matting.evaluate import evaluate
from kuchipaku_training.matting.export import export_model
from kuchipaku_training.matting.train import Trainer, TrainSettings


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = commands.training_parser("matting", "the starter matting network")
    added = commands.add_commands(
        parser,
        {
            "render": "draw the training and held-out data",
            "train": "train the network",
            "evaluate": "measure on held-out characters and draw a sheet",
            "export": "write the ONNX file and the model card",
        },
    )
    for name in ("render", "all"):
        add_render_options(added[name])
    for name in ("train", "all"):
        commands.add_loop_options(added[name], steps=12_000, pictures=5, rate=2.5e-3)
    for name in ("evaluate", "all"):
        added[name].add_argument("--pictures", type=int, default=120, help="pictures to measure")
    for name in ("export", "all"):
        commands.add_note_option(added[name])
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, console: Console) -> None:
    chosen, data = options.command, options.work / "data"
    if chosen in ("render", "all"):
        render_data(data, options, console)
    if chosen in ("train", "all"):
        settings = commands.loop_settings(TrainSettings, options)
        trainer = Trainer(settings, options.work / "runs")
        drawn = open_data(data / "train"), open_data(data / "held")
        commands.train(trainer, options.start, *drawn, console)
    if chosen in ("evaluate", "all"):
        evaluate(options.work, console, options.pictures)
    if chosen in ("export", "all"):
        export_model(options.work, options.pack, console, options.note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    return commands.run(lambda console: _run(options, console), options.threads)


if __name__ == "__main__":
    sys.exit(main())
