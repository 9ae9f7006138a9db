"""Traces: spans that follow a call through all services, by W3C's ``traceparent`` metadata.

Off unless the settings name a collector; then OpenTelemetry sends spans there by OTLP over gRPC.
Its packages are an option of their own (``kuchipaku-runtime[tracing]``) and are loaded only then.
Where tracing is off, what a caller sends as ``traceparent`` still goes on to the services behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

TRACEPARENT: Final = "traceparent"
"""Metadata key, as https://www.w3.org/TR/trace-context/ has it."""

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1


class Span:
    """A span that is not recorded; it only remembers where it belongs."""

    def __init__(self, traceparent: str = "") -> None:
        """Belong to ``traceparent``; empty: to nothing."""
        self.traceparent = traceparent

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make calls to peers within the body children of this span."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def end(self, error: str = "") -> None:
        """End the span; ``error`` says what went wrong, if something did."""


_current: ContextVar[Span | None] = ContextVar("kuchipaku_span", default=None)


def current_traceparent() -> str:
    """Return what calls to peers carry; empty outside of any trace."""
    span = _current.get()
    return span.traceparent if span else ""


def accept_traceparent(offered: object) -> str:
    """Return the caller's traceparent where it is one, else nothing."""
    return offered if isinstance(offered, str) and _TRACEPARENT.fullmatch(offered) else ""


class Tracer(Protocol):
    """Begins spans."""

    def start(
        self,
        name: str,
        *,
        parent: str = "",
        link: str = "",
        attributes: Mapping[str, str] | None = None,
        serves: bool = False,
    ) -> Span:
        """Begin a span; without ``parent`` it begins a trace.

        ``parent`` and ``link`` are traceparents; ``serves`` marks the serving of a call.
        """

    def close(self) -> None:
        """Send what has not been sent. May block for seconds."""


class NoTracer:
    """Tracing that is off."""

    def start(
        self,
        name: str,
        *,
        parent: str = "",
        link: str = "",
        attributes: Mapping[str, str] | None = None,
        serves: bool = False,
    ) -> Span:
        """Return a span that hands the trace on."""
        return Span(parent or link)

    def close(self) -> None:
        """Do nothing."""


class _RecordedSpan(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: Any) -> None:
        own = span.get_span_context()
        flags = int(own.trace_flags) & 0xFF
        super().__init__(f"00-{own.trace_id:032x}-{own.span_id:016x}-{flags:02x}")
        self._span = span

    def end(self, error: str = "") -> None:
        if error:
            from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class OpenTelemetryTracer:
    """Sends spans to a collector, in the background."""

    def __init__(self, service: str, endpoint: str, sample_ratio: float) -> None:
        """Send to ``endpoint`` (http://host:port, or https:// with TLS).

        ``sample_ratio`` is the part of the traces begun here that is recorded; who calls decides
        for its own. Raises ValueError where OpenTelemetry is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
                ParentBased,
                TraceIdRatioBased,
            )
        except ImportError as error:
            raise ValueError(
                "traces need OpenTelemetry: install kuchipaku-runtime[tracing]"
            ) from error
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            resource=Resource.create({"service.name": f"kuchipaku-{service}"}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("kuchipaku")

    def start(
        self,
        name: str,
        *,
        parent: str = "",
        link: str = "",
        attributes: Mapping[str, str] | None = None,
        serves: bool = False,
    ) -> Span:
        """Begin a span."""
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace import (  # noqa: PLC0415
            Link,
            NonRecordingSpan,
            SpanKind,
            set_span_in_context,
        )

        context = Context()
        if parent:
            context = set_span_in_context(NonRecordingSpan(_remote(parent)), context)
        span = self._tracer.start_span(
            name,
            context=context,
            kind=SpanKind.SERVER if serves else SpanKind.INTERNAL,
            attributes=dict(attributes or {}),
            links=[Link(_remote(link))] if link else [],
        )
        return _RecordedSpan(span)

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def make_tracer(service: str, endpoint: str | None, sample_ratio: float) -> Tracer:
    """Return the tracer that the settings want. Raises ValueError, see `OpenTelemetryTracer`."""
    if endpoint is None:
        return NoTracer()
    return OpenTelemetryTracer(service, endpoint, sample_ratio)


def _remote(traceparent: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    _, trace_id, span_id, flags = traceparent.split("-")
    sampled = TraceFlags(int(flags, 16) & _SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled)
