"""Command line of `python -m kuchipaku_training.diffusion`, from drawing to export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rich.console import Console

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_training import commands, drawn
from kuchipaku_training.diffusion import classifier, dataset, latents
from kuchipaku_training.diffusion.dataset import BustData, DataSpec
from kuchipaku_training.diffusion.latents import LinearLatents

_LATENTS: Final = "latents.npz"
_READOUT: Final = "readout.npz"
#: Training -> steps, pictures a step, learning rate.
_PACE: Final = {
    "decoder": (12_500, 8, 1e-3),
    "reader": (6000, 24, 1e-3),
    "unet": (20_000, 24, 1.2e-3),
    "classifier": (4200, 24, 2e-3),
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = commands.training_parser("diffusion", "the starter text-to-image model")
    parser.add_argument(
        "--starter",
        type=Path,
        default=Path("models/starter"),
        help="folder of matting/ and headbox/, which the evaluation uses",
    )
    added = commands.add_commands(
        parser,
        {
            "render": "draw the training and held-out busts, and fit the latents",
            "decoder": "train the decoder, from latents to pictures",
            "reader": "train the text encoder to read captions",
            "unet": "train the U-Net",
            "classifier": "train the network that measures obedience",
            "evaluate": "measure on held-out captions and draw sheets",
            "export": "write the diffusers folder and the model card",
        },
    )
    for name in ("render", "all"):
        _add_render_options(added[name])
    for name, (steps, pictures, rate) in _PACE.items():
        commands.add_loop_options(added[name], steps, pictures, rate)
    for name in ("evaluate", "all"):
        added[name].add_argument("--captions", type=int, default=200, help="captions to measure")
    for name in ("export", "all"):
        commands.add_note_option(added[name])
    return parser.parse_args(arguments)


def _add_render_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--characters", type=int, default=8000, help="training characters")
    command.add_argument("--held-characters", type=int, default=480, help="held-out characters")
    command.add_argument("--workers", type=int, default=2, help="drawing processes")


def _render(options: argparse.Namespace, console: Console) -> None:
    specs = {
        "held": DataSpec(dataset.HELD_SEED, options.held_characters),
        "train": DataSpec(dataset.TRAIN_SEED, options.characters),
    }
    with commands.drawing_progress(console) as progress:
        for name, spec in specs.items():
            folder = options.work / "data" / name
            drawn.create(folder, spec)
            row = progress.add_task(f"{name} busts", total=drawn.missing_count(folder))
            for count in dataset.render(folder, spec, options.workers):
                progress.advance(row, count)
    fitted = options.work / _LATENTS
    # Whatever is trained depends on them: fitted again, all of it would have to be.
    if not fitted.exists():
        train = dataset.open_data(options.work / "data" / "train")
        latents.fit(train.colours(train.ready[: latents.FITTED_PICTURES])).save(fitted)


def _both(options: argparse.Namespace) -> tuple[BustData, BustData]:
    """The training and the held-out set."""
    data = options.work / "data"
    return dataset.open_data(data / "train"), dataset.open_data(data / "held")


def _require_diffusers() -> None:
    if find_spec("diffusers") is None or find_spec("transformers") is None:
        raise FailedPreconditionError(
            "diffusers is not installed: install kuchipaku-training[diffusion]",
            reason="DIFFUSERS_NOT_INSTALLED",
        )


def _decoder(options: argparse.Namespace, console: Console) -> None:
    from kuchipaku_training.diffusion import decoder  # noqa: PLC0415 - needs diffusers

    settings = commands.loop_settings(decoder.TrainSettings, options)
    linear = LinearLatents.load(options.work / _LATENTS)
    trainer = decoder.Trainer(linear, settings, options.work / "runs")
    commands.train(trainer, options.start, *_both(options), console)


def _reader(options: argparse.Namespace, console: Console) -> None:
    from kuchipaku_training.diffusion import reader  # noqa: PLC0415 - needs diffusers

    settings = commands.loop_settings(reader.TrainSettings, options)
    trainer = reader.Trainer(settings, options.work / "runs")
    commands.train(trainer, options.start, None, None, console)


def _unet(options: argparse.Namespace, console: Console) -> None:
    from kuchipaku_training.diffusion import (  # noqa: PLC0415 - needs diffusers
        denoiser,
        reader,
        readout,
    )

    settings = commands.loop_settings(denoiser.TrainSettings, options)
    linear = LinearLatents.load(options.work / _LATENTS)
    trainer = denoiser.Trainer(settings, options.work / "runs")
    if not trainer.checkpoint.exists() and options.start is None:
        trainer.begin(lambda net: reader.take_over(net, trainer.folder))
    train, held = (denoiser.encode_data(data, linear) for data in _both(options))
    matrix = readout.open_readout(options.work / _READOUT, train.latents, train.attributes)
    told = readout.correlations(matrix, held.latents, held.attributes)
    console.print("readout:", ", ".join(f"{name} {value:.2f}" for name, value in told.items()))
    trainer.weigh(matrix)
    commands.train(trainer, options.start, train, held, console)


def _classifier(options: argparse.Namespace, console: Console) -> None:
    settings = commands.loop_settings(classifier.TrainSettings, options)
    trainer = classifier.Trainer(settings, options.work / "runs")
    commands.train(trainer, options.start, *_both(options), console)


def _evaluate(options: argparse.Namespace, console: Console) -> None:
    from kuchipaku_training.diffusion import evaluate  # noqa: PLC0415 - needs diffusers

    evaluate.evaluate(options.work, options.starter, console, options.captions)


def _export(options: argparse.Namespace, console: Console) -> None:
    from kuchipaku_training.diffusion import export  # noqa: PLC0415 - needs diffusers

    export.export_model(options.work, options.pack, console, options.note)


_WORK: Final = {
    "render": _render,
    "decoder": _decoder,
    "reader": _reader,
    "unet": _unet,
    "classifier": _classifier,
    "evaluate": _evaluate,
    "export": _export,
}


def _run(options: argparse.Namespace, console: Console) -> None:
    chosen = list(_WORK) if options.command == "all" else [options.command]
    if set(chosen) - {"render", "classifier"}:
        _require_diffusers()
    for name in chosen:
        _WORK[name](_paced(options, name), console)


def _paced(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """The options of a command; within `all` each training has the steps and the pace of its own
    command's defaults."""
    if name not in _PACE or options.command == name:
        return options
    steps, _, rate = _PACE[name]
    own = {"steps": steps, "learning_rate": rate, "seed": 1, "start": None}
    return argparse.Namespace(**(vars(options) | own))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    options = parse(arguments)
    return commands.run(lambda console: _run(options, console), options.threads)


if __name__ == "__main__":
    sys.exit(main())
