"""Calls from one service to another: channel, credentials, request id and deadline."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypedDict

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from kuchipaku_contract import DeadlineExceededError, UnavailableError
from kuchipaku_runtime.request import REQUEST_ID_METADATA, current_request_id
from kuchipaku_runtime.security import channel_credentials
from kuchipaku_runtime.settings import ChannelSettings
from kuchipaku_runtime.tracing import TRACEPARENT, current_traceparent

_CHECK: Final = "/grpc.health.v1.Health/Check"


class HasDeadline(Protocol):
    """The part of a servicer's context that `Peer.options` needs."""

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline; None without one."""


class CallOptions(TypedDict):
    """Keyword arguments of a stub's method."""

    metadata: tuple[tuple[str, str], ...]
    timeout: float | None


class Peer:
    """A channel to a peer and what each call on it needs. Made by `connect`; close it.

    Usage::

        async with connect("127.0.0.1:50052", settings.peers, name="pose") as pose:
            stub = PoseServiceStub(pose.channel)
            call = stub.Animate(requests, **pose.options(context))
    """

    def __init__(self, address: str, settings: ChannelSettings, name: str) -> None:
        self.address = address
        self.name = name
        self._api_key = settings.api_key
        options = channel_options(settings)
        credentials = channel_credentials(settings)
        self.channel: grpc.aio.Channel = (
            grpc.aio.insecure_channel(address, options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options)
        )

    def options(
        self,
        context: HasDeadline | None = None,
        *,
        timeout_s: float | None = None,
        margin_s: float = 0.05,
    ) -> CallOptions:
        """Return metadata (request id, trace, API key) and timeout for one call.

        The timeout is the shorter of ``timeout_s`` and what remains of the deadline of the call
        being served, less ``margin_s`` to report a failure in time. Raises
        DeadlineExceededError when nothing remains.
        """
        metadata = []
        if request_id := current_request_id():
            metadata.append((REQUEST_ID_METADATA, request_id))
        if traceparent := current_traceparent():
            metadata.append((TRACEPARENT, traceparent))
        if self._api_key is not None:
            metadata.append(("authorization", f"Bearer {self._api_key.get_secret_value()}"))
        remaining = context.time_remaining() if context is not None else None
        if remaining is not None:
            remaining -= margin_s
            if remaining <= 0:
                raise DeadlineExceededError("No time is left.", reason="DEADLINE_PASSED")
            timeout_s = remaining if timeout_s is None else min(timeout_s, remaining)
        return CallOptions(metadata=tuple(metadata), timeout=timeout_s)

    async def check(self, service: str = "", *, timeout_s: float = 5.0) -> str:
        """Ask the peer's health; return ``SERVING``, ``NOT_SERVING`` or ``SERVICE_UNKNOWN``.

        Raises grpc.aio.AioRpcError when the peer does not answer.
        """
        method = self.channel.unary_unary(
            _CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = await method(request, **self.options(timeout_s=timeout_s))
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return "SERVICE_UNKNOWN"
            raise
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    async def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait until the connection stands. Raises UnavailableError after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.channel.channel_ready()
        except TimeoutError:
            raise UnavailableError(
                f"The {self.name} service cannot be reached.",
                reason="PEER_UNAVAILABLE",
                peer=self.name,
            ) from None

    async def close(self) -> None:
        """Close the channel; calls on it are cancelled."""
        await self.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def connect(address: str, settings: ChannelSettings | None = None, *, name: str = "peer") -> Peer:
    """Return a peer at ``address``: host:port, unix:/path or dns:///name:port.

    Connects at the first call. ``name`` is how errors call the peer. Raises OSError when a TLS
    file cannot be read. Needs a running event loop.
    """
    return Peer(address, settings or ChannelSettings(), name)


def channel_options(settings: ChannelSettings) -> list[tuple[str, Any]]:
    """Return gRPC's options for a channel."""
    service_config: dict[str, Any] = {"loadBalancingConfig": [{settings.load_balancing: {}}]}
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.keepalive_time_ms", round(settings.keepalive_time_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(settings.keepalive_timeout_s * 1000)),
        ("grpc.service_config", json.dumps(service_config)),
        # A peer that restarts is back within seconds, not within gRPC's two minutes.
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.initial_reconnect_backoff_ms", 200),
    ]
    if settings.tls_server_name is not None:
        options.append(("grpc.ssl_target_name_override", settings.tls_server_name))
    return options
