"""A collector of traces, as far as a test needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest

service = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    reason="OpenTelemetry is not installed",
)


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it arrived."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    links: tuple[str, ...]
    failed: bool
    attributes: dict[str, str]


@dataclass(slots=True)
class Collector:
    """Takes spans by OTLP over gRPC."""

    address: str = ""
    spans: list[SeenSpan] = field(default_factory=list)

    def export(self, request: Any) -> None:
        """Take one request in."""
        for resource in request.resource_spans:
            attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
            self.spans += [
                _seen(attributes["service.name"], span)
                for scope in resource.scope_spans
                for span in scope.spans
            ]


def _seen(name: str, span: Any) -> SeenSpan:
    return SeenSpan(
        name,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple(link.trace_id.hex() for link in span.links),
        span.status.code == 2,
        {a.key: a.value.string_value for a in span.attributes},
    )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector on a free port of loopback."""
    collector = Collector()

    async def export(request: Any, _context: Any) -> Any:
        collector.export(request)
        return service.ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        service.ExportTraceServiceRequest.FromString,
        service.ExportTraceServiceResponse.SerializeToString,
    )
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"Export": handler}),)
    )
    collector.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
