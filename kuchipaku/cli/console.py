"""How the command line talks: tables and progress to the terminal, errors in one place."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from kuchipaku.supervisor import AddressesTakenError, ServiceFailedError
from kuchipaku_contract.errors import CancelledByClientError, KuchipakuError, UnavailableError

Result = TypeVar("Result")

# Results go to standard output and everything for people to standard error, so that output can
# be piped.
people = Console(stderr=True, highlight=False)


def show_table(table: Table) -> None:
    """A table as a result, on standard output: framed for people, plain lines for programs."""
    results = Console(highlight=False, emoji=False)
    if not results.is_terminal:
        # Nothing of it is to be cut off or wrapped.
        results = Console(highlight=False, emoji=False, width=_UNBOUNDED)
        table.box = None
        table.show_edge = False
        table.pad_edge = False
    results.print(table)


def show_json(value: object) -> None:
    """A result for programs, on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


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


_ELSEWHERE = (
    "Is another `kuchipaku up` running? Use it or stop it, or listen elsewhere: --port-base PORT."
)
_UNBOUNDED = 10_000


class _StoppedError(Exception):
    """A signal ended the command."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a command to its end; failures become a message and an exit status.

    SIGTERM and SIGINT cancel `main`, so that it can stop what it has started.
    """
    try:
        return asyncio.run(_stoppable(main))
    except _StoppedError as stopped:
        people.print("Stopped.")
        sys.exit(128 + stopped.number)
    except KuchipakuError as error:
        _fail(error)
    except ServiceFailedError as error:
        people.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        if isinstance(error, AddressesTakenError):
            people.print(_ELSEWHERE, soft_wrap=True)
        if error.log:
            people.print("Its last lines:")
            people.print(error.log, markup=False)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        # Of two files the second is where something was to go.
        file = str(error.filename2 or error.filename)
        people.print(f"[bold red]{escape(file)}[/]: {escape(str(error.strerror))}")
        _tell_notes(error)
        sys.exit(1)


async def _stoppable(main: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        # Not possible outside the main thread and on some systems: then as Python does it.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop, number)
    try:
        return await main
    except asyncio.CancelledError:
        if not received:
            raise
        raise _StoppedError(received[0]) from None


def _fail(error: KuchipakuError) -> NoReturn:
    # What gRPC itself reports has no other reason than its code.
    parts = [] if error.reason == error.code.value else [error.reason]
    parts += [f"({error.field})"] if error.field else []
    people.print(f"[bold red]{error.code.value}[/] {escape(' '.join(parts))}".rstrip())
    people.print(error.message, markup=False)
    if isinstance(error, UnavailableError):
        people.print("Is it running? Start all services with: [bold]kuchipaku up[/]")
    elif error.retry_after_s is not None:
        people.print(f"Try again in {error.retry_after_s:.0f} s.")
    _tell_notes(error)
    sys.exit(130 if isinstance(error, CancelledByClientError) else 1)


def _tell_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        people.print(note, markup=False)
