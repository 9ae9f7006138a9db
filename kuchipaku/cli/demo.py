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
from .options import FRAMINGS, RECOGNIZERS, SEED, target_from
from .speak import Outcome, What, make_speak
from .standalone import standalone_services
from .who import Who

_PROMPT = "girl, long silver hair, violet eyes, blunt bangs, hair ribbon, navy sailor uniform"
_SEED = 17


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the parts took, in seconds."""

    services: float
    speaking: float


@click.command()
@click.option("--prompt", default=_PROMPT, show_default=True)
@click.option("--seed", type=SEED, default=_SEED, show_default=True)
@click.option(
    "--examples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("examples"),
    show_default=True,
    help="Folder with hello.wav and hello.txt.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for hello.mp4 and hello.png.",
)
def demo(prompt: str, seed: int, examples: Path, output: Path) -> None:
    """Draw a character and make it say hello: the whole chain, once."""
    outcome, timing = run(_demo(prompt, seed, examples, output))
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


async def _demo(prompt: str, seed: int, examples: Path, output: Path) -> tuple[Outcome, Timing]:
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    with progress_bars() as progress:
        async with standalone_services(progress, output / "store") as supervisor:
            ready = time.monotonic()
            async with Client(supervisor.plan.addresses["gateway"]) as client:
                what = What(
                    audio=examples / "hello.wav",
                    text=(examples / "hello.txt").read_text(encoding="utf-8"),
                    recognizer=RECOGNIZERS["auto"],
                    animation=animation_pb2.AnimationOptions(expression="happy"),
                    framing=FRAMINGS["bust"],
                    background=None,
                    pose_model="",
                )
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
