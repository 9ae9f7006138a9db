"""``kuchipaku sprites``: a character's mouths and expressions as sprite sheets."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import Progress

from kuchipaku.client import Client
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_contract.errors import InternalError

from .connection import Gateway, gateway_options
from .console import people, progress_bars, run, show_json
from .options import FRAMINGS, expression_from, json_option
from .standalone import client_of, standalone_option
from .who import (
    Found,
    Who,
    character_id,
    find_or_create,
    kept_in_mind,
    tell_of_character,
    who_options,
)

_DESCRIPTION = "sprites.json"
_APP = "kuchipaku"
_SHEET = re.compile(r"sheet-\d+\.png")
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
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(expression_from(name, "--expressions") for name in names)


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
@json_option
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
    as_json: bool,
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
    if as_json:
        show_json(
            {
                "output": str(output / _DESCRIPTION),
                "character": character_id(baked.found.name),
                "sheet_count": baked.sheets,
                "sprite_count": baked.sprites,
            }
        )
    else:
        click.echo(str(output / _DESCRIPTION))


async def _bake(
    who: Who, request: pb.BakeSpritesRequest, output: Path, gateway: Gateway, *, standalone: bool
) -> Baked:
    with progress_bars() as progress, _sheets_in(output) as sheets:
        async with client_of(gateway, progress, standalone=standalone) as client:
            found = await find_or_create(client, who, progress)
            request.character = found.name
            with kept_in_mind(who, found):
                summary = await _receive(client, request, sheets, progress)
        sheets.publish()
    return Baked(found, summary.sheet_count, summary.sprite_count)


async def _receive(
    client: Client, request: pb.BakeSpritesRequest, sheets: _Sheets, progress: Progress
) -> compositor.PackSpritesSummary:
    task = progress.add_task("sprites", total=1.0)
    summary: compositor.PackSpritesSummary | None = None
    async with aclosing(client.bake_sprites(request)) as answers:
        async for answer in answers:
            kind = answer.WhichOneof("payload")
            if kind == "progress":
                progress.update(task, completed=answer.progress.fraction)
            elif kind == "chunk":
                sheets.write(answer.chunk.file_name, answer.chunk.data)
            elif kind == "summary":
                summary = answer.summary
    if summary is None:
        raise InternalError("The gateway stopped early.", reason="PEER_PROTOCOL", peer="gateway")
    return summary


class _Sheets:
    """Files beside a folder's own, which stay as they are until all have come."""

    def __init__(self, folder: Path, partial: Path) -> None:
        self._folder, self._partial = folder, partial
        self._names: set[str] = set()

    def write(self, name: str, data: bytes) -> None:
        """Add to the file `name`."""
        name = Path(name).name
        self._names.add(name)
        with (self._partial / name).open("ab") as file:
            file.write(data)

    def publish(self) -> None:
        """Put the files in the folder, the description last, and remove what sheets of the set
        that was there before are left."""
        before = _sheets_of(self._folder / _DESCRIPTION)
        for name in sorted(self._names):
            (self._partial / name).replace(self._folder / name)
        for name in before - self._names:
            (self._folder / name).unlink(missing_ok=True)


@contextmanager
def _sheets_in(folder: Path) -> Iterator[_Sheets]:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".sprites-", dir=folder) as partial:
            yield _Sheets(folder, Path(partial))
    finally:
        # Folders that were made for nothing; one that holds something stays.
        for one in missing:
            with suppress(OSError):
                one.rmdir()


def _sheets_of(description: Path) -> set[str]:
    """The names of the sheets that a description of ours tells of; none if it is not ours."""
    try:
        meta = json.loads(description.read_bytes())["meta"]
        if meta["app"] != _APP:
            return set()
        return {name for name in meta["images"] if _SHEET.fullmatch(name)}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
