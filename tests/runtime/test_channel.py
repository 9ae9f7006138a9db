from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kuchipaku.errors import from_rich_status
from kuchipaku_contract import (
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    KuchipakuError,
    NotFoundError,
    ResourceExhaustedError,
    StatusCode,
    UnauthenticatedError,
    UnavailableError,
    error_class_for,
    restore_error,
)
from kuchipaku_runtime import ChannelSettings, Service, connect, serving, translate_rpc_error
from kuchipaku_runtime.request import request_id_var
from kuchipaku_runtime.status import to_rich_status
from tests.runtime.probe import (
    NAME,
    Probe,
    ProbeSettings,
    ProbeStub,
    add_probe,
    build_with,
    first_error,
    probing,
    text,
)

CODES = [code for code in StatusCode if error_class_for(code).code == code]


def rpc_error(code: grpc.StatusCode, details: str = "internals") -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, details)


@settings(deadline=None)
@given(
    code=st.sampled_from(CODES),
    message=st.text(max_size=1000),
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", fullmatch=True),
    field=st.none() | st.text(max_size=200),
    wait=st.none() | st.floats(0, 1e6),
    metadata=st.dictionaries(st.text(max_size=50), st.text(max_size=200), max_size=12),
)
def test_errors_keep_everything_on_the_wire(code, message, reason, field, wait, metadata):
    error = restore_error(
        error_class_for(code),
        message,
        reason=reason,
        field=field,
        retry_after_s=wait,
        metadata=metadata,
    )
    status = Status.FromString(to_rich_status(error).SerializeToString())
    back = from_rich_status(status)

    assert type(back) is type(error)
    assert (back.message, back.reason, back.field) == (message, reason, field)
    assert back.metadata == metadata
    assert back.retry_after_s == (wait if wait is None else pytest.approx(wait, abs=1e-9))


def test_errors_stay_within_what_trailers_hold():
    metadata = {f"key{number}": "v" * 100_000 for number in range(100)}
    error = InvalidArgumentError("m" * 100_000, field="f" * 100_000, **metadata)

    assert len(to_rich_status(error).SerializeToString()) < 8000


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_foreign_details_do_not_disturb(data):
    try:
        status = Status.FromString(data)
    except Exception:
        return
    assert from_rich_status(status) is None or isinstance(from_rich_status(status), KuchipakuError)


@pytest.mark.parametrize(
    ("code", "expected", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, UnavailableError, "PEER_UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError, "PEER_DEADLINE_EXCEEDED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ResourceExhaustedError, "PEER_RESOURCE_EXHAUSTED"),
        (grpc.StatusCode.UNAUTHENTICATED, InternalError, "PEER_REFUSED"),
        (grpc.StatusCode.PERMISSION_DENIED, InternalError, "PEER_REFUSED"),
        (grpc.StatusCode.UNKNOWN, InternalError, "PEER_FAILED"),
        (grpc.StatusCode.UNIMPLEMENTED, InternalError, "PEER_FAILED"),
        (grpc.StatusCode.NOT_FOUND, InternalError, "PEER_FAILED"),
    ],
)
def test_what_grpc_itself_reports_is_translated_without_internals(code, expected, reason):
    error = translate_rpc_error(rpc_error(code), peer="pose")

    assert type(error) is expected
    assert error.reason == reason
    assert error.metadata["peer"] == "pose"
    assert "internals" not in error.message


class Gateway(Probe):
    """Passes every call on to a peer and lets its errors escape."""

    def __init__(self, peer) -> None:
        super().__init__()
        self.peer = peer
        self.stub = ProbeStub(peer.channel)

    async def unary(self, request, context):
        return await self.stub.unary(request, **self.peer.options(context))


async def through_gateway(value: str, **options):
    async with serving(ProbeSettings(), build_with(Probe())) as behind, connect(behind) as peer:

        async def build(context):
            return [Service(NAME, Gateway(peer), add_probe)]

        async with (
            serving(ProbeSettings(), build) as address,
            connect(address) as front,
        ):
            return (await ProbeStub(front.channel).unary(text(value), **options)).value


async def test_a_peers_error_passes_a_gateway_unchanged():
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await through_gateway("invalid")
    error = translate_rpc_error(caught.value)

    assert type(error) is InvalidArgumentError
    assert (error.message, error.reason) == ("No such rate.", "FPS_RANGE")
    assert (error.field, error.metadata) == ("config.fps", {"fps": "99"})


async def test_the_request_id_reaches_the_peer():
    assert await through_gateway("id", metadata=(("x-request-id", "line-42"),)) == "line-42"


async def test_the_deadline_reaches_the_peer():
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await through_gateway("wait", timeout=0.4)
    # The gateway's own call ends a margin before its caller's, so that the caller hears why.
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert translate_rpc_error(caught.value).reason == "PEER_DEADLINE_EXCEEDED"


class _Context:
    def __init__(self, remaining: float | None) -> None:
        self._remaining = remaining

    def time_remaining(self) -> float | None:
        return self._remaining


async def test_options_of_a_call():
    async with connect("127.0.0.1:1", ChannelSettings(api_key=SecretStr("the-key"))) as peer:
        assert peer.options()["timeout"] is None
        assert peer.options(timeout_s=3)["timeout"] == 3
        assert peer.options(_Context(None), timeout_s=3)["timeout"] == 3
        assert peer.options(_Context(10), timeout_s=3)["timeout"] == 3
        assert peer.options(_Context(2), timeout_s=3)["timeout"] == pytest.approx(1.95)
        with pytest.raises(DeadlineExceededError):
            peer.options(_Context(0.01))
        token = request_id_var.set("line-42")
        assert peer.options()["metadata"] == (
            ("x-request-id", "line-42"),
            ("authorization", "Bearer the-key"),
        )
        request_id_var.reset(token)


async def test_waiting_for_a_peer_ends():
    async with connect("127.0.0.1:1", name="pose") as peer:
        with pytest.raises(UnavailableError, match="pose") as caught:
            await peer.wait_ready(0.05)
    assert caught.value.reason == "PEER_UNAVAILABLE"


async def test_a_peer_that_is_there_is_ready(probe):
    async with serving(ProbeSettings(), build_with(probe)) as address, connect(address) as peer:
        await peer.wait_ready()
        assert await peer.check() == "SERVING"


async def test_a_restarted_peer_is_found_again(probe, tmp_path):
    settings = ProbeSettings(address=f"unix:{tmp_path}/probe.sock")
    async with connect(settings.address) as peer:
        stub = ProbeStub(peer.channel)
        async with serving(settings, build_with(probe)):
            assert (await stub.unary(text("a"))).value == "a"
        assert type(await first_error(stub.unary(text("a")))) is UnavailableError
        async with serving(settings, build_with(Probe())):
            async with asyncio.timeout(20):
                assert (await stub.unary(text("a"), wait_for_ready=True)).value == "a"


async def test_errors_about_our_callers_rights_pass(probe):
    # Only the refusal of our own key is hidden; a peer's word about the resource is not.
    status = to_rich_status(UnauthenticatedError("x", reason="TOKEN_EXPIRED"))
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAUTHENTICATED, grpc.aio.Metadata(), trailers, "x"
    )
    assert translate_rpc_error(error).reason == "TOKEN_EXPIRED"

    async with probing(probe) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.unary(text("abort"))
    assert not isinstance(translate_rpc_error(caught.value), NotFoundError)
