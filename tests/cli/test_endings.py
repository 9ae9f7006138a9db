"""However a command ends, its services end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .processes import eventually, is_gone, linux_only, services_of

HELLO = str(Path(__file__).resolve().parents[2] / "examples/hello.wav")

pytestmark = linux_only


@contextmanager
def _kuchipaku(*arguments: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "kuchipaku", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HOME": str(home)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["speak", "--standalone", "--prompt", "girl", "--audio", HELLO, "-o", "film.mp4"], 5),
        (["lipsync", HELLO], 1),
    ],
    ids=["speak", "lipsync"],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_stops_its_services(
    tmp_path: Path, arguments: list[str], count: int, number: signal.Signals
) -> None:
    arguments = [str(tmp_path / one) if one == "film.mp4" else one for one in arguments]
    with _kuchipaku(*arguments, home=tmp_path) as process:
        eventually(lambda: len(services_of(process.pid)) == count)
        services = services_of(process.pid)
        process.send_signal(number)
        output, _ = process.communicate()
    assert process.returncode == 128 + number
    assert "Stopped." in output
    assert all(is_gone(service) for service in services)
    assert not (tmp_path / "film.mp4").exists()


def test_up_can_be_stopped_while_it_starts(tmp_path: Path) -> None:
    with _kuchipaku("up", "--sockets", str(tmp_path), home=tmp_path) as process:
        services = eventually(lambda: services_of(process.pid))
        process.terminate()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert all(is_gone(service) for service in services)


def test_up_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    with _kuchipaku("up", "-q", "--sockets", str(tmp_path), home=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "All services are ready" in line:
                break
        services = services_of(process.pid)
        assert len(services) == 5
        process.terminate()
        process.communicate()
    assert process.returncode == 0
    assert all(is_gone(service) for service in services)


def test_services_end_even_if_the_command_is_killed(tmp_path: Path) -> None:
    with _kuchipaku("lipsync", HELLO, home=tmp_path) as process:
        services = eventually(lambda: services_of(process.pid))
        process.kill()
    eventually(lambda: all(is_gone(service) for service in services))
