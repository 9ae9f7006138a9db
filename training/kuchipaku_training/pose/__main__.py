"""Command line: `python -m kuchipaku_training.pose {render,face,rotator,evaluate,export,all}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from kuchipaku_training import commands, drawn
from kuchipaku_training.pose import dataset, held_out
from kuchipaku_training.pose.dataset import DataSpec
from kuchipaku_training.pose.evaluate import evaluate
from kuchipaku_training.pose.export import export_pack
from kuchipaku_training.pose.tasks import TASKS
from kuchipaku_training.pose.train import Trainer, TrainSettings

TRAIN_SEED = 100_000
#: Share of the training characters that other hands draw.
STYLED = 0.75


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = commands.training_parser("pose", "the starter pose networks")
    added = commands.add_commands(
        parser,
        {
            "render": "draw the training and held-out characters",
            "face": "train the face network",
            "rotator": "train the rotator network",
            "evaluate": "measure on held-out characters, write figures and sheets",
            "export": "write the ONNX pack, check it and measure its speed",
        },
    )
    for name in ("render", "all"):
        _add_render_options(added[name])
    for name in (*TASKS, "all"):
        commands.add_loop_options(added[name], steps=20_000, pictures=12, rate=2e-3)
    for name in ("evaluate", "all"):
        added[name].add_argument(
            "--measured", type=int, help="held-out characters to measure (all of them)"
        )
    for name in ("export", "all"):
        commands.add_note_option(added[name])
    return parser.parse_args(arguments)


def _add_render_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--characters", type=int, default=900, help="training characters")
    command.add_argument(
        "--held-characters", type=int, default=held_out.CHARACTERS, help="held-out characters"
    )
    command.add_argument(
        "--styled-characters",
        type=int,
        default=held_out.STYLED_CHARACTERS,
        help="held-out characters by hands that training never saw",
    )
    command.add_argument("--workers", type=int, default=2, help="drawing processes")


def _render(options: argparse.Namespace, console: Console) -> None:
    specs = {
        "held": DataSpec(
            held_out.FIRST_SEED, options.held_characters, faces=10, turns=6, full_size=True
        ),
        "styles": DataSpec(
            held_out.STYLES_SEED, options.styled_characters, faces=7, turns=1, styled=1.0
        ),
        "train": DataSpec(TRAIN_SEED, options.characters, faces=7, turns=5, styled=STYLED),
    }
    with commands.drawing_progress(console) as progress:
        for name, spec in specs.items():
            folder = options.work / "data" / name
            drawn.create(folder, spec)
            row = progress.add_task(f"{name} characters", total=drawn.missing_count(folder))
            for _ in dataset.render(folder, spec, options.workers):
                progress.advance(row)


def _run(options: argparse.Namespace, console: Console) -> None:
    chosen, data = options.command, options.work / "data"
    if chosen in ("render", "all"):
        _render(options, console)
    for name in TASKS:
        if chosen in (name, "all"):
            settings = commands.loop_settings(TrainSettings, options)
            trainer = Trainer(TASKS[name], settings, options.work / "runs")
            sets = dataset.open_data(data / "train"), dataset.open_data(data / "held")
            commands.train(trainer, options.start, *sets, console)
    if chosen in ("evaluate", "all"):
        evaluate(options.work, console, options.measured)
    if chosen in ("export", "all"):
        export_pack(options.work, options.pack, console, options.note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    return commands.run(lambda console: _run(options, console), options.threads)


if __name__ == "__main__":
    sys.exit(main())
