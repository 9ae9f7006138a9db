"""What ``kuchipaku sprites`` does with a folder, the services behind the gateway played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kuchipaku.cli.main import main
from kuchipaku_gateway.characters import Character
from tests.gateway.company import Company, gateway_before, settings_beside

OLD = {"meta": {"app": "kuchipaku", "images": ["sheet-0.png", "sheet-1.png"]}}


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
async def address(tmp_path: Path, company: Company) -> AsyncIterator[str]:
    settings, character = settings_beside(tmp_path), Character("momo", "0" * 64)
    async with gateway_before(company, settings, character) as gateway:
        yield gateway


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a set of before, and a file that is no part of it."""
    folder = tmp_path / "sprites"
    folder.mkdir()
    (folder / "sprites.json").write_text(json.dumps(OLD), "utf-8")
    for name in ("sheet-0.png", "sheet-1.png", "sheet-2.png"):
        (folder / name).write_bytes(b"before")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def sprites(address: str, folder: Path) -> Result:
    command = ["sprites", "--gateway", address, "--character", "momo", "-o", str(folder)]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


async def test_a_set_takes_the_place_of_the_one_before(address: str, folder: Path) -> None:
    result = await sprites(address, folder)
    assert result.exit_code == 0, result.output
    assert files(folder) == {
        "sheet-0.png": b"picture",
        "sprites.json": b"{}",
        "sheet-2.png": b"before",
    }


async def test_sheets_without_a_summary_change_nothing(
    address: str, folder: Path, company: Company
) -> None:
    before = files(folder)
    company.compositor.stops_early = True
    result = await sprites(address, folder)
    assert result.exit_code == 1
    assert "PEER_PROTOCOL" in result.output
    assert files(folder) == before


async def test_a_file_that_cannot_be_replaced_is_named(address: str, folder: Path) -> None:
    (folder / "sheet-0.png").unlink()
    (folder / "sheet-0.png").mkdir()
    result = await sprites(address, folder)
    assert result.exit_code == 1
    assert f"{folder / 'sheet-0.png'}:" in result.output.replace("\n", "")
    assert (folder / "sprites.json").read_text("utf-8") == json.dumps(OLD)
