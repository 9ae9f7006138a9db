"""The life of a server inside this process."""

from __future__ import annotations

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from kuchipaku_contract import UnavailableError
from kuchipaku_runtime import Server, ServiceContext, check_health, connect, serving
from kuchipaku_runtime.server import server_options
from tests.runtime.probe import (
    NAME,
    Probe,
    ProbeSettings,
    ProbeStub,
    build_with,
    first_error,
    text,
)


async def test_a_free_port_is_found_and_announced(probe):
    async with serving(ProbeSettings(), build_with(probe)) as address:
        assert address.startswith("127.0.0.1:")
        assert not address.endswith(":0")
        assert (await check_health(address)).healthy


async def test_a_unix_socket_serves_and_vanishes(probe, tmp_path):
    path = tmp_path / "probe.sock"
    async with (
        serving(ProbeSettings(address=f"unix:{path}"), build_with(probe)) as address,
        connect(address) as peer,
    ):
        assert path.is_socket()
        assert (await ProbeStub(peer.channel).unary(text("a"))).value == "a"
    assert not path.exists()


async def test_a_stale_socket_is_replaced(probe, tmp_path):
    path = tmp_path / "probe.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(ProbeSettings(address=f"unix:{path}"), build_with(probe)) as address:
        assert (await check_health(address)).healthy


async def test_a_living_servers_socket_is_left_alone(probe, tmp_path):
    settings = ProbeSettings(address=f"unix:{tmp_path}/probe.sock")
    async with serving(settings, build_with(probe)) as address:
        with pytest.raises(OSError, match="another server"):
            await Server(settings, build_with(Probe())).start()
        assert (await check_health(address)).healthy


async def test_a_file_that_is_no_socket_is_left_alone(probe, tmp_path):
    path = tmp_path / "precious"
    path.write_text("text")
    with pytest.raises(OSError, match="not a socket"):
        await Server(ProbeSettings(address=f"unix:{path}"), build_with(probe)).start()
    assert path.read_text() == "text"


async def test_a_port_in_use_is_an_error(probe):
    async with serving(ProbeSettings(), build_with(probe)) as address:
        with pytest.raises(OSError, match="cannot listen"):
            await Server(ProbeSettings(address=address), build_with(Probe())).start()


async def test_health_knows_the_services_by_name(probe):
    async with serving(ProbeSettings(), build_with(probe)) as address:
        statuses = [
            (await check_health(address, service=name)).status for name in ("", NAME, "other")
        ]
    assert statuses == ["SERVING", "SERVING", "SERVICE_UNKNOWN"]


async def test_health_of_nobody_is_unreachable(tmp_path):
    report = await check_health(f"unix:{tmp_path}/none.sock")

    assert report.status == "UNREACHABLE"
    assert not report.healthy
    assert report.detail


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_is_offered_by_setting(probe, on):
    async with serving(ProbeSettings(reflection=on), build_with(probe)) as address:

        def names() -> list[str]:
            with grpc.insecure_channel(address) as channel:
                return list(ProtoReflectionDescriptorDatabase(channel).get_services())

        if on:
            assert {NAME, "grpc.health.v1.Health"} <= set(await asyncio.to_thread(names))
        else:
            with pytest.raises(grpc.RpcError):
                await asyncio.to_thread(names)


async def test_a_drain_finishes_running_calls_and_refuses_new_ones(probe):
    server = Server(ProbeSettings(), build_with(probe))
    await server.start()
    async with connect(server.address) as peer:
        stub = ProbeStub(peer.channel)
        watch = health_pb2_grpc.HealthStub(peer.channel).Watch(
            health_pb2.HealthCheckRequest(service=NAME)
        )
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        running = stub.repeat(text("wait"))
        messages = aiter(running)
        assert (await anext(messages)).value == "0:wait"
        assert server.running_calls == 1

        draining = asyncio.create_task(server.drain(30))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await peer.check(NAME) == "NOT_SERVING"
        refusal = await first_error(stub.unary(text("a")))
        assert not draining.done()
        probe.release.set()
        rest = [message.value async for message in messages]

        assert type(refusal) is UnavailableError
        assert refusal.reason == "SERVER_DRAINING"
        assert refusal.retry_after_s is not None
        assert rest == ["1:wait", "2:wait"]
        assert await running.code() == grpc.StatusCode.OK
        assert await draining is True
        assert await server.stop() == 0


async def test_what_outlasts_the_drain_is_cut_off_with_details(probe):
    server = Server(ProbeSettings(), build_with(probe))
    await server.start()
    async with connect(server.address) as peer:
        running = ProbeStub(peer.channel).repeat(text("wait"))
        messages = aiter(running)
        await anext(messages)

        assert await server.drain(0) is False
        assert await server.stop() == 1
        error = await first_error(messages)

    assert type(error) is UnavailableError
    assert error.reason == "SERVER_STOPPED"
    assert probe.closed.is_set()


async def test_resources_are_closed_in_reverse_after_the_server(probe):
    order = []

    async def build(context: ServiceContext[ProbeSettings]):
        for name in ("first", "second"):

            async def close(name=name):
                order.append(name)

            context.on_stop(close)
        return await build_with(probe)(context)

    async with serving(ProbeSettings(), build):
        pass
    assert order == ["second", "first"]


async def test_a_failed_build_closes_what_it_opened():
    closed = asyncio.Event()

    async def build(context: ServiceContext[ProbeSettings]):
        async def close():
            closed.set()

        context.on_stop(close)
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        await Server(ProbeSettings(), build).start()
    assert closed.is_set()


async def test_a_service_can_give_up(probe):
    server = Server(ProbeSettings(), build_with(probe))
    await server.start()
    server.context.give_up("the device is lost")
    await server.wait_failed()
    await server.stop()


def test_calls_are_never_limited_by_grpc_itself():
    options = dict(server_options(ProbeSettings(max_connection_age_grace_s=900)))

    assert options["grpc.max_receive_message_length"] == 8 << 20
    assert options["grpc.max_send_message_length"] == 8 << 20
    assert options["grpc.max_connection_age_ms"] == 600_000
    assert options["grpc.max_connection_age_grace_ms"] == 900_000
    assert options["grpc.so_reuseport"] == 0
    assert not [name for name in options if "concurrent_rpcs" in name]
