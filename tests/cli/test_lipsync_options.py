"""Options of ``kuchipaku lipsync`` that do not fit each other, and bad files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kuchipaku.cli.lipsync import Layout
from kuchipaku.cli.main import main
from kuchipaku_animation.cues import MouthCue, MouthShape

HELLO = str(Path(__file__).parents[2] / "examples/hello.wav")
CUES = [MouthCue(0.0, 0.2, MouthShape.X), MouthCue(0.2, 1.0, MouthShape.D)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--csv"], "--csv is for arkit, ovr and tha"),
        (["-f", "tsv", "--fps", "30"], "--fps is for"),
        (["-f", "dat", "--fps", "12"], "at least 24"),
        (["-f", "arkit", "--fps", "90"], "at most 60"),
        (["-f", "arkit", "--fps", "0"], "--fps"),
        (["-f", "json", "--preston-blair"], "--preston-blair is for dat"),
        (["-f", "wav"], "--format"),
    ],
)
def test_options_that_do_not_fit_the_format_are_refused(options: list[str], told: str) -> None:
    result = CliRunner().invoke(main, ["lipsync", HELLO, *options])
    assert result.exit_code == 2
    assert told in result.output


@pytest.mark.parametrize(
    "arguments", [["missing.wav"], [HELLO, "--text", "missing.txt"], [str(Path(HELLO).parent)]]
)
def test_files_that_are_not_there_are_told(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["lipsync", *arguments])
    assert result.exit_code == 2
    assert arguments[-1] in result.output.replace("\n", " ")
    assert "does not exist" in result.output or "is a directory" in result.output


def test_a_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"caf\xe9")
    result = CliRunner().invoke(main, ["lipsync", HELLO, "--text", str(text)])
    assert result.exit_code == 2
    assert "is not UTF-8 text" in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("layout", "beginning"),
    [
        (Layout("json", None, False, False), '{\n  "metadata"'),
        (Layout("tsv", None, False, False), "0.00\tX\n0.20\tD\n1.00\tX"),
        (Layout("xml", None, False, False), "<?xml"),
        (Layout("dat", 30, False, True), "MohoSwitch1\n1 rest\n7 AI\n"),
        (Layout("arkit", None, False, False), '{\n  "format": "arkit"'),
        (Layout("ovr", 30, True, False), "time,sil,PP,"),
        (Layout("tha", 25, True, False), "time,mouth_aaa,"),
    ],
)
def test_every_format_is_written(layout: Layout, beginning: str) -> None:
    layout.check()
    assert layout.written(CUES, 1.0, "/a.wav", MouthShape.X).startswith(beginning)
