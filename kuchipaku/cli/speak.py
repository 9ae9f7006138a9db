"""``kuchipaku speak``: a character says what an audio file says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import Progress, TaskID

from kuchipaku.client import Client, chunks
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import animation_pb2, audio_pb2, frame_pb2
from kuchipaku_animation.expressions import EXPRESSIONS
from kuchipaku_contract.errors import InvalidArgumentError

from .connection import Gateway, gateway_options
from .console import people, progress_bars, run, show_json
from .options import (
    ANIMATIONS,
    FRAMINGS,
    MOTIONS,
    RECOGNIZERS,
    Framing,
    Target,
    background_from,
    expression_from,
    json_option,
    language_option,
    speech_from,
    target_from,
    text_from,
)
from .standalone import client_of, standalone_option
from .who import (
    Who,
    character_id,
    find_or_create,
    kept_in_mind,
    tell_of_character,
    who_options,
)


@dataclass(frozen=True, slots=True)
class What:
    """What is said, and how it is to look."""

    audio: bytes
    """A file's."""
    text: str
    recognizer: int
    animation: animation_pb2.AnimationOptions
    framing: Framing
    background: compositor.Background | None
    pose_model: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out."""

    output: Path
    character: str
    ignored_phrases: tuple[str, ...]
    stage_seconds: dict[str, float]
    frame_count: int
    warnings: tuple[str, ...]


@click.command()
@who_options
@click.option(
    "--audio",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The speech: wav, flac, ogg, mp3, opus or m4a.",
)
@click.option(
    "--text",
    "text_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the words that are said; makes the mouth more exact.",
)
@click.option("--text-string", help="The words that are said.")
@language_option
@click.option(
    "--recognizer", type=click.Choice(list(RECOGNIZERS)), default="auto", show_default=True
)
@click.option("--fps", type=click.FloatRange(1, 60), default=25.0, show_default=True)
@click.option("--expression", default="", metavar="NAME", help=f"One of {', '.join(EXPRESSIONS)}.")
@click.option("--motion", type=click.Choice(list(MOTIONS)), default="full", show_default=True)
@click.option(
    "--animation", type=click.Choice(list(ANIMATIONS)), default="coarticulated", show_default=True
)
@click.option("--framing", type=click.Choice(list(FRAMINGS)), default="bust", show_default=True)
@click.option("--background", help="#rrggbb, transparent, or a picture.")
@click.option("--model", "pose_model", default="", help="Pose model.")
@click.option(
    "-o",
    "--output",
    required=True,
    help="File .mp4, .webm, .gif or .webp; FOLDER/, with the slash, for PNG frames.",
)
@json_option
@standalone_option
@gateway_options
def speak(
    who: Who,
    audio: Path,
    text_file: Path | None,
    text_string: str | None,
    language: str,
    recognizer: str,
    fps: float,
    expression: str,
    motion: str,
    animation: str,
    framing: str,
    background: str | None,
    pose_model: str,
    output: str,
    as_json: bool,
    standalone: bool,
    gateway: Gateway,
) -> None:
    """Make a character speak."""
    target = target_from(output)
    options = animation_pb2.AnimationOptions(
        frames_per_second=fps,
        mouth_animation=ANIMATIONS[animation],
        motion=MOTIONS[motion],
        expression=expression_from(expression, "--expression"),
    )
    what = What(
        audio=speech_from(audio, "--audio"),
        text=text_from(text_file, text_string),
        language=language,
        recognizer=RECOGNIZERS[recognizer],
        animation=options,
        framing=FRAMINGS[framing],
        background=background_from(background, target),
        pose_model=pose_model,
    )
    outcome = run(_speak(who, what, target, gateway, standalone=standalone))
    report(outcome, as_json=as_json)


async def _speak(
    who: Who, what: What, target: Target, gateway: Gateway, *, standalone: bool
) -> Outcome:
    with progress_bars() as progress:
        async with client_of(gateway, progress, standalone=standalone) as client:
            return await make_speak(client, who, what, target, progress)


async def make_speak(
    client: Client, who: Who, what: What, target: Target, progress: Progress
) -> Outcome:
    """Find or make the character, render, and write `target`."""
    found = await find_or_create(client, who, progress)
    write = _write_frames if target.container is None else _write_video
    with kept_in_mind(who, found):
        outcome = await write(client, found.name, what, target, progress)
    warnings = (*found.findings, *outcome.warnings)
    return replace(outcome, ignored_phrases=found.ignored_phrases, warnings=warnings)


async def _write_video(
    client: Client, name: str, what: What, target: Target, progress: Progress
) -> Outcome:
    output = target.path
    config = pb.RenderVideoConfig(
        character=name,
        pose_model=what.pose_model,
        text=what.text,
        language=what.language,
        recognizer=what.recognizer,  # type: ignore[arg-type]
        animation=what.animation,
        container=target.container or compositor.VIDEO_CONTAINER_UNSPECIFIED,
        background=what.background,
        crop=what.framing.crop,
        width_px=what.framing.side_px,
        height_px=what.framing.side_px,
    )
    summary = pb.RenderVideoSummary()
    tasks: dict[str, TaskID] = {}
    output.parent.mkdir(parents=True, exist_ok=True)
    # Written beside the target and moved, so that a failure leaves no half film behind.
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("wb") as film:
            async for answer in client.render_video(config, what.audio):
                kind = answer.WhichOneof("payload")
                if kind == "chunk":
                    film.write(answer.chunk.data)
                elif kind == "progress":
                    step = answer.progress
                    if step.stage not in tasks:
                        tasks[step.stage] = progress.add_task(step.stage, total=1.0)
                    progress.update(tasks[step.stage], completed=step.fraction)
                elif kind == "summary":
                    summary = answer.summary
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    seconds = {
        time.stage: time.duration.ToTimedelta().total_seconds() for time in summary.stage_times
    }
    warnings = tuple(warning.message for warning in summary.warnings)
    return Outcome(output, name, (), seconds, summary.frame_count, warnings)


async def _write_frames(
    client: Client, name: str, what: What, target: Target, progress: Progress
) -> Outcome:
    folder = target.path
    folder.mkdir(parents=True, exist_ok=True)
    task = progress.add_task("frames", total=None)
    count = 0
    names: dict[int, Path] = {}
    warnings: list[str] = []
    async for answer in client.speak(_speak_requests(name, what)):
        warnings += [warning.message for warning in answer.utterance_summary.warnings]
        for frame in answer.frames.frames:
            path = folder / f"frame_{count:05d}.png"
            if frame.WhichOneof("content") == "data":
                path.write_bytes(frame.data)
            else:
                path.write_bytes(names[frame.same_as_frame_id].read_bytes())
            names[frame.frame_id] = path
            count += 1
            progress.update(task, completed=count)
    if count == 0:
        raise InvalidArgumentError("The audio has no length.", reason="AUDIO_EMPTY", field="audio")
    _remove_rest(folder, count)
    return Outcome(folder, name, (), {}, count, tuple(warnings))


def _remove_rest(folder: Path, count: int) -> None:
    """Remove what a longer film has left in the folder: it would be taken for this one's end."""
    for path in folder.glob("frame_*.png"):
        number = path.stem.removeprefix("frame_")
        if number.isdecimal() and int(number) >= count:
            path.unlink()


