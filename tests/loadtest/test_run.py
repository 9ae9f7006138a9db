"""A run against real services."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run_loadtest(folder: Path, *options: str) -> tuple[str, dict[str, str]]:
    """Run the command with services of its own; what it says, and the first line of the CSV."""
    words = [sys.executable, "-m", "kuchipaku", "loadtest", "--speech", str(ROOT / "examples")]
    words += ["--setting", "KUCHIPAKU_LIPSYNC_WORKERS=1", "--fps", "5", "--warmup", "0"]
    done = subprocess.run(
        [*words, "-o", str(folder), *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    # Neither "all well" nor "SLO broken" is what a busy machine promises; a crash is neither.
    assert done.returncode in {0, 1}, done.stderr
    assert "Report:" in done.stderr, done.stderr
    with (folder / "results.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    return done.stderr, row


def test_sessions_beyond_the_capacity_are_refused_with_a_hint(tmp_path: Path) -> None:
    said, row = run_loadtest(
        tmp_path, "--mix", "crowd", "--sessions", "4", "--duration", "6",
        "--setting", "KUCHIPAKU_GATEWAY_SESSIONS=2",
    )  # fmt: skip
    assert "2 admitted, 2 refused" in said
    assert (row["admitted"], row["refused"], row["failed"]) == ("2", "2", "0")
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert '"refusals_with_retry": 2' in text
    assert '"QUEUE_FULL": 2' in text
    assert int(row["frames"]) >= 2 * 5
    assert float(row["cpu_s_per_session_s"]) > 0
    assert float(row["first_frame_p50_s"]) > 0


def test_distinct_arriving_and_interrupting_sessions_are_served(tmp_path: Path) -> None:
    _, row = run_loadtest(
        tmp_path, "--mix", "distinct", "--arrivals", "0.8", "--session-length", "4",
        "--interrupters", "0.5", "--duration", "6", "--processes", "2", "--seed", "3",
    )  # fmt: skip
    assert int(row["admitted"]) >= 2
    assert row["failed"] == "0"
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert '"role"' not in text  # figures, not records
    assert '"interrupt_s": {\n        "count": 0' not in text
