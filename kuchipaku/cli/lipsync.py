"""``kuchipaku lipsync``: mouth cues of a recording in Rhubarb's formats, or weights per frame."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import grpc
from google.protobuf.duration_pb2 import Duration
from rich.markup import escape
from rich.progress import Progress

from kuchipaku.calls import keep_status
from kuchipaku.client import chunks
from kuchipaku.errors import error_from_rpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_animation import WEIGHT_SETS, AnimationOptions, animate_weights
from kuchipaku_animation.cue_files import (
    MAX_DAT_FPS,
    MIN_DAT_FPS,
    CueFormat,
    format_cues,
    to_dat,
)
from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_animation.weight_files import weights_to_csv, weights_to_json
from kuchipaku_contract.limits import LIMITS

from .connection import Access, access_options
from .console import people, progress_bars, run
from .live import CueJoiner, Live, latency_from
from .options import CONTENTS, RECOGNIZERS, audio_from, language_option, text_from
from .services import default_data
from .standalone import standalone_services

_EXTENDED = "GHX"


@dataclass(slots=True)
class Heard:
    """What the service answered."""

    cues: list[MouthCue] = field(default_factory=list)
    duration_s: float = 0.0
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the result is written."""

    format: str
    fps: float | None
    csv: bool
    preston_blair: bool

    def check(self) -> None:
        """Raise `click.UsageError` for options that the format does not have."""
        weights, dat = self.format in WEIGHT_SETS, self.format == CueFormat.DAT
        if self.csv and not weights:
            raise click.UsageError("--csv is for arkit, ovr and tha.")
        if self.preston_blair and not dat:
            raise click.UsageError("--preston-blair is for dat.")
        if self.fps is not None and not (weights or dat):
            raise click.UsageError("--fps is for arkit, ovr, tha and dat.")
        if self.fps is not None and dat and self.fps < MIN_DAT_FPS:
            raise click.UsageError(f"dat has at least {MIN_DAT_FPS:g} frames per second.")
        if self.fps is not None and weights and self.fps > LIMITS.max_fps:
            raise click.UsageError(f"Weights have at most {LIMITS.max_fps} frames per second.")

    def written(
        self, cues: list[MouthCue], duration_s: float, sound_file: str, rest: MouthShape
    ) -> str:
        """The whole file."""
        if self.format in WEIGHT_SETS:
            options = AnimationOptions(fps=self.fps or LIMITS.max_fps)
            track = animate_weights(cues, duration_s, WEIGHT_SETS[self.format], options)
            if self.csv:
                return weights_to_csv(track)
            return weights_to_json(track, name=self.format, sound_file=sound_file)
        if self.format == CueFormat.DAT:
            fps = self.fps or MIN_DAT_FPS
            return to_dat(cues, duration_s, fps=fps, preston_blair=self.preston_blair, rest=rest)
        cue_format = CueFormat(self.format)
        return format_cues(cues, duration_s, cue_format, sound_file=sound_file, rest=rest)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice([*(one.value for one in CueFormat), *WEIGHT_SETS]),
    default=CueFormat.JSON.value,
    show_default=True,
    help="json, tsv, xml, dat: cues as Rhubarb writes them. arkit, ovr, tha: weights per frame.",
)
@click.option(
    "--fps",
    type=click.FloatRange(LIMITS.min_fps, MAX_DAT_FPS),
    help="Frames per second of weights (60) and of dat (24, at least).",
)
@click.option("--csv", is_flag=True, help="Weights as CSV instead of JSON.")
@click.option(
    "--preston-blair", is_flag=True, help="dat: the names MBP, etc, E, AI, O, U, FV, L, rest."
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
@language_option
@click.option(
    "--shapes",
    default="AFGHX",
    show_default=True,
    help="AF for the six basic shapes, with any of G, H and X added.",
)
@click.option(
    "--live",
    "listen_live",
    is_flag=True,
    help="Play the file at its own pace and print starts and shapes as they are heard.",
)
@click.option(
    "--latency",
    callback=latency_from,
    help="--live: how far cues follow the audio, 100ms to 800ms.",
)
@click.option("--unpaced", is_flag=True, help="--live: as fast as the service takes it.")
@click.option(
    "--content",
    type=click.Choice(list(CONTENTS)),
    default="any",
    show_default=True,
    help="What is heard: speech, a song, or whatever of them is found.",
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
    fps: float | None,
    csv: bool,
    preston_blair: bool,
    output: Path | None,
    recognizer: str,
    text_file: Path | None,
    text_string: str | None,
    language: str,
    shapes: str,
    listen_live: bool,
    latency: Duration | None,
    unpaced: bool,
    content: str,
    address: str | None,
    access: Access,
) -> None:
    """Write the mouth cues of a recording as Rhubarb Lip Sync does, or weights per frame."""
    layout = Layout(format_, fps, csv, preston_blair)
    layout.check()
    if not listen_live and (latency is not None or unpaced):
        raise click.UsageError("--latency and --unpaced are for --live.")
    extended = _extended_shapes(shapes)
    config = pb.RecognizeCuesConfig(
        text=text_from(text_file, text_string),
        recognizer=RECOGNIZERS[recognizer],
        extended_shapes=[cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{one}") for one in extended],
        basic_shapes_only=not extended,
        language=language,
        content=CONTENTS[content],
    )
    live = Live(latency, not unpaced) if listen_live else None
    rest = MouthShape.X if "X" in extended else MouthShape.A
    heard = run(_recognise(audio_from(file, "FILE"), config, address, access, live))
    for warning in heard.warnings:
        people.print(f"[yellow]note:[/] {escape(warning)}")
    if live is not None and output is None:
        return
    text = layout.written(heard.cues, heard.duration_s, str(file.resolve()), rest)
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
    audio: bytes,
    config: pb.RecognizeCuesConfig,
    address: str | None,
    access: Access,
    live: Live | None,
) -> Heard:
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(progress_bars())
        if address is None:
            services = standalone_services(progress, default_data(), ("lipsync",))
            supervisor = await stack.enter_async_context(services)
            address = supervisor.plan.addresses["lipsync"]
            access = Access(access.api_key)
        channel = await stack.enter_async_context(access.channel(address))
        requests = _requests(audio, config, live)
        call = keep_status(
            pb_grpc.LipsyncServiceStub(channel).RecognizeCues(requests, metadata=access.metadata)
        )
        if live is not None:
            # Bars would be drawn over the cues.
            progress.stop()
        try:
            return await _hear(call, progress, CueJoiner(printed=live is not None))
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error


async def _requests(
    audio: bytes, config: pb.RecognizeCuesConfig, live: Live | None
) -> AsyncIterator[pb.RecognizeCuesRequest]:
    if live is None:
        yield pb.RecognizeCuesRequest(config=config)
        for part in chunks(audio):
            yield pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=part))
        return
    yield pb.RecognizeCuesRequest(config=live.applied(config))
    async for part in live.pieces(audio):
        yield pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=part))


async def _hear(
    answers: AsyncIterable[pb.RecognizeCuesResponse], progress: Progress, joiner: CueJoiner
) -> Heard:
    heard = Heard()
    task = progress.add_task("lipsync", total=1.0)
    async for answer in answers:
        for cue in answer.cues.cues:
            joiner.add(_cue(cue), cue)
        if answer.HasField("progress"):
            progress.update(task, completed=answer.progress.fraction)
        if answer.HasField("summary"):
            heard.duration_s = answer.summary.duration.ToTimedelta().total_seconds()
            heard.warnings = [warning.message for warning in answer.summary.warnings]
    progress.update(task, completed=1.0)
    joiner.finish(heard.duration_s)
    heard.cues = joiner.cues
    return heard


def _cue(cue: cue_pb2.MouthCue) -> MouthCue:
    return MouthCue(
        start=cue.start_offset.ToTimedelta().total_seconds(),
        end=cue.end_offset.ToTimedelta().total_seconds(),
        shape=MouthShape(cue_pb2.MouthShape.Name(cue.shape)[-1]),
        loudness=cue.loudness if cue.HasField("loudness") else 1.0,
    )
