"""How the command line talks: tables and progress to the terminal, errors in one place."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from kuchipaku.client import DEFAULT_ADDRESS
from kuchipaku.supervisor import ServiceDiedError
from kuchipaku_contract.errors import CancelledByClientError, KuchipakuError, UnavailableError

Result = TypeVar("Result")

# Results go to standard output and everything for people to standard error, so that output can
# be piped.
people = Console(stderr=True, highlight=False)

gateway_option = click.option(
    "--gateway",
    default=DEFAULT_ADDRESS,
    show_default=True,
    envvar="KUCHIPAKU_GATEWAY",
    help="Address of the gateway, host:port or unix:/path.",
)


def progress_bars() -> Progress:
    """Progress bars on standard error; plain silence where that is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=36),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=people,
    )


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a command to its end; failures become a message and an exit status."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        people.print("Stopped.")
        sys.exit(130)
    except KuchipakuError as error:
        _fail(error)
    except ServiceDiedError as error:
        people.print(f"[bold red]{error}[/] Its last lines:")
        people.print(error.log, markup=False)
        sys.exit(1)


def _fail(error: KuchipakuError) -> NoReturn:
    where = f" ({error.field})" if error.field else ""
    people.print(f"[bold red]{error.code.value}[/] {error.reason}{where}")
    people.print(error.message, markup=False)
    if isinstance(error, UnavailableError):
        people.print("Is it running? Start all services with: [bold]kuchipaku up[/]")
    elif error.retry_after_s is not None:
        people.print(f"Try again in {error.retry_after_s:.0f} s.")
    sys.exit(130 if isinstance(error, CancelledByClientError) else 1)
