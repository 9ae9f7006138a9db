"""``kuchipaku demo``: from a prompt and a recording to a film, on services of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from kuchipaku.client import Client
from kuchipaku.type.v1 import animation_pb2

from .console import people, progress_bars, run
from .options import FRAMINGS, RECOGNIZERS, SEED, speech_from, target_from
from .speak import Outcome, What, make_speak
from .standalone import standalone_services
from .who import Who

_PROMPT = "girl, long silver hair, violet eyes, blunt bangs, hair ribbon, navy sailor uniform"
_SEED = 17
_SPEECH = "hello.wav"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the parts took, in seconds."""

    services: float
    speaking: float


@click.command()
@click.option("--prompt", default=_PROMPT, show_default=True)
@click.option("--seed", type=SEED, default=_SEED, show_default=True)
@click.option(
    "--audio",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The speech.  [default: examples/hello.wav of the repository]",
)
@click.option("--text-string", help="The words that are said in --audio, if you know them.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for hello.mp4 and hello.png.",
)
def demo(prompt: str, seed: int, audio: Path | None, text_string: str | None, output: Path) -> None:
    """Draw a character and make it say hello: the whole chain, once."""
    if text_string is not None and audio is None:
        raise click.UsageError("--text-string is about --audio: give both.")
    if audio is None:
        examples = _examples()
        audio, text = examples / _SPEECH, (examples / "hello.txt").read_text(encoding="utf-8")
    else:
        text = text_string or ""
    what = What(
        audio=speech_from(audio, "--audio"),
        text=text,
        recognizer=RECOGNIZERS["auto"],
        animation=animation_pb2.AnimationOptions(expression="happy"),
        framing=FRAMINGS["bust"],
        background=None,
        pose_model="",
    )
    outcome, timing = run(_demo(prompt, seed, what, output))
    table = Table("stage", "seconds", title="Where the time went")
    table.add_row("start of the five services", f"{timing.services:.1f}")
    table.add_row("character, speech, film", f"{timing.speaking:.1f}")
    for stage, seconds in outcome.stage_seconds.items():
        table.add_row(f"  {stage}", f"{seconds:.1f}")
    people.print(table)
    people.print("The stages within a film overlap: frames are encoded while others are drawn.")
    people.print(
        f"\n[bold green]film[/]       {escape(str(outcome.output))}  ({outcome.frame_count} frames)"
    )
    people.print(f"[bold green]character[/]  {escape(str(output / 'hello.png'))}")
    people.print(_NEXT.format(program="kuchipaku"), soft_wrap=True)


def _examples() -> Path:
    """The repository's examples, from inside of it or by where its package was installed from.

    Raises `click.UsageError` where neither has them: an installed package carries no recording.
    """
    for folder in (Path("examples"), Path(__file__).parents[2] / "examples"):
        if (folder / _SPEECH).is_file():
            return folder
    raise click.UsageError(
        f"There is no examples/{_SPEECH} here. Run the demo in Kuchipaku's repository, or give a "
        "recording of your own: --audio YOUR.wav"
    )


async def _demo(prompt: str, seed: int, what: What, output: Path) -> tuple[Outcome, Timing]:
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    with progress_bars() as progress:
        async with standalone_services(progress, output / "store") as supervisor:
            ready = time.monotonic()
            async with Client(supervisor.plan.addresses["gateway"]) as client:
                film = target_from(str(output / "hello.mp4"))
                who = Who(prompt=prompt, image=None, character=None, seed=seed, image_model="")
                outcome = await make_speak(client, who, what, film, progress)
                character = await client.get_character(outcome.character, full=True)
                (output / "hello.png").write_bytes(character.canvas.png)
            done = time.monotonic()
    return outcome, Timing(ready - started, done - ready)


_NEXT = """
What to try next:
  {program} demo --prompt "boy, messy black hair, green eyes, glasses, hoodie" --seed 5
  {program} speak --standalone --prompt "girl, cat ears" --audio YOUR.wav -o film.webm
  {program} up        # serve all five services, then in another terminal:
  {program} speak --prompt "..." --audio YOUR.wav --text-string "what is said" -o film.mp4
(.venv/bin/{program} unless the environment is active.)
"""
