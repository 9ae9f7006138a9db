"""``kuchipaku characters``: list, show and delete what the gateway keeps."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway

from .console import gateway_option, people, run


@click.group()
def characters() -> None:
    """List, save and delete characters."""


@characters.command("list")
@click.option("--owner", default="", help="Only this owner's.")
@gateway_option
def list_(owner: str, gateway: str) -> None:
    """List all characters."""
    table = Table("id", "name", "prompt", "seed", "created")
    for one in run(_list(gateway, owner)):
        seed = str(one.origin.seed) if one.origin.prompt else ""
        created = f"{one.create_time.ToDatetime():%Y-%m-%d %H:%M}"
        table.add_row(_id(one.name), one.display_name, one.origin.prompt, seed, created)
    people.print(table)


async def _list(address: str, owner: str) -> list[gateway.Character]:
    async with Client(address) as client:
        request = gateway.ListCharactersRequest(owner=owner)
        return [character async for character in client.list_characters(request)]


@characters.command()
@click.argument("character")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@gateway_option
def save(character: str, output: Path, gateway: str) -> None:
    """Write a character's canvas to a PNG file."""
    output.write_bytes(run(_get(gateway, character)).canvas.png)
    click.echo(str(output))


async def _get(address: str, character: str) -> gateway.Character:
    async with Client(address) as client:
        return await client.get_character("characters/" + _id(character), full=True)


@characters.command()
@click.argument("character")
@gateway_option
def delete(character: str, gateway: str) -> None:
    """Delete a character."""
    run(_delete(gateway, character))


async def _delete(address: str, character: str) -> None:
    async with Client(address) as client:
        await client.delete_character("characters/" + _id(character))


def _id(name: str) -> str:
    return name.removeprefix("characters/")
