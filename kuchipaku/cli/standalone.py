"""Services of one's own for the length of one command."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from rich.progress import Progress

from kuchipaku.supervisor import SERVICES, Plan, Supervisor, running_services


@asynccontextmanager
async def standalone_services(
    progress: Progress,
    data: Path,
    services: Iterable[str] = SERVICES,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Supervisor]:
    """Run services on unix sockets in a temporary folder while the block lasts."""
    names = tuple(services)
    task = progress.add_task("services", total=len(names))
    with tempfile.TemporaryDirectory(prefix="kuchipaku-") as folder:
        plan = Plan.on_sockets(Path(folder), data, names, environment=environment)
        async with running_services(
            plan, on_ready=lambda _name, _seconds: progress.advance(task)
        ) as supervisor:
            yield supervisor
