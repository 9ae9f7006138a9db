"""Processes seen from outside. Linux only: read from /proc."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def services_of(parent: int) -> list[int]:
    """Ids of the services that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            belongs = int(_stat(folder)[1]) == parent
        except OSError:  # ended meanwhile
            continue
        # Not yet a service while its command still waits for its exec.
        if belongs and command[1:2] == [b"-m"] and command[2].startswith(b"kuchipaku_"):
            found.append(int(folder.name))
    return found


def is_gone(process: int) -> bool:
    """Whether the process has ended, waited for by its parent or not."""
    try:
        return _stat(Path(f"/proc/{process}"))[0] == "Z"
    except OSError:
        return True


def eventually(look: Callable[[], T], limit_s: float = 40.0) -> T:
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while not (seen := look()):
        assert time.monotonic() < deadline, "it never happened"
        pause.wait(0.02)
    return seen


def _stat(folder: Path) -> list[str]:
    """State, parent's id, ..."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
