"""Sprite sheets of a character, from the command line, by all services."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku_media.picture import decode_picture

from .conftest import Product

SIDE = 192


async def _sprites(product: Product, *arguments: str) -> tuple[int, str]:
    command = (sys.executable, "-m", "kuchipaku", "sprites", "--gateway", product.gateway)
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return process.returncode or 0, " ".join(told.decode().split())


def _picture(folder: Path, entry: dict[str, Any]) -> np.ndarray:
    """A sprite with its borders, as it was drawn."""
    sheet = decode_picture((folder / entry.get("image", "sheet-0.png")).read_bytes())
    x, y, w, h = (entry["frame"][key] for key in "xywh")
    left, top = (entry["spriteSourceSize"][key] for key in "xy")
    whole = np.zeros((SIDE, SIDE, 4), np.uint8)
    whole[top : top + h, left : left + w] = sheet[y : y + h, x : x + w]
    return whole


def _middle(one: np.ndarray, other: np.ndarray) -> float:
    """The row about which two pictures differ, each row by how much it does."""
    change = np.abs(one.astype(float) - other).sum(axis=(1, 2))
    return float((change * np.arange(SIDE)).sum() / change.sum())


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*")}


async def test_every_mouth_in_every_expression(
    product: Product, character: gateway.Character, tmp_path: Path
) -> None:
    old = {"meta": {"app": "kuchipaku", "images": ["sheet-0.png", "sheet-70.png"]}}
    (tmp_path / "sprites.json").write_text(json.dumps(old), "utf-8")
    (tmp_path / "sheet-70.png").write_bytes(b"of that set")
    (tmp_path / "sheet-71.png").write_bytes(b"somebody else's")
    code, told = await _sprites(
        product,
        *("--character", character.name.removeprefix("characters/")),
        *("--expressions", "neutral,happy", "--blink", "--size", str(SIDE), "--max-side", "512"),
        *("-o", str(tmp_path)),
    )
    assert code == 0, told
    assert "24 sprites" in told
    described = json.loads((tmp_path / "sprites.json").read_text("utf-8"))
    assert _names(tmp_path) == {"sprites.json", "sheet-71.png", *described["meta"]["images"]}
    assert [tag["name"] for tag in described["meta"]["frameTags"]] == [
        "neutral",
        "neutral/blink",
        "happy",
        "happy/blink",
    ]
    pictures = {one["filename"]: _picture(tmp_path, one) for one in described["frames"]}
    assert len(pictures) == 24
    # A and X are both shut lips; every other mouth looks different.
    mouths = {name: shown.tobytes() for name, shown in pictures.items() if "blink" not in name}
    assert mouths["neutral/A"] == mouths["neutral/X"]
    assert len(set(mouths.values())) == 16
    mouth = _middle(pictures["neutral/D"], pictures["neutral/X"])
    eyes = _middle(pictures["neutral/blink-2"], pictures["neutral/X"])
    assert mouth > eyes + 5  # a mouth is below the eyes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--expressions", "hungry"], "hungry is no expression"),
        (["--shapes", "AQ"], "Q is no mouth shape"),
        (["--max-side", "256", "--size", "1024"], "SPRITE_TOO_LARGE"),
    ],
)
async def test_what_is_wrong_leaves_no_files(
    product: Product,
    character: gateway.Character,
    tmp_path: Path,
    options: list[str],
    words: str,
) -> None:
    code, told = await _sprites(
        product,
        *("--character", character.name.removeprefix("characters/")),
        *options,
        *("-o", str(tmp_path / "out")),
    )
    assert code != 0
    assert words in told
    assert not (tmp_path / "out").exists()


async def test_a_failure_leaves_the_set_that_was_there(
    product: Product, character: gateway.Character, tmp_path: Path
) -> None:
    kept = {"sprites.json": b"described", "sheet-0.png": b"drawn"}
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)
    who = ("--character", character.name.removeprefix("characters/"))
    too_large = ("--max-side", "256", "--size", "1024")
    code, _ = await _sprites(product, *who, *too_large, "-o", str(tmp_path))
    assert code != 0
    assert {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)} == kept


async def test_a_folder_that_cannot_be_is_told_at_once(product: Product, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    code, told = await _sprites(
        product, "--character", "nobody", "-o", str(tmp_path / "file" / "in")
    )
    assert code == 1
    assert "Not a directory" in told
    assert "Traceback" not in told
