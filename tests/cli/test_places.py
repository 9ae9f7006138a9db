"""Where `kuchipaku up` listens, and what it says when somebody listens there already."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from kuchipaku.cli.main import main
from kuchipaku.places import LAST_FIRST_PORT
from kuchipaku.supervisor import AddressesTakenError, Plan, check_health, running_services


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port at which somebody listens, with room for five in a row."""
    for port in range(49_000, LAST_FIRST_PORT):
        with closing(socket.socket()) as somebody:
            try:
                somebody.bind(("127.0.0.1", port))
            except OSError:
                continue
            somebody.listen()
            yield port
            return


def test_up_names_the_port_that_is_taken_and_the_way_out(taken_port: int, tmp_path: Path) -> None:
    command = ["up", "--data", str(tmp_path / "data"), "--port-base"]
    result = CliRunner().invoke(main, [*command, str(taken_port)])
    assert result.exit_code == 1
    told, advice = result.output.splitlines()
    assert f"127.0.0.1:{taken_port} (gateway)" in told
    assert "--port-base" in advice
    # The pose service's is the third.
    result = CliRunner().invoke(main, [*command, str(taken_port - 2)])
    assert f"127.0.0.1:{taken_port} (pose)" in result.output
    assert not (tmp_path / "data").exists()


async def test_services_listen_from_the_port_base_on(tmp_path: Path) -> None:
    # One service suffices: imagegen at the base's next port.
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    plan = Plan.on_loopback(tmp_path, ("imagegen",), first_port=free - 1)
    assert plan.addresses == {"imagegen": f"127.0.0.1:{free}"}
    async with running_services(plan):
        assert await check_health(plan.addresses["imagegen"]) == "SERVING"
        # Another one of the same would be taken for it, and served by the first.
        with pytest.raises(AddressesTakenError) as caught:
            async with running_services(plan):
                pytest.fail("the place is taken")
        assert caught.value.addresses == plan.addresses


async def test_a_socket_that_somebody_serves_is_taken(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen",))
    path = tmp_path / "imagegen.sock"
    server = await asyncio.start_unix_server(lambda _reader, writer: writer.close(), path)
    async with server:
        with pytest.raises(AddressesTakenError):
            async with running_services(plan):
                pytest.fail("the place is taken")


async def test_a_socket_left_behind_is_free(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen",))
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(tmp_path / "imagegen.sock"))
    async with running_services(plan):
        assert await check_health(plan.addresses["imagegen"]) == "SERVING"


@pytest.mark.parametrize("command", ["up", "status"])
def test_ports_or_sockets(command: str, tmp_path: Path) -> None:
    both = [command, "--sockets", str(tmp_path), "--port-base", "6000"]
    result = CliRunner().invoke(main, both)
    assert result.exit_code == 2
    assert "not both" in result.output


def test_the_last_port_has_room_for_those_that_follow() -> None:
    beyond = str(LAST_FIRST_PORT + 1)
    assert CliRunner().invoke(main, ["status", "--port-base", beyond]).exit_code == 2
