"""``kuchipaku sprites``: a character's mouths and expressions as sprite sheets."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click
from rich.markup import escape
from rich.progress import Progress

from kuchipaku.client import Client
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2

from .connection import Gateway, gateway_options
from .console import people, progress_bars, run
from .options import FRAMINGS
from .standalone import client_of, standalone_option
from .who import Found, Who, find_or_create, tell_of_character, who_options

_DESCRIPTION = "sprites.json"
_SHAPES = {
    name.removeprefix("MOUTH_SHAPE_"): number
    for name, number in cue_pb2.MouthShape.items()
    if number
}


@dataclass(frozen=True, slots=True)
class Baked:
    """What came out."""

    found: Found
    sheets: int
    sprites: int


def _listed(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _shapes(
    _context: click.Context, _parameter: click.Parameter, value: str
) -> list[cue_pb2.MouthShape.ValueType]:
    letters = [letter for letter in value.upper() if letter not in ", "]
    if unknown := [letter for letter in letters if letter not in _SHAPES]:
        raise click.BadParameter(f"{unknown[0]} is no mouth shape; they are {''.join(_SHAPES)}")
    return [_SHAPES[letter] for letter in letters]


@click.command()
@who_options
@click.option(
    "--expressions",
    callback=_listed,
    default="",
    help="happy,sad,...; the character's default if not given.",
)
@click.option(
    "--shapes", callback=_shapes, default="", help="Mouth shapes, as ABCDX. [default: all]"
)
@click.option("--blink", is_flag=True, help="Add the frames of a blink to each expression.")
@click.option("--framing", type=click.Choice(list(FRAMINGS)), default="bust", show_default=True)
@click.option("--size", type=click.IntRange(128, 1024), help="Side of a sprite in pixels.")
@click.option("--max-side", type=click.IntRange(256, 8192), default=4096, show_default=True)
@click.option("--padding", type=click.IntRange(0, 64), default=2, show_default=True)
@click.option("--power-of-two", is_flag=True, help="Sides of sheets are powers of two.")
@click.option("--trim/--no-trim", default=True, show_default=True, help="Cut off clear borders.")
@click.option("--model", "pose_model", default="", help="Pose model.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for sheet-0.png, ... and sprites.json (Aseprite's form).",
)
@standalone_option
@gateway_options
def sprites(
    who: Who,
    expressions: tuple[str, ...],
    shapes: list[cue_pb2.MouthShape.ValueType],
    blink: bool,
    framing: str,
    size: int | None,
    max_side: int,
    padding: int,
    power_of_two: bool,
    trim: bool,
    pose_model: str,
    output: Path,
    standalone: bool,
    gateway: Gateway,
) -> None:
    """Make sprite sheets of a character: every mouth shape in every expression."""
    side = size or FRAMINGS[framing].side_px
    request = pb.BakeSpritesRequest(
        pose_model=pose_model,
        expressions=expressions,
        shapes=shapes,
        include_blink=blink,
        crop=FRAMINGS[framing].crop,
        width_px=side,
        height_px=side,
        packing=compositor.PackSpritesConfig(
            max_side_px=max_side, power_of_two=power_of_two, trim=trim, padding_px=padding
        ),
    )
    baked = run(_bake(who, request, output, gateway, standalone=standalone))
    for finding in baked.found.findings:
        people.print(f"[yellow]note:[/] {escape(finding)}")
    people.print(f"{baked.sprites} sprites on {baked.sheets} sheets")
    tell_of_character(baked.found.name, baked.found.ignored_phrases)
    click.echo(str(output / _DESCRIPTION))


async def _bake(
    who: Who, request: pb.BakeSpritesRequest, output: Path, gateway: Gateway, *, standalone: bool
) -> Baked:
    with progress_bars() as progress:
        async with client_of(gateway, progress, standalone=standalone) as client:
            found = await find_or_create(client, who, progress)
            request.character = found.name
            summary = await _write(client, request, output, progress)
    return Baked(found, summary.sheet_count, summary.sprite_count)


async def _write(
    client: Client, request: pb.BakeSpritesRequest, output: Path, progress: Progress
) -> compositor.PackSpritesSummary:
    summary = compositor.PackSpritesSummary()
    task = progress.add_task("sprites", total=1.0)
    output.mkdir(parents=True, exist_ok=True)
    # Written beside and moved at the end, so that a failure leaves what was there.
    with tempfile.TemporaryDirectory(prefix=".sprites-", dir=output) as partial:
        names = []
        with ExitStack() as files:
            opened: dict[str, BinaryIO] = {}
            async with aclosing(client.bake_sprites(request)) as answers:
                async for answer in answers:
                    kind = answer.WhichOneof("payload")
                    if kind == "progress":
                        progress.update(task, completed=answer.progress.fraction)
                    elif kind == "chunk":
                        name = Path(answer.chunk.file_name).name
                        if name not in opened:
                            opened[name] = files.enter_context((Path(partial) / name).open("wb"))
                        opened[name].write(answer.chunk.data)
                    elif kind == "summary":
                        summary = answer.summary
            names = list(opened)
        for name in names:
            (Path(partial) / name).replace(output / name)
    _remove_rest(output, summary.sheet_count)
    return summary


def _remove_rest(folder: Path, count: int) -> None:
    """Remove sheets that a larger set has left in the folder."""
    for path in folder.glob("sheet-*.png"):
        number = path.stem.removeprefix("sheet-")
        if number.isdecimal() and int(number) >= count:
            path.unlink()
