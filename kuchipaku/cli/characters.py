"""``kuchipaku characters``: list, show, save and delete what the gateway keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from rich.markup import escape
from rich.table import Table

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb

from .connection import Gateway, gateway_options
from .console import run, show_json, show_table
from .options import json_option, write_result
from .who import character_id


@click.group()
def characters() -> None:
    """List, show, save and delete characters."""


@characters.command("list")
@click.option("--owner", default="", help="Only this owner's.")
@json_option
@gateway_options
def list_(owner: str, as_json: bool, gateway: Gateway) -> None:
    """List all characters."""
    found = run(_list(gateway, owner))
    if as_json:
        show_json([_document(one) for one in found])
        return
    table = Table("id", "name", "prompt", "seed", "created")
    for one in found:
        seed = str(one.origin.seed) if one.origin.prompt else ""
        created = f"{one.create_time.ToDatetime():%Y-%m-%d %H:%M}"
        name, prompt = escape(one.display_name), escape(one.origin.prompt)
        table.add_row(character_id(one.name), name, prompt, seed, created)
    show_table(table)


async def _list(gateway: Gateway, owner: str) -> list[pb.Character]:
    async with gateway.client() as client:
        request = pb.ListCharactersRequest(owner=owner)
        return [character async for character in client.list_characters(request)]


@characters.command()
@click.argument("character")
@json_option
@gateway_options
def show(character: str, as_json: bool, gateway: Gateway) -> None:
    """Show all that is known of a character."""
    document = _document(run(_get(gateway, character, full=False)))
    if as_json:
        show_json(document)
        return
    table = Table("field", "value")
    for name, value in document.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(name, escape(text))
    show_table(table)


@characters.command()
@click.argument("character")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@gateway_options
def save(character: str, output: Path, gateway: Gateway) -> None:
    """Write a character's canvas to a PNG file."""
    write_result(output, run(_get(gateway, character, full=True)).canvas.png)
    click.echo(str(output))


async def _get(gateway: Gateway, character: str, *, full: bool) -> pb.Character:
    async with gateway.client() as client:
        return await client.get_character("characters/" + character_id(character), full=full)


@characters.command()
@click.argument("character")
@gateway_options
def delete(character: str, gateway: Gateway) -> None:
    """Delete a character."""
    run(_delete(gateway, character))


async def _delete(gateway: Gateway, character: str) -> None:
    async with gateway.client() as client:
        await client.delete_character("characters/" + character_id(character))


def _document(character: pb.Character) -> dict[str, Any]:
    """The character as JSON, by the protocol's names, and its id as commands take it."""
    told = MessageToDict(character, preserving_proto_field_name=True)
    return {"id": character_id(character.name), **told}
