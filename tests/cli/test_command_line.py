"""The command line, as a user types it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kuchipaku.cli.main import main
from kuchipaku.supervisor import Plan, ServiceDiedError, check_health, running_services

ROOT = Path(__file__).resolve().parents[2]
HELLO = str(ROOT / "examples/hello.wav")


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """The address of a gateway that is not there."""
    return f"unix:{tmp_path}/nobody.sock"


@pytest.mark.parametrize(
    "command", [[], ["speak"], ["lipsync"], ["characters"], ["up"], ["status"], ["demo"]]
)
def test_help_is_there(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--prompt", "girl", "--character", "abcd"],
        ["--prompt", "girl", "--image", HELLO],
    ],
)
def test_speak_wants_exactly_one_character(arguments: list[str], nobody: str) -> None:
    command = ["speak", *arguments, "--audio", HELLO, "-o", "x.mp4", "--gateway", nobody]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "exactly one of" in result.output


def test_a_gateway_that_is_away_is_told_with_the_way_out(nobody: str, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    command = ["speak", "--prompt", "girl", "--audio", HELLO, "-o", str(out), "--gateway", nobody]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "UNAVAILABLE" in result.output
    assert "kuchipaku up" in result.output
    assert not list(tmp_path.iterdir())


def test_status_fails_when_services_are_away(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", "--sockets", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("UNREACHABLE") == 5


@pytest.mark.parametrize("shapes", ["GHX", "AFQ", "ABCDEF"])
def test_lipsync_refuses_unknown_shapes(shapes: str) -> None:
    result = CliRunner().invoke(main, ["lipsync", HELLO, "--shapes", shapes])
    assert result.exit_code == 2


async def test_services_run_and_stop(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen", "compositor"))
    ready: list[str] = []
    async with running_services(plan, on_ready=lambda name, _: ready.append(name)):
        assert sorted(ready) == ["compositor", "imagegen"]
        assert await check_health(plan.addresses["imagegen"]) == "SERVING"
    assert await check_health(plan.addresses["imagegen"]) == "UNREACHABLE"


async def test_a_service_that_cannot_start_ends_the_others_with_its_log(tmp_path: Path) -> None:
    plan = Plan(
        Plan.on_sockets(tmp_path, tmp_path, ("imagegen", "compositor")).addresses,
        tmp_path / "data",
        {"KUCHIPAKU_COMPOSITOR_LOG_LEVEL": "LOUD"},
    )
    with pytest.raises(ServiceDiedError) as caught:
        async with running_services(plan):
            pytest.fail("the services must not get ready")
    assert caught.value.service == "compositor"
    assert "log_level" in caught.value.log
    assert await check_health(plan.addresses["imagegen"]) == "UNREACHABLE"


async def test_a_service_that_dies_is_noticed(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen",))
    async with running_services(plan) as supervisor:
        watching = asyncio.ensure_future(supervisor.watch())
        supervisor.processes["imagegen"].kill()
        with pytest.raises(ServiceDiedError) as caught:
            await watching
    assert caught.value.service == "imagegen"
    assert caught.value.code != 0


def test_the_module_runs() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "kuchipaku", "--version"], capture_output=True, text=True, check=True
    )
    assert "kuchipaku" in result.stdout