async def _speak_requests(name: str, what: What) -> AsyncIterator[pb.SpeakRequest]:
    config = pb.SpeakConfig(
        character=name,
        pose_model=what.pose_model,
        animation=what.animation,
        recognizer=what.recognizer,  # type: ignore[arg-type]
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_PNG,
            crop=what.framing.crop,
            width_px=what.framing.side_px,
            height_px=what.framing.side_px,
        ),
    )
    yield pb.SpeakRequest(config=config)
    utterance = pb.SpeakUtterance(text=what.text, language=what.language)
    yield pb.SpeakRequest(utterance=utterance)
    for part in chunks(what.audio):
        yield pb.SpeakRequest(audio=audio_pb2.AudioChunk(data=part))


def report(outcome: Outcome, *, as_json: bool = False) -> None:
    """Say where the result is, and what was noticed on the way."""
    for warning in outcome.warnings:
        people.print(f"[yellow]note:[/] {escape(warning)}")
    if outcome.stage_seconds:
        times = ", ".join(f"{stage} {s:.1f} s" for stage, s in outcome.stage_seconds.items())
        people.print(f"{outcome.frame_count} frames; {times} (stages overlap)")
    tell_of_character(outcome.character, outcome.ignored_phrases)
    if as_json:
        show_json(
            {
                "output": str(outcome.output),
                "character": character_id(outcome.character),
                "frame_count": outcome.frame_count,
                "warnings": outcome.warnings,
                "ignored_phrases": outcome.ignored_phrases,
            }
        )
    else:
        click.echo(str(outcome.output))
