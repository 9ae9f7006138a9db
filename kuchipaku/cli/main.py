"""Entry point of the command line."""

from __future__ import annotations

import click

from kuchipaku import __version__

from .characters import characters
from .cutout import cutout
from .demo import demo
from .fit import fit
from .imagine import imagine
from .lipsync import lipsync
from .loadtest import loadtest
from .models import models
from .pose import pose
from .services import status, up
from .speak import speak
from .sprites import sprites


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kuchipaku")
def main() -> None:
    """Bring a picture of an anime character to life: it speaks what you give it."""


for command in (
    speak,
    sprites,
    imagine,
    cutout,
    fit,
    lipsync,
    pose,
    models,
    characters,
    up,
    status,
    demo,
    loadtest,
):
    main.add_command(command)
