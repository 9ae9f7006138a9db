"""A gRPC server with its whole life: bind, serve, drain, stop.

`Server` is the mechanism, `serving` runs one inside another program or a test; the command of a
service goes through `kuchipaku_runtime.main`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kuchipaku_runtime.activity import Activity
from kuchipaku_runtime.address import Address
from kuchipaku_runtime.interceptor import CallInterceptor
from kuchipaku_runtime.metrics import Metrics, MetricsServer
from kuchipaku_runtime.security import ApiKeys, server_credentials
from kuchipaku_runtime.settings import ServiceSettings
from kuchipaku_runtime.tracing import NoTracer, Tracer, make_tracer

_LOG = logging.getLogger(__name__)
# What is left at the end are statuses of ended calls on their way to slow clients.
_FLUSH_S: Final = 2.0

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Service:
    """One gRPC service of a server.

    Usage::

        Service(
            pose_service_pb2.DESCRIPTOR.services_by_name["PoseService"],
            PoseServicer(...),
            add_PoseServiceServicer_to_server,
        )
    """

    descriptor: ServiceDescriptor | str
    """Descriptor or full name, as ``kuchipaku.pose.v1.PoseService``."""
    servicer: Any
    add_to_server: Callable[[Any, Any], None]
    """The generated ``add_XServicer_to_server``."""

    @property
    def full_name(self) -> str:
        """Full name of the service."""
        return self.descriptor if isinstance(self.descriptor, str) else self.descriptor.full_name


@dataclass(slots=True)
class ServiceContext(Generic[S]):
    """What a service is built from."""

    settings: S
    metrics: Metrics
    tracer: Tracer = field(default_factory=NoTracer)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _failed: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Open a resource (worker pool, channel) that is closed after the server has stopped."""
        return await self._stack.enter_async_context(resource)

    async def enter_both(
        self, one: AbstractAsyncContextManager[T], other: AbstractAsyncContextManager[U]
    ) -> tuple[T, U]:
        """As `enter`, two at the same time: starting processes is mostly waiting for them."""
        entries = asyncio.create_task(self.enter(one)), asyncio.create_task(self.enter(other))
        try:
            return await asyncio.gather(*entries)
        except BaseException:
            for entry in entries:
                entry.cancel()
            await asyncio.gather(*entries, return_exceptions=True)
            raise

    def on_stop(self, callback: Callable[[], Awaitable[object]]) -> None:
        """Await ``callback()`` after the server has stopped; last registered, first called."""
        self._stack.push_async_callback(callback)

    def give_up(self, reason: str) -> None:
        """Drain and end with failure, as after a device fault that only a restart cures."""
        _LOG.error("giving up: %s", reason)
        self._failed.set()


Build = Callable[[ServiceContext[S]], Awaitable[Sequence[Service]]]


