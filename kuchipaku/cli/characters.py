"""``kuchipaku characters``: list, show and delete what the gateway keeps."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb

from .connection import Gateway, gateway_options
from .console import people, run
from .options import write_result


@click.group()
def characters() -> None:
    """List, save and delete characters."""


@characters.command("list")
@click.option("--owner", default="", help="Only this owner's.")
@gateway_options
def list_(owner: str, gateway: Gateway) -> None:
    """List all characters."""
    table = Table("id", "name", "prompt", "seed", "created")
    for one in run(_list(gateway, owner)):
        seed = str(one.origin.seed) if one.origin.prompt else ""
        created = f"{one.create_time.ToDatetime():%Y-%m-%d %H:%M}"
        name, prompt = escape(one.display_name), escape(one.origin.prompt)
        table.add_row(_id(one.name), name, prompt, seed, created)
    people.print(table)


async def _list(gateway: Gateway, owner: str) -> list[pb.Character]:
    async with gateway.client() as client:
        request = pb.ListCharactersRequest(owner=owner)
        return [character async for character in client.list_characters(request)]


@characters.command()
@click.argument("character")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@gateway_options
def save(character: str, output: Path, gateway: Gateway) -> None:
    """Write a character's canvas to a PNG file."""
    write_result(output, run(_get(gateway, character)).canvas.png)
    click.echo(str(output))


async def _get(gateway: Gateway, character: str) -> pb.Character:
    async with gateway.client() as client:
        return await client.get_character("characters/" + _id(character), full=True)


@characters.command()
@click.argument("character")
@gateway_options
def delete(character: str, gateway: Gateway) -> None:
    """Delete a character."""
    run(_delete(gateway, character))


async def _delete(gateway: Gateway, character: str) -> None:
    async with gateway.client() as client:
        await client.delete_character("characters/" + _id(character))


def _id(name: str) -> str:
    return name.removeprefix("characters/")
