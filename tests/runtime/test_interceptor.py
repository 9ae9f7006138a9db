from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

from kuchipaku_contract import (
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnimplementedError,
)
from kuchipaku_runtime import Server, connect
from tests.runtime.probe import (
    NAME,
    Probe,
    ProbeSettings,
    ProbeStub,
    build_with,
    first_error,
    probing,
    text,
)

SHAPES = ["unary", "collect", "repeat", "writer", "chat"]


def call(stub: ProbeStub, shape: str, value: str, **options):
    method = getattr(stub, shape)
    if shape in {"collect", "chat"}:
        return method(iter([text(value)]), **options)
    return method(text(value), **options)


async def finish(call) -> list[str]:
    if hasattr(call, "__aiter__"):
        return [message.value async for message in call]
    return [(await call).value]


async def test_all_shapes_of_calls_answer(stub):
    assert await finish(call(stub, "unary", "a")) == ["a"]
    assert await finish(stub.collect(iter([text("a"), text("b")]))) == ["a,b"]
    assert await finish(call(stub, "repeat", "a")) == ["0:a", "1:a", "2:a"]
    assert await finish(call(stub, "writer", "a")) == ["first", "last"]
    assert await finish(stub.chat(iter([text("a"), text("b")]))) == ["a", "b"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_error_arrives_with_reason_field_and_metadata(stub, shape):
    error = await first_error(call(stub, shape, "invalid"))

    assert type(error) is InvalidArgumentError
    assert error.message == "No such rate."
    assert error.reason == "FPS_RANGE"
    assert error.field == "config.fps"
    assert error.metadata == {"fps": "99"}
    assert error.retry_after_s is None


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_passing_error_says_when_to_come_back(stub, shape):
    error = await first_error(call(stub, shape, "full"))

    assert type(error) is ResourceExhaustedError
    assert error.retry_after_s == 2.5


async def test_details_are_the_standard_messages(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.unary(text("invalid"))
    status = rpc_status.from_call(caught.value)
    info, bad = ErrorInfo(), BadRequest()

    assert len(status.details) == 2
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert info.domain == "kuchipaku"
    assert bad.field_violations[0].field == "config.fps"
    assert bad.field_violations[0].description == "No such rate."

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.unary(text("full"))
    retry = RetryInfo()
    assert rpc_status.from_call(caught.value).details[1].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (2, 500_000_000)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_unknown_exception_leaks_nothing_but_is_logged(stub, shape, caplog):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(call(stub, shape, "bug"))

    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in repr(caught.value) + str(caught.value.trailing_metadata())
    assert any("secret /path" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_cancellation_inside_a_handler_is_its_fault_not_the_callers(stub, shape):
    error = await first_error(call(stub, shape, "inner-cancel"))

    assert type(error) is InternalError


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_handler_may_abort_by_itself(stub, shape):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(call(stub, shape, "abort"))

    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_unknown_method_is_unimplemented_with_details(stub):
    error = await first_error(stub.missing(text("a")))

    assert type(error) is UnimplementedError
    assert error.reason == "METHOD_UNKNOWN"
    assert error.metadata == {"method": f"/{NAME}/Missing"}


async def test_bytes_that_are_no_message_are_the_callers_fault(stub):
    for broken in (stub.raw(b"\xff\xff"), stub.raw_chat(iter([b"\xff\xff"]))):
        error = await first_error(broken)
        assert type(error) is InvalidArgumentError
        assert error.reason == "MESSAGE_MALFORMED"


async def test_a_message_over_the_limit_is_refused(probe):
    async with probing(probe) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.unary(text("x" * (9 << 20)))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await finish(call(stub, "unary", "x" * (7 << 20))) == ["x" * (7 << 20)]


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_callers_request_id_comes_back(stub, shape):
    running = call(stub, shape, "a", metadata=(("x-request-id", "line-42"),))
    await finish(running)

    assert dict(await running.trailing_metadata())["x-request-id"] == "line-42"
    if shape != "writer":  # a handler that writes by itself owns its initial metadata
        assert dict(await running.initial_metadata())["x-request-id"] == "line-42"


async def test_the_handler_and_the_log_know_the_request_id(stub, caplog):
    assert await finish(call(stub, "unary", "id", metadata=(("x-request-id", "line-42"),))) == [
        "line-42"
    ]


@pytest.mark.parametrize("offered", ["", "with space", "x" * 129])
async def test_an_unfit_request_id_is_replaced(stub, offered):
    (used,) = await finish(call(stub, "unary", "id", metadata=(("x-request-id", offered),)))

    assert len(used) == 36


async def test_an_error_carries_the_request_id(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.unary(text("invalid"), metadata=(("x-request-id", "line-42"),))

    assert dict(caught.value.trailing_metadata())["x-request-id"] == "line-42"


@pytest.mark.parametrize("shape", ["repeat", "chat", "writer"])
@pytest.mark.parametrize("way", ["cancel", "deadline"])
async def test_a_stream_is_cleaned_up_when_its_caller_goes(
    stub, probe, caplog, endings, shape, way
):
    running = call(stub, shape, "wait", timeout=0.3 if way == "deadline" else None)
    await probe.entered.wait()
    if way == "cancel":
        running.cancel()
    await probe.closed.wait()
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
        await finish(running)

    assert await endings.get() == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_a_generator_stuck_in_a_write_is_closed_when_its_caller_goes(
    stub, probe, caplog, endings
):
    running = call(stub, "repeat", "flood")
    for _ in range(5):
        await running.read()
    assert not probe.closed.is_set()
    running.cancel()
    await probe.closed.wait()

    assert await endings.get() == "CANCELLED"
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_a_handler_waiting_for_requests_is_closed_when_its_caller_goes(
    stub, probe, caplog, endings
):
    running = stub.chat()
    await running.write(text("a"))
    await running.read()
    running.cancel()
    await probe.closed.wait()

    assert await endings.get() == "CANCELLED"
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_calls_are_counted(probe):
    server = Server(ProbeSettings(), build_with(Probe()))
    await server.start()
    async with connect(server.address) as peer:
        stub = ProbeStub(peer.channel)
        await stub.unary(text("a"))
        await first_error(stub.unary(text("invalid")))
    value = server.context.metrics.registry.get_sample_value
    method = f"{NAME}/Unary"
    await server.stop()

    assert value("kuchipaku_probe_rpcs_started_total", {"method": method}) == 2
    for code in ("OK", "INVALID_ARGUMENT"):
        labels = {"method": method, "code": code}
        assert value("kuchipaku_probe_rpcs_handled_total", labels) == 1
    assert value("kuchipaku_probe_rpcs_in_progress", {"method": method}) == 0
    assert value("kuchipaku_probe_rpc_duration_seconds_count", {"method": method}) == 2
