"""``kuchipaku lipsync --live``."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from kuchipaku.cli.main import main
from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_runtime import serving
from tests.lipsync.conftest import EXAMPLES

HELLO = str(EXAMPLES / "hello.wav")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--latency", "200ms"],
        ["--unpaced"],
        ["--live", "--latency", "fast"],
        ["--live", "--latency", "200"],
        ["--content", "opera"],
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["lipsync", HELLO, *arguments])
    assert result.exit_code == 2


async def test_cues_are_printed_and_written(tmp_path: Path) -> None:
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s", metrics_address=None, workers=1, preload=False
    )
    output = tmp_path / "cues.json"
    async with serving(settings, build) as address:
        command = ["lipsync", HELLO, "--address", address, "--live", "--unpaced"]
        shown = await asyncio.to_thread(
            CliRunner().invoke, main, [*command, "--latency", "0.3s", "-o", str(output)]
        )
        late = await asyncio.to_thread(CliRunner().invoke, main, [*command, "--latency", "900ms"])
    assert shown.exit_code == 0, shown.output
    lines = [line.split("\t") for line in shown.stdout.splitlines() if "\t" in line]
    starts = [float(start) for start, _ in lines]
    assert starts == sorted(starts)
    assert lines[-1] == ["6.38", "X"]
    assert all(first[1] != second[1] for first, second in pairwise(lines[:-1]))
    written = json.loads(output.read_text())["mouthCues"]
    assert [cue["value"] for cue in written] == [shape for _, shape in lines[:-1]]
    assert [cue["start"] for cue in written] == starts[:-1]
    assert all(first["end"] == second["start"] for first, second in pairwise(written))
    assert late.exit_code == 1
    assert "latency" in late.output
