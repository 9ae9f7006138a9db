"""What `kuchipaku characters` tells people and programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kuchipaku.cli.main import main
from kuchipaku_gateway.characters import Character, Origin
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_gateway.store import CharacterStore, Creation
from kuchipaku_runtime import serving

PROMPT = "girl, " + "very long silver hair, " * 8 + "[red] eyes :cat:"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[str]:
    settings = GatewaySettings(
        address=f"unix:{tmp_path}/gateway.sock", store_url=f"file://{tmp_path}/store"
    )
    store = CharacterStore(settings.store_url)
    momo = Character("momo", "0" * 64, origin=Origin(PROMPT, 7, "illustrator"), owner="me")
    await store.create(Creation(momo), b"png")
    await store.create(Creation(Character("nana", "0" * 64)), b"png")
    async with serving(settings, build) as address:
        yield address


async def _characters(gateway: str, *words: str) -> Result:
    command = ["characters", *words, "--gateway", gateway]
    result = await asyncio.to_thread(CliRunner().invoke, main, command)
    assert result.exit_code == 0, result.output
    return result


async def test_the_list_goes_to_standard_output_line_by_line(gateway: str) -> None:
    heading, *lines = (await _characters(gateway, "list")).stdout.splitlines()
    assert heading.split()[0] == "id"
    assert sorted(line.split()[0] for line in lines) == ["momo", "nana"]
    # Neither cut off nor taken for markup.
    assert any(PROMPT in line for line in lines)


async def test_the_list_for_programs(gateway: str) -> None:
    listed = json.loads((await _characters(gateway, "list", "--json")).stdout)
    assert {one["id"]: one["name"] for one in listed} == {
        "momo": "characters/momo",
        "nana": "characters/nana",
    }
    one = json.loads((await _characters(gateway, "list", "--owner", "me", "--json")).stdout)
    assert [found["origin"]["prompt"] for found in one] == [PROMPT]


@pytest.mark.parametrize("name", ["momo", "characters/momo"])
async def test_one_character_is_shown(gateway: str, name: str) -> None:
    shown = (await _characters(gateway, "show", name)).stdout
    assert PROMPT.replace('"', "") in shown
    told = json.loads((await _characters(gateway, "show", name, "--json")).stdout)
    assert told["id"] == "momo"
    assert told["origin"]["seed"] == "7"
    assert "canvas" not in told or "png" not in told["canvas"]
