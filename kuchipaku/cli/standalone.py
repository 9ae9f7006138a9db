"""Services of one's own for the length of one command."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click
from rich.progress import Progress

from kuchipaku.client import Client
from kuchipaku.places import SERVICES
from kuchipaku.supervisor import Plan, Supervisor, running_services

from .connection import Access, Gateway
from .services import default_data

standalone_option = click.option(
    "--standalone",
    is_flag=True,
    help="Run services of its own for this command instead of connecting to a gateway.",
)


@asynccontextmanager
async def client_of(
    gateway: Gateway, progress: Progress, *, standalone: bool
) -> AsyncIterator[Client]:
    """A connection to `gateway`, or to one of five services of one's own."""
    async with AsyncExitStack() as stack:
        if standalone:
            services = standalone_services(progress, default_data())
            supervisor = await stack.enter_async_context(services)
            access = Access(gateway.access.api_key)
            gateway = Gateway(supervisor.plan.addresses["gateway"], access)
        yield await stack.enter_async_context(gateway.client())


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
