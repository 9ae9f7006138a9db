"""``kuchipaku pose``: a model's parameters, and pictures of poses without a service."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.markup import escape

from kuchipaku.frames.png import encode_png
from kuchipaku_contract.limits import LIMITS

from .console import people, progress_bars, run
from .options import FRAMINGS

PROVIDERS = ("cpu", "openvino", "cuda", "tensorrt")

Crop = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""

_PNG_LEVEL = 6
_MODEL_OPTION = click.option(
    "--model",
    default="",
    metavar="PACK",
    help="Folder of a model pack, or the name of one in KUCHIPAKU_POSE_MODELS.",
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What pictures show of the canvas."""

    crop: Crop | None
    width: int


class _CropType(click.ParamType[Crop]):
    """The name of a framing, or four numbers."""

    name = "crop"

    def convert(self, value: Any, param: Any, ctx: Any) -> Crop:
        if value in FRAMINGS:
            crop = FRAMINGS[value].crop
            return crop.left_px, crop.top_px, crop.width_px, crop.height_px
        try:
            left, top, width, height = map(int, value.split(","))
        except ValueError:
            names = ", ".join(FRAMINGS)
            self.fail(f"{value!r} is none of {names} or LEFT,TOP,WIDTH,HEIGHT", param, ctx)
        return left, top, width, height


@click.group()
def pose() -> None:
    """Look at a pose model and render poses with it."""


@pose.command()
@_MODEL_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def params(model: str, as_json: bool) -> None:
    """List the parameters of a model in the order of its poses."""
    run(_params(model, as_json=as_json))


async def _params(model: str, *, as_json: bool) -> None:
    offline = _offline()
    parameters = offline.describe_parameters(offline.find_pack(model))
    if as_json:
        click.echo(json.dumps(parameters, indent=2))
        return
    width = max(len(parameter["name"]) for parameter in parameters)
    click.echo(f"{'':>3} {'name':<{width}} {'minimum':>8} {'maximum':>8} {'neutral':>8}")
    for number, parameter in enumerate(parameters):
        values = " ".join(f"{parameter[key]:>8g}" for key in ("minimum", "maximum", "neutral"))
        click.echo(f"{number:>3} {parameter['name']:<{width}} {values}")


@pose.command()
@_MODEL_OPTION
@click.option(
    "--image",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The character: a canvas with transparency (PNG or WebP), or the float32 tensor "
    "(4, S, S) that the networks take (.npy).",
)
@click.option(
    "--poses",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The poses: .json, .csv or .npy.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for a PNG of each pose; with --raw a .npy file.",
)
@click.option(
    "--crop",
    type=_CropType(),
    metavar="bust|full|LEFT,TOP,WIDTH,HEIGHT",
    help="Part of the canvas that is shown, in its pixels; by default all of it.",
)
@click.option(
    "--size",
    type=click.IntRange(LIMITS.min_frame_side_px, LIMITS.max_frame_side_px),
    metavar="PIXELS",
    help="Width of the pictures, 128 to 1024; by default that of the crop.",
)
@click.option("--provider", type=click.Choice(PROVIDERS), default="cpu", show_default=True)
@click.option(
    "--raw",
    is_flag=True,
    help="Write the network's final output, float32 (poses, 4, S, S), instead of pictures.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Frames rendered at a time; by default as many as there are CPUs, one on a GPU.",
)
def render(
    model: str,
    image: Path,
    poses: Path,
    out: Path,
    crop: Crop | None,
    size: int | None,
    provider: str,
    raw: bool,
    workers: int | None,
) -> None:
    """Render poses of a character, one picture for each."""
    if raw != (out.suffix.lower() == ".npy"):
        wanted = "a file that ends in .npy" if raw else "a folder; a .npy file needs --raw"
        raise click.BadParameter(wanted, param_hint="--out")
    if out.is_dir() if raw else out.is_file():
        raise click.BadParameter(f"{out} is in the way", param_hint="--out")
    if raw and (crop or size):
        raise click.UsageError("--raw writes what the network gives: no --crop, no --size.")
    shown = None if raw else _Shown(crop, size or 0)
    run(_render(model, image, poses, out, provider, shown, workers=workers or 0))


async def _render(
    model: str,
    image: Path,
    poses: Path,
    out: Path,
    provider: str,
    shown: _Shown | None,
    *,
    workers: int,
) -> None:
    offline = _offline()
    with progress_bars() as progress:
        task = progress.add_task("model", total=None)
        renderer = offline.OfflineRenderer(
            offline.find_pack(model), provider=provider, workers=workers
        )
        read = offline.read_poses(poses, renderer.space)
        subject = renderer.load_image(image)
        count = len(read.poses)
        progress.update(task, description="poses", total=count)
        if shown is None:
            shape = (count, 4, renderer.tensor_side, renderer.tensor_side)
            steps = _write_raw(out, renderer.tensors(subject, read.poses), shape)
        else:
            view = renderer.view(subject, crop=shown.crop, width=shown.width)
            steps = _write_pictures(out, renderer.pictures(subject, read.poses, view))
        for _ in steps:
            progress.advance(task)
            # Lets a signal end the command.
            await asyncio.sleep(0)
    if read.clamped_count:
        values = read.poses.size
        people.print(
            f"[yellow]note:[/] {read.clamped_count} of {values} values were out of range and have "
            "been clamped."
        )
    people.print(f"{count} poses rendered by {escape(provider)}")
    click.echo(str(out))


def _write_pictures(folder: Path, pictures: Iterable[Any]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        (folder / f"frame_{number:05d}.png").write_bytes(encode_png(picture, _PNG_LEVEL))
        yield


def _write_raw(path: Path, tensors: Iterable[Any], shape: tuple[int, ...]) -> Iterator[None]:
    with _replacing(path) as partial:
        # Straight to the file: a thousand poses are 4 GiB.
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
        for number, tensor in enumerate(tensors):
            array[number] = tensor
            yield
        array.flush()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place in the end: a failure leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _offline() -> Any:
    """The pose engine, which the public package does without."""
    try:
        return importlib.import_module("kuchipaku_pose.offline")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kuchipaku."):
            raise
        raise click.ClickException(
            f"This needs the pose engine, of which {error.name} is missing. "
            "Install it with: pip install 'kuchipaku[standalone]'"
        ) from error