class Server(Generic[S]):
    """One server. Call `start`, then `drain` and `stop`; see `serving` for the usual way."""

    def __init__(self, settings: S, build: Build[S]) -> None:
        self._settings = settings
        self._build = build
        self._bound = Address.parse(settings.address)
        self._claimed = False
        self._activity = Activity()
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._metrics_server: MetricsServer | None = None
        name = settings.service_name()
        self._tracer = make_tracer(name, settings.tracing_endpoint, settings.tracing_sample_ratio)
        self.context = ServiceContext(settings, Metrics(name), self._tracer)

    @property
    def address(self) -> str:
        """Address in use, with the real port; valid after `start`."""
        return str(self._bound)

    @property
    def metrics_address(self) -> str | None:
        """Address of the metrics over HTTP, with the real port; None when they are off."""
        return self._metrics_server.address if self._metrics_server else None

    @property
    def running_calls(self) -> int:
        """Calls in progress, health checks and reflection not counted."""
        return self._activity.running

    async def start(self) -> None:
        """Build the services and serve them. Raises what `build` raises, OSError, ValueError."""
        try:
            services = await self._build(self.context)
            self.context.metrics.add_process_metrics()
            if self._settings.metrics_address is not None:
                self._metrics_server = MetricsServer(
                    self._settings.metrics_address, self.context.metrics
                )
            self._server = self._make_server()
            names = await self._add_services(self._server, services)
            self._bind(self._server)
            await self._server.start()
        except BaseException:
            await self.stop()
            raise
        _LOG.info("serving", extra={"address": self.address, "services": names})

    async def wait_failed(self) -> None:
        """Wait until the service itself gives up."""
        await self.context._failed.wait()

    async def drain(self, timeout_s: float | None = None) -> bool:
        """Refuse new calls and let running ones finish; health says NOT_SERVING from now on.

        Returns whether all finished within ``timeout_s`` (by default the setting).
        """
        limit = self._settings.drain_timeout_s if timeout_s is None else timeout_s
        await self._health.enter_graceful_shutdown()
        self._activity.draining = True
        _LOG.info("draining", extra={"running": self._activity.running, "timeout_s": limit})
        try:
            async with asyncio.timeout(limit):
                await self._activity.wait_idle()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> int:
        """Cut off what still runs, close everything; return the number of calls cut off."""
        cut = self._activity.cut()
        if cut:
            _LOG.warning("calls cut off", extra={"running": cut})
        if self._server is not None:
            await self._server.stop(_FLUSH_S)
            self._server = None
        if self._claimed:
            self._bound.release()
        if self._metrics_server is not None:
            await asyncio.to_thread(self._metrics_server.close)
            self._metrics_server = None
        await self.context._stack.aclose()
        await asyncio.to_thread(self._tracer.close)
        return cut

    def _make_server(self) -> grpc.aio.Server:
        keys = ApiKeys.from_settings(self._settings)
        if keys and self._settings.tls_certificate_file is None and not self._bound.is_local:
            _LOG.warning("API keys travel in the clear: TLS is off")
        interceptor = CallInterceptor(self.context.metrics, keys, self._activity, self._tracer)
        # The stubs know only the interceptor of the blocking API.
        interceptors: Any = (interceptor,)
        return grpc.aio.server(interceptors=interceptors, options=server_options(self._settings))

    async def _add_services(
        self, server: grpc.aio.Server, services: Sequence[Service]
    ) -> list[str]:
        names = []
        for service in services:
            service.add_to_server(service.servicer, server)
            await self._health.set(service.full_name, health_pb2.HealthCheckResponse.SERVING)
            names.append(service.full_name)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.reflection:
            shown = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(shown, server)
        return names

    def _bind(self, server: grpc.aio.Server) -> None:
        self._bound.claim()
        self._claimed = True
        credentials = server_credentials(self._settings)
        try:
            if credentials is None:
                port = server.add_insecure_port(self.address)
            else:
                port = server.add_secure_port(self.address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self.address}: {error}") from error
        if self._bound.path is None:
            self._bound = self._bound.with_port(port)


def server_options(settings: ServiceSettings) -> list[tuple[str, Any]]:
    """Return gRPC's options for a server.

    ``maximum_concurrent_rpcs`` stays unset on purpose: it would refuse health checks too.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.keepalive_time_ms", _ms(settings.keepalive_time_s)),
        ("grpc.keepalive_timeout_ms", _ms(settings.keepalive_timeout_s)),
        ("grpc.keepalive_permit_without_calls", 1),
        # Named unlike its constant in C, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS;
        # unknown names are ignored, and five minutes would end every quiet stream that is kept
        # alive.
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(settings.ping_interval_min_s)),
        # Without this a second server would share the port in silence.
        ("grpc.so_reuseport", 0),
    ]
    if settings.max_connection_age_s is not None:
        options.append(("grpc.max_connection_age_ms", _ms(settings.max_connection_age_s)))
    if settings.max_connection_age_grace_s is not None:
        grace = _ms(settings.max_connection_age_grace_s)
        options.append(("grpc.max_connection_age_grace_ms", grace))
    return options


@asynccontextmanager
async def serving(settings: S, build: Build[S]) -> AsyncIterator[str]:
    """Serve inside this program; yields the address. Leaving cuts off what still runs.

    Usage::

        async with serving(PoseSettings(address="127.0.0.1:0"), build) as address:
            async with connect(address) as peer: ...
    """
    server = Server(settings, build)
    await server.start()
    try:
        yield server.address
    finally:
        await server.stop()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
