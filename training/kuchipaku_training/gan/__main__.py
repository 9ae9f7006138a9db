"""Commands of `kuchipaku-train gan`, from a folder of pictures to a generator's ONNX file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_training.gan import steps
from kuchipaku_training.gan.architectures import ARCHITECTURES, SMALL
from kuchipaku_training.gan.draw import FIRST_SEED
from kuchipaku_training.gan.pictures import CROPS

_COMMANDS: Final = {
    "draw": "draw faces by the illustrator, for want of a folder of your own",
    "prepare": "crop the faces",
    "train": "train generator and discriminator",
    "evaluate": "measure the generator beside real faces",
    "export": "write the generator as ONNX, and its model card",
    "all": "prepare, train, evaluate and export (the default)",
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="kuchipaku-train gan",
        description="Train a generative adversarial network on a folder of face pictures. Every "
        "command resumes where an earlier run stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    told = "; ".join(f"{name}: {text}" for name, text in _COMMANDS.items())
    parser.add_argument("command", nargs="?", choices=_COMMANDS, default="all", help=told)
    _add_places(parser)
    _add_cropping(parser)
    _add_training(parser)
    drawing = parser.add_argument_group("draw")
    drawing.add_argument("--count", type=int, default=6000, help="faces to draw")
    drawing.add_argument("--first-seed", type=int, default=FIRST_SEED, help="seed of the first")
    drawing.add_argument("--workers", type=int, default=1, help="drawing processes")
    return parser.parse_args(given)


def _add_places(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("places").add_argument
    add("--faces", type=Path, help="folder of pictures; WORK/faces if none is named")
    add("--work", type=Path, default=Path("build/training/gan"), help="data, checkpoints, reports")
    add("--pack", type=Path, help="folder of the export; WORK/export/ARCHITECTURE if none is named")
    heads = Path("models/starter/headbox")
    add("--heads", type=Path, default=heads, help="head-box networks: detector and examiner")


def _add_cropping(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("prepare").add_argument
    add("--crop", choices=CROPS, default="auto", help="how faces are cut out")
    add("--cascade", type=Path, help="OpenCV cascade file in place of the detector's network")
    add("--view", type=float, default=1.45, help="head sides that a crop by the detector shows")
    add("--backdrop", default="ffffff", help="colour behind transparent pictures, RRGGBB")


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("train").add_argument
    add("--architecture", choices=ARCHITECTURES, default=SMALL)
    add("--epochs", type=int, default=100)
    add("--batch", type=int, default=16, help="faces of a step")
    add("--learning-rate", type=float, default=0.0, help="0: the architecture's own")
    add("--seed", type=int, default=1, help="seed of weights, order and latents")
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="bfloat16 is faster where the processor has it",
    )
    add(
        "--augment",
        choices=("none", "light", "strong"),
        default="light",
        help="small only: strong for fewer than about 2000 faces",
    )
    add("--threads", type=int, default=1)
    add("--pictures", type=int, default=500, help="generated faces to measure")
    add("--license", default="unknown", help="licence that the export names")
    add("--source", default="", help="what the model card says of the pictures")
    add("--note", default="", help="what the model card shall say besides")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    # TensorFlow tells of its CPU features otherwise; it reads nothing but the environment.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    console = Console()
    try:
        return steps.run(options, console)
    except KuchipakuError as error:
        Console(stderr=True).print(f"[red]{error.message}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
