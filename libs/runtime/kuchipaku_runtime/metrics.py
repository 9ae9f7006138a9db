"""Prometheus metrics, named ``kuchipaku_<service>_...`` in base units.

A server owns its registry, so that several servers in one process (tests, embedding) do not
mix. Label values come from closed sets; ids and texts never become labels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from kuchipaku_runtime.address import Address
from kuchipaku_runtime.usage import UsageCollector

G = TypeVar("G")

SECONDS_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
"""Buckets from a millisecond to five minutes."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric, for documentation."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    labels: tuple[str, ...]
    help_text: str


class Metrics:
    """Makes the metrics of one service.

    Usage::

        metrics = Metrics("pose")
        frames = metrics.counter("frames_total", "Frames rendered.", ("cache",))
        frames.labels("hit").inc()      # kuchipaku_pose_frames_total{cache="hit"}
    """

    def __init__(self, service: str, registry: CollectorRegistry | None = None) -> None:
        self.service = service
        self.registry = registry or CollectorRegistry(auto_describe=True)
        self.rows: list[MetricRow] = []
        """What has been made, in order."""
        self._groups: dict[Callable[[Metrics], Any], Any] = {}

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter; ``name`` ends in ``_total``."""
        full_name = self._note("counter", name, help_text, labels)
        return Counter(full_name, help_text, labels, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge."""
        full_name = self._note("gauge", name, help_text, labels)
        return Gauge(full_name, help_text, labels, registry=self.registry)

    def histogram(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = SECONDS_BUCKETS,
    ) -> Histogram:
        """Make a histogram; ``name`` ends in the unit, as ``_seconds`` or ``_bytes``."""
        full_name = self._note("histogram", name, help_text, labels)
        return Histogram(full_name, help_text, labels, registry=self.registry, buckets=buckets)

    def add_process_metrics(self) -> None:
        """Add memory, CPU time and garbage collection of this process, and its workers' use."""
        usage = UsageCollector(self._name(""))
        self.registry.register(usage)
        self.rows += [MetricRow(*row) for row in usage.rows()]
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def group(self, make: Callable[[Metrics], G]) -> G:
        """Return the metrics that ``make`` makes, the same ones at every call."""
        if make not in self._groups:
            self._groups[make] = make(self)
        group: G = self._groups[make]
        return group

    def _note(self, kind: str, name: str, help_text: str, labels: Sequence[str]) -> str:
        full_name = self._name(name)
        self.rows.append(MetricRow(full_name, kind, tuple(labels), help_text))
        return full_name

    def _name(self, name: str) -> str:
        return f"kuchipaku_{self.service}_{name}"


class MetricsServer:
    """Serves a registry over HTTP in a thread of its own until closed."""

    def __init__(self, address: str, metrics: Metrics) -> None:
        """Listen on ``address`` (host:port). Raises OSError when that cannot be had."""
        wanted = Address.parse(address)
        if wanted.host is None:
            raise ValueError("metrics need a host:port address")
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(
            wanted.port, wanted.host, registry=metrics.registry
        )
        self.address = str(wanted.with_port(self._server.server_port))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
