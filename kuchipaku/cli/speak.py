"""``kuchipaku speak``: a character says what an audio file says."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import Progress, TaskID

from kuchipaku import __version__
from kuchipaku.client import Client, chunks
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen
from kuchipaku.type.v1 import animation_pb2, audio_pb2, frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError

from .connection import Access, Gateway, gateway_options
from .console import people, progress_bars, run
from .options import (
    ANIMATIONS,
    FRAMINGS,
    MOTIONS,
    RECOGNIZERS,
    SEED,
    Framing,
    Target,
    audio_from,
    background_from,
    language_option,
    picture_from,
    target_from,
    text_from,
)
from .services import default_data
from .standalone import standalone_services

#: Raised when the illustrator draws prompts differently: characters made before are others.
_DRAWINGS = 2


@dataclass(frozen=True, slots=True)
class Who:
    """Which character speaks: exactly one of the three."""

    prompt: str | None
    image: bytes | None
    character: str | None
    seed: int | None
    image_model: str

    def check(self) -> None:
        """Raise `click.UsageError` unless exactly one source is given."""
        if sum(value is not None for value in (self.prompt, self.image, self.character)) != 1:
            raise click.UsageError("Give exactly one of --prompt, --image and --character.")


@dataclass(frozen=True, slots=True)
class What:
    """What is said, and how it is to look."""

    audio: Path
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
@click.option("--prompt", help='What the character looks like: "girl, silver hair, red eyes".')
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A picture of the character; a background is removed, and the picture is framed.",
)
@click.option("--character", help="Id of a character made earlier.")
@click.option("--seed", type=SEED, help="Decides what the prompt leaves open.")
@click.option("--image-model", default="", help="Image model for --prompt.")
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
@click.option("--expression", default="", help="happy, angry, sad, surprised, ...")
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
    help="File .mp4, .webm, .gif or .webp, or FOLDER/ for PNG frames.",
)
@click.option(
    "--standalone",
    is_flag=True,
    help="Run services of its own for this command instead of connecting to a gateway.",
)
@gateway_options
def speak(
    prompt: str | None,
    image: Path | None,
    character: str | None,
    seed: int | None,
    image_model: str,
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
    standalone: bool,
    gateway: Gateway,
) -> None:
    """Make a character speak."""
    target = target_from(output)
    picture = None if image is None else picture_from(image, "--image")
    who = Who(prompt, picture, character, seed, image_model)
    who.check()
    options = animation_pb2.AnimationOptions(
        frames_per_second=fps,
        mouth_animation=ANIMATIONS[animation],
        motion=MOTIONS[motion],
        expression=expression,
    )
    what = What(
        audio=audio,
        text=text_from(text_file, text_string),
        language=language,
        recognizer=RECOGNIZERS[recognizer],
        animation=options,
        framing=FRAMINGS[framing],
        background=background_from(background, target),
        pose_model=pose_model,
    )
    outcome = run(_speak(who, what, target, gateway, standalone=standalone))
    report(outcome)


async def _speak(
    who: Who, what: What, target: Target, gateway: Gateway, *, standalone: bool
) -> Outcome:
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(progress_bars())
        if standalone:
            services = standalone_services(progress, default_data())
            supervisor = await stack.enter_async_context(services)
            access = Access(gateway.access.api_key)
            gateway = Gateway(supervisor.plan.addresses["gateway"], access)
        client = await stack.enter_async_context(gateway.client())
        return await make_speak(client, who, what, target, progress)


async def make_speak(
    client: Client, who: Who, what: What, target: Target, progress: Progress
) -> Outcome:
    """Find or make the character, render, and write `target`."""
    name, ignored, findings = await _find_or_create(client, who, progress)
    write = _write_frames if target.container is None else _write_video
    outcome = await write(client, name, what, target, progress)
    return replace(outcome, ignored_phrases=ignored, warnings=(*findings, *outcome.warnings))


async def _find_or_create(
    client: Client, who: Who, progress: Progress
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The character's name, phrases of the prompt that were not understood, and what the checks
    of its picture found."""
    if who.character is not None:
        return "characters/" + who.character.removeprefix("characters/"), (), ()
    request = pb.CreateCharacterRequest()
    if who.image is not None:
        request.image.image = who.image
    else:
        request.prompt.prompt = who.prompt or ""
        request.prompt.model = who.image_model
        if who.seed is not None:
            request.prompt.seed = who.seed
            # The same prompt and seed are the same picture, until the illustrator changes: no
            # second character is needed.
            same = f"{__version__}\n{_DRAWINGS}\n{who.image_model}\n{who.seed}\n{who.prompt}"
            request.request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, same))
    task = progress.add_task("character", total=1.0)
    stages = {"generate": 0.0, "fit": 0.6, "store": 0.9}

    def show(step: pb.CreateCharacterProgress) -> None:
        progress.update(task, completed=stages.get(step.stage, 0.0) + 0.1 * step.fraction)

    result = await client.create_character(request, show)
    progress.update(task, completed=1.0)
    # Of a drawn character only what spoils it; about a picture its owner can do something.
    told = {imagegen.CHECK_VERDICT_FAIL}
    if who.image is not None:
        told.add(imagegen.CHECK_VERDICT_WARN)
    findings = tuple(check.message for check in result.checks if check.verdict in told)
    return result.character.name, tuple(result.ignored_phrases), findings


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
            async for answer in client.render_video(config, audio_from(what.audio, "--audio")):
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
    for part in chunks(audio_from(what.audio, "--audio")):
        yield pb.SpeakRequest(audio=audio_pb2.AudioChunk(data=part))


def report(outcome: Outcome) -> None:
    """Say where the result is, and what was noticed on the way."""
    for phrase in outcome.ignored_phrases:
        people.print(f"[yellow]not understood:[/] {escape(phrase)}")
    for warning in outcome.warnings:
        people.print(f"[yellow]note:[/] {escape(warning)}")
    if outcome.stage_seconds:
        times = ", ".join(f"{stage} {s:.1f} s" for stage, s in outcome.stage_seconds.items())
        people.print(f"{outcome.frame_count} frames; {times} (stages overlap)")
    people.print(f"character: {escape(outcome.character.removeprefix('characters/'))}")
    click.echo(str(outcome.output))
