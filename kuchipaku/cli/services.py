"""``kuchipaku up`` and ``kuchipaku status``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from kuchipaku.client import DEFAULT_ADDRESS
from kuchipaku.places import FIRST_PORT, LAST_FIRST_PORT, SERVICES
from kuchipaku.supervisor import Plan, check_health, running_services

from .console import people, run, show_table

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")


def default_data() -> Path:
    """Where characters are kept unless told otherwise."""
    return Path.home() / ".local" / "share" / "kuchipaku"


def plan_for(sockets: Path | None, data: Path, port_base: int | None = None) -> Plan:
    """Loopback ports, or unix sockets in a folder. Raises `click.UsageError` for both."""
    if sockets is None:
        return Plan.on_loopback(data, first_port=port_base or FIRST_PORT)
    if port_base is not None:
        raise click.UsageError("Give --sockets or --port-base, not both.")
    sockets.mkdir(parents=True, exist_ok=True)
    return Plan.on_sockets(sockets.resolve(), data)


sockets_option = click.option(
    "--sockets",
    type=click.Path(file_okay=False, path_type=Path),
    help="Listen on unix sockets in this folder instead of the ports on 127.0.0.1.",
)
port_base_option = click.option(
    "--port-base",
    type=click.IntRange(1, LAST_FIRST_PORT),
    help=f"Port of the gateway; the others take the four that follow.  [default: {FIRST_PORT}]",
)


@click.command()
@sockets_option
@port_base_option
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data,
    show_default="~/.local/share/kuchipaku",
    help="Folder of the character store.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not show the services' logs.")
def up(sockets: Path | None, port_base: int | None, data: Path, quiet: bool) -> None:
    """Serve all five services until Ctrl-C, or SIGTERM.

    A service that ends by itself ends the command, with its log; nothing is restarted in
    silence. Settings of the services are environment variables KUCHIPAKU_<SERVICE>_....
    """
    run(_up(plan_for(sockets, data, port_base), quiet=quiet))


async def _up(plan: Plan, *, quiet: bool) -> None:
    colours = dict(zip(SERVICES, _COLOURS, strict=True))

    def show(service: str, line: str) -> None:
        if not quiet:
            people.print(f"[{colours[service]}]{service:>10}[/] {escape(line)}")

    def ready(service: str, seconds: float) -> None:
        address = plan.addresses[service]
        people.print(f"[bold green]ready[/] {service:<10} {escape(address)}  ({seconds:.1f} s)")

    async with running_services(plan, on_line=show, on_ready=ready) as supervisor:
        people.print("All services are ready. Ctrl-C stops them.")
        gateway = plan.addresses["gateway"]
        if gateway != DEFAULT_ADDRESS:
            people.print(f"For other commands: export KUCHIPAKU_GATEWAY={escape(gateway)}")
        try:
            await supervisor.watch()
        except asyncio.CancelledError:
            # The way in which serving is meant to end.
            people.print("Stopping; running utterances are finished first.")


@click.command()
@sockets_option
@port_base_option
def status(sockets: Path | None, port_base: int | None) -> None:
    """Show which services are healthy. The exit status is 1 unless all are."""
    states = run(_states(plan_for(sockets, Path(), port_base)))
    table = Table("service", "address", "health")
    for service, (address, state) in states.items():
        colour = "green" if state == "SERVING" else "red"
        table.add_row(service, escape(address), f"[{colour}]{state}[/]")
    show_table(table)
    sys.exit(0 if all(state == "SERVING" for _, state in states.values()) else 1)


async def _states(plan: Plan) -> dict[str, tuple[str, str]]:
    states = await asyncio.gather(*(check_health(plan.addresses[name]) for name in SERVICES))
    return {
        name: (plan.addresses[name], state) for name, state in zip(SERVICES, states, strict=True)
    }
