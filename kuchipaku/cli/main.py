"""Entry point of the command line."""

from __future__ import annotations

import click

from kuchipaku import __version__

from .characters import characters
from .demo import demo
from .lipsync import lipsync
from .services import status, up
from .speak import speak


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kuchipaku")
def main() -> None:
    """Bring a picture of an anime character to life: it speaks what you give it."""


for command in (speak, lipsync, characters, up, status, demo):
    main.add_command(command)
