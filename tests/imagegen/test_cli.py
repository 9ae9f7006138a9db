"""The commands about pictures, as a user types them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from kuchipaku.cli.main import main
from kuchipaku_imagegen.service import build
from kuchipaku_imagegen.settings import ImagegenSettings
from kuchipaku_runtime import serving
from tests.imagegen.user_pictures import character, encoded, gradient, overlap, placed


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    settings = ImagegenSettings(address=f"unix:{tmp_path}/imagegen.sock")
    async with serving(settings, build) as address:
        yield address


def _image(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


async def _run(*arguments: str) -> Result:
    import asyncio  # noqa: PLC0415

    return await asyncio.to_thread(CliRunner().invoke, main, list(arguments))


@pytest.mark.parametrize("command", ["imagine", "cutout", "fit"])
def test_help_is_there(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "-o, --output" in result.output


async def test_imagine_writes_pictures_and_a_sheet(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    result = await _run(
        "imagine",
        "girl, gribble",
        "-n",
        "3",
        "--seed",
        "4",
        "-o",
        str(folder),
        "--address",
        address,
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == [
        "00_seed_4.png",
        "01_seed_5.png",
        "02_seed_6.png",
        "sheet.png",
    ]
    assert "gribble" in result.output
    sheet = _image(folder / "sheet.png")
    assert sheet.shape[:2] == (2 * 264 + 8, 2 * 264 + 8)
    paper = sheet[-130:, -130:]
    assert (paper == paper[0, 0]).all(), "the fourth place of the sheet is empty"


async def test_imagine_tells_what_is_wrong(address: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    result = await _run("imagine", "girl", "--model", "sdxl", "-o", folder, "--address", address)
    assert result.exit_code == 1
    assert "IMAGE_MODEL_NOT_FOUND" in result.output
    assert not (tmp_path / "out").exists()


async def test_cutout_writes_a_picture_without_background(address: str, tmp_path: Path) -> None:
    truth = character(900_004)
    source, target = tmp_path / "in.jpg", tmp_path / "new" / "out.png"
    source.write_bytes(encoded(placed(truth, gradient(512, 512)), "JPEG", "RGB", quality=92))
    result = await _run("cutout", str(source), "-o", str(target), "--address", address)
    assert result.exit_code == 0, result.output
    assert overlap(_image(target), truth) > 0.85


async def test_fit_writes_canvas_report_and_drawing(address: str, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    figure = character(900_004, eye_wink=1.0)
    source.write_bytes(encoded(placed(figure, gradient(900, 700), scale=0.8, at=(400, 150))))
    canvas, report, drawing = (tmp_path / name for name in ("a/c.png", "b/r.json", "c/d.png"))
    result = await _run(
        *("fit", str(source), "-o", str(canvas), "--report", str(report)),
        *("--annotate", str(drawing), "--address", address),
    )
    findings = json.loads(report.read_text("utf-8"))
    checks = {check["name"]: check for check in findings["checks"]}
    assert checks["eyes"]["verdict"] == "fail"
    assert "open eyes" in checks["eyes"]["message"]
    assert result.exit_code == 1, "a check failed"
    assert checks["face"]["verdict"] == "ok"
    assert findings["matting_model"] == "starter"
    assert findings["head"]["center_x_px"] == pytest.approx(400 + 0.8 * 256, abs=12)
    assert _image(canvas).shape == (512, 512, 4)
    assert _image(drawing).shape[1] == 512


async def test_fit_refuses_a_picture_of_nobody(address: str, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(encoded(gradient(600, 500)))
    result = await _run("fit", str(source), "-o", str(tmp_path / "c.png"), "--address", address)
    assert result.exit_code == 1
    assert "NO_CHARACTER_FOUND" in result.output
    assert not (tmp_path / "c.png").exists()
