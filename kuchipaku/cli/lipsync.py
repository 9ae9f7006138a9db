"""``kuchipaku lipsync``: mouth cues of a recording, in Rhubarb's formats."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import grpc
from rich.markup import escape
from rich.progress import Progress

from kuchipaku.calls import keep_status
from kuchipaku.client import chunks
from kuchipaku.errors import error_from_rpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_animation.cue_files import CueFormat, format_cues
from kuchipaku_animation.cues import MouthCue, MouthShape

from .connection import Access, access_options
from .console import people, progress_bars, run
from .options import RECOGNIZERS, text_from
from .services import default_data
from .standalone import standalone_services

_EXTENDED = "GHX"


@dataclass(slots=True)
class Heard:
    """What the service answered."""

    cues: list[MouthCue] = field(default_factory=list)
    duration_s: float = 0.0
    warnings: list[str] = field(default_factory=list)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice([one.value for one in CueFormat]),
    default=CueFormat.JSON.value,
    show_default=True,
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--recognizer", type=click.Choice(list(RECOGNIZERS)), default="auto", show_default=True
)
@click.option(
    "--text",
    "text_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the words that are said; makes the cues more exact.",
)
@click.option("--text-string", help="The words that are said.")
@click.option(
    "--shapes",
    default="AFGHX",
    show_default=True,
    help="AF for the six basic shapes, with any of G, H and X added.",
)
@click.option(
    "--address",
    envvar="KUCHIPAKU_LIPSYNC",
    help="A running lip sync service; without it the command runs one of its own.",
)
@access_options
def lipsync(
    file: Path,
    format_: str,
    output: Path | None,
    recognizer: str,
    text_file: Path | None,
    text_string: str | None,
    shapes: str,
    address: str | None,
    access: Access,
) -> None:
    """Write the mouth cues of a recording as Rhubarb Lip Sync does."""
    extended = _extended_shapes(shapes)
    config = pb.RecognizeCuesConfig(
        text=text_from(text_file, text_string),
        recognizer=RECOGNIZERS[recognizer],
        extended_shapes=[cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{one}") for one in extended],
        basic_shapes_only=not extended,
    )
    heard = run(_recognise(file.read_bytes(), config, address, access))
    for warning in heard.warnings:
        people.print(f"[yellow]note:[/] {escape(warning)}")
    rest = MouthShape.X if "X" in extended else MouthShape.A
    text = format_cues(
        heard.cues,
        heard.duration_s,
        CueFormat(format_),
        sound_file=str(file.resolve()),
        rest=rest,
    )
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _extended_shapes(shapes: str) -> str:
    extended = shapes.upper().removeprefix("AF")
    if not shapes.upper().startswith("AF") or not set(extended) <= set(_EXTENDED):
        raise click.BadParameter("AF with any of G, H and X", param_hint="--shapes")
    return extended


async def _recognise(
    audio: bytes, config: pb.RecognizeCuesConfig, address: str | None, access: Access
) -> Heard:
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(progress_bars())
        if address is None:
            services = standalone_services(progress, default_data(), ("lipsync",))
            supervisor = await stack.enter_async_context(services)
            address = supervisor.plan.addresses["lipsync"]
            access = Access(access.api_key)
        channel = await stack.enter_async_context(access.channel(address))
        call = keep_status(
            pb_grpc.LipsyncServiceStub(channel).RecognizeCues(
                _requests(audio, config), metadata=access.metadata
            )
        )
        try:
            return await _hear(call, progress)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error


async def _requests(
    audio: bytes, config: pb.RecognizeCuesConfig
) -> AsyncIterator[pb.RecognizeCuesRequest]:
    yield pb.RecognizeCuesRequest(config=config)
    for part in chunks(audio):
        yield pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=part))


async def _hear(answers: AsyncIterable[pb.RecognizeCuesResponse], progress: Progress) -> Heard:
    heard = Heard()
    task = progress.add_task("lipsync", total=1.0)
    async for answer in answers:
        heard.cues += [_cue(cue) for cue in answer.cues.cues]
        if answer.HasField("progress"):
            progress.update(task, completed=answer.progress.fraction)
        if answer.HasField("summary"):
            heard.duration_s = answer.summary.duration.ToTimedelta().total_seconds()
            heard.warnings = [warning.message for warning in answer.summary.warnings]
    progress.update(task, completed=1.0)
    return heard


def _cue(cue: cue_pb2.MouthCue) -> MouthCue:
    return MouthCue(
        start=cue.start_offset.ToTimedelta().total_seconds(),
        end=cue.end_offset.ToTimedelta().total_seconds(),
        shape=MouthShape(cue_pb2.MouthShape.Name(cue.shape)[-1]),
        loudness=cue.loudness if cue.HasField("loudness") else 1.0,
    )
