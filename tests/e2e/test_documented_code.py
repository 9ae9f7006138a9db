"""The Python code of the documentation does what it says, as pasted."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Product

_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ADDRESS = "127.0.0.1:50050"


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.stat().st_size}


def _programs(page: str) -> list[str]:
    blocks = _PYTHON.findall((ROOT / page).read_text(encoding="utf-8"))
    return [block for block in blocks if "asyncio.run(" in block]


@pytest.mark.parametrize(
    ("page", "printed", "made"), [("README.md", "bytes", ()), ("docs/api.md", "", ("hello.mp4",))]
)
async def test_it_runs_as_pasted(
    product: Product, tmp_path: Path, page: str, printed: str, made: tuple[str, ...]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    [program] = _programs(page)
    assert _ADDRESS in program
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program.replace(_ADDRESS, product.gateway)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
    assert _files(tmp_path) == {"examples", *made}
