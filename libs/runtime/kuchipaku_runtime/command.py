"""From the command line to an exit status: what a service's ``__main__`` calls."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import CliApp

from kuchipaku_contract import KuchipakuError
from kuchipaku_runtime.allocator import AllocatorOptions, tune_allocator
from kuchipaku_runtime.logs import LogOptions, configure_logging
from kuchipaku_runtime.server import Build, Server
from kuchipaku_runtime.settings import ServiceSettings

_LOG = logging.getLogger(__name__)

EXIT_OK: Final = 0
"""Every accepted call was finished."""
EXIT_FAILED: Final = 1
"""The server could not start, or gave up."""
EXIT_USAGE: Final = 2
"""The settings are wrong."""
EXIT_CUT_OFF: Final = 3
"""Calls were cut off, by a second signal or at the end of the drain."""

S = TypeVar("S", bound=ServiceSettings)


def main(settings_type: type[S], build: Build[S], arguments: Sequence[str] | None = None) -> int:
    """Read settings from environment and command line (which wins) and `run`.

    Usage, as the last lines of a service's ``__main__.py``::

        if __name__ == "__main__":
            sys.exit(main(PoseSettings, build))
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        settings = CliApp.run(settings_type, cli_args=given)
    except ValidationError as error:
        sys.stderr.write(_explain(error))
        return EXIT_USAGE
    return run(settings, build)


def run(settings: S, build: Build[S]) -> int:
    """Serve until SIGTERM or SIGINT, drain, and return the exit status.

    A second signal cuts off what still runs. When the server is ready, one line of JSON says so
    on standard output: ``{"event": "ready", "service": ..., "address": ...}``.
    """
    configure_logging(LogOptions(settings.service_name(), settings.log_level, settings.log_format))
    _LOG.info("settings", extra={"settings": settings.describe()})
    options = AllocatorOptions(
        mmap_threshold_mib=settings.malloc_mmap_threshold_mib,
        trim_threshold_mib=settings.malloc_trim_threshold_mib,
        top_pad_mib=settings.malloc_top_pad_mib,
        arenas=settings.malloc_arenas,
    )
    if not tune_allocator(options):
        _LOG.debug("the allocator keeps its own settings")
    return asyncio.run(_serve(settings, build))


async def _serve(settings: S, build: Build[S]) -> int:
    signals = _Signals()
    try:
        server = Server(settings, build)
    except ValueError as error:
        _LOG.error("cannot start: %s", error)
        return EXIT_FAILED
    starting = asyncio.create_task(server.start())
    if not await _first(starting, signals.first):
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return EXIT_OK
    try:
        await starting
    except (KuchipakuError, OSError, ValueError) as error:
        _LOG.error("cannot start: %s", error)
        return EXIT_FAILED
    except Exception:
        _LOG.exception("cannot start")
        return EXIT_FAILED
    _announce(server, settings.service_name())
    failing = asyncio.create_task(server.wait_failed())
    failed = await _first(failing, signals.first)
    failing.cancel()
    draining = asyncio.create_task(server.drain())
    if not await _first(draining, signals.second):
        draining.cancel()
    cut = await server.stop()
    _LOG.info("stopped", extra={"cut_off": cut})
    if failed:
        return EXIT_FAILED
    return EXIT_CUT_OFF if cut else EXIT_OK


class _Signals:
    """Turns SIGTERM and SIGINT into events."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._arrived, number)

    def _arrived(self, number: signal.Signals) -> None:
        _LOG.info("signal", extra={"signal": number.name})
        (self.second if self.first.is_set() else self.first).set()


async def _first(task: asyncio.Task[object], event: asyncio.Event) -> bool:
    """Wait for whichever comes first; return whether it was the task."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task.done()


def _announce(server: Server[S], service: str) -> None:
    ready = {"event": "ready", "service": service, "address": server.address}
    if server.metrics_address is not None:
        ready["metrics_address"] = server.metrics_address
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def _explain(error: ValidationError) -> str:
    lines = ["The settings are wrong:"]
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        lines.append(f"  {where}: {problem['msg']}" if where else f"  {problem['msg']}")
    return "\n".join(lines) + "\n"
