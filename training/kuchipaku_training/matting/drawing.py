"""Drawing the data that the matting and the head-box networks learn from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console

from kuchipaku_training import drawn
from kuchipaku_training.commands import drawing_progress
from kuchipaku_training.matting import dataset
from kuchipaku_training.matting.dataset import DataSpec

TRAIN_SEED: Final = 200_000
HELD_SEED: Final = 400_000


def add_render_options(command: argparse.ArgumentParser) -> None:
    """Add the options of drawing."""
    command.add_argument("--characters", type=int, default=500, help="training characters")
    command.add_argument("--held-characters", type=int, default=60, help="held-out characters")
    command.add_argument("--scenes", type=int, default=360, help="training backgrounds")
    command.add_argument("--workers", type=int, default=2, help="drawing processes")


def render_data(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Draw what is missing of the training and held-out data into `folder`."""
    specs = {
        "held": DataSpec(HELD_SEED, options.held_characters, 4, max(1, options.scenes // 3)),
        "train": DataSpec(TRAIN_SEED, options.characters, 3, options.scenes),
    }
    with drawing_progress(console) as progress:
        for name, spec in specs.items():
            drawn.create(folder / name, spec)
            missing = drawn.missing_count(folder / name)
            row = progress.add_task(f"{name} pictures", total=missing)
            for count in dataset.render(folder / name, spec, options.workers):
                progress.advance(row, count)
