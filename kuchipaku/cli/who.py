"""Options that say which character a command is about, and how it is found or made."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.markup import escape
from rich.progress import Progress

from kuchipaku import __version__
from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen
from kuchipaku_contract.errors import KuchipakuError

from .console import people
from .options import SEED, picture_from

#: Raised when the illustrator draws prompts differently: characters made before are others.
_DRAWINGS = 2
_COLLECTION = "characters/"

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Who:
    """Which character is meant: exactly one of the three."""

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
class Found:
    """A character of a gateway."""

    name: str
    """``characters/{id}``"""
    ignored_phrases: tuple[str, ...] = ()
    """Of the prompt, not understood."""
    findings: tuple[str, ...] = ()
    """What the checks of its picture say."""


_OPTIONS = (
    click.option("--prompt", help='What the character looks like: "girl, silver hair, red eyes".'),
    click.option(
        "--image",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A picture of the character; a background is removed, and the picture is framed.",
    ),
    click.option("--character", help="Id of a character made earlier."),
    click.option("--seed", type=SEED, help="Decides what the prompt leaves open."),
    click.option("--image-model", default="", help="Image model for --prompt."),
)


def who_options(command: _Command) -> _Command:
    """Add --prompt, --image, --character, --seed and --image-model; the command gets ``who``."""

    @functools.wraps(command)
    def with_who(
        *,
        prompt: str | None,
        image: Path | None,
        character: str | None,
        seed: int | None,
        image_model: str,
        **given: Any,
    ) -> Any:
        picture = None if image is None else picture_from(image, "--image")
        who = Who(prompt, picture, character, seed, image_model)
        who.check()
        return command(**given, who=who)

    wrapped: Any = with_who
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


async def find_or_create(client: Client, who: Who, progress: Progress) -> Found:
    """The character, made if need be."""
    if who.character is not None:
        return Found(_COLLECTION + character_id(who.character))
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
    return Found(result.character.name, tuple(result.ignored_phrases), findings)


@contextmanager
def kept_in_mind(who: Who, found: Found) -> Iterator[None]:
    """Have a failure tell of the character, where the command has made it: nothing else would.

    It stays. What it took to make may be more than what is left to do, and the next try may want
    this one.
    """
    try:
        yield
    except (KuchipakuError, OSError) as error:
        if who.character is None:
            error.add_note(
                f"The character is there: go on with --character {character_id(found.name)}"
            )
        raise


def character_id(name: str) -> str:
    """The id of ``characters/{id}``; an id stays as it is."""
    return name.removeprefix(_COLLECTION)


def tell_of_character(name: str, ignored_phrases: tuple[str, ...]) -> None:
    """Say which character it was, and what of its prompt was not understood."""
    for phrase in ignored_phrases:
        people.print(f"[yellow]not understood:[/] {escape(phrase)}")
    people.print(f"character: {escape(character_id(name))}")
