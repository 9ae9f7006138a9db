"""CPU time and memory of a service with all its worker processes, read from Linux' /proc.

The usual process metrics tell of one process only, and the work is done in others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PROC: Final = Path("/proc")
# Fields of /proc/PID/stat behind the name, counted from 0 (proc(5) counts from 3).
_UTIME, _STIME, _CUTIME, _CSTIME, _RSS = 11, 12, 13, 14, 21


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants use."""

    cpu_s: float = 0.0
    """User and system time, that of ended children included."""
    resident_bytes: int = 0
    processes: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum."""
        return Usage(
            self.cpu_s + other.cpu_s,
            self.resident_bytes + other.resident_bytes,
            self.processes + other.processes,
        )


def usage_of(pid: int) -> Usage:
    """Return the usage of ``pid`` and its descendants; zeros where there is no /proc."""
    total = _own(pid)
    for child in _children(pid):
        total += usage_of(child)
    return total


class UsageCollector(Collector):
    """Exports the usage of this process tree; reads it when it is asked for."""

    def __init__(self, prefix: str) -> None:
        """``prefix`` begins the names, as ``kuchipaku_pose_``."""
        self._prefix = prefix

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, none where the system does not tell."""
        usage = usage_of(os.getpid())
        if usage.processes:
            values = (usage.cpu_s, usage.resident_bytes, usage.processes)
            for (name, kind, _, help_text), value in zip(self.rows(), values, strict=True):
                family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                yield family(name.removesuffix("_total"), help_text, value=value)

    def rows(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        """Return name, kind, labels and help of each metric."""
        memory = "Resident memory of the service and its workers; shared pages count for each."
        return [
            (f"{self._prefix}cpu_seconds_total", "counter", (), "CPU time, that of workers too."),
            (f"{self._prefix}resident_memory_bytes", "gauge", (), memory),
            (f"{self._prefix}processes", "gauge", (), "The service and its workers."),
        ]


def _own(pid: int) -> Usage:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # ended meanwhile, or no Linux
        return Usage()
    # The name stands in brackets and may hold anything, brackets too.
    fields = text[text.rindex(")") + 2 :].split()
    ticks = sum(int(fields[at]) for at in (_UTIME, _STIME, _CUTIME, _CSTIME))
    return Usage(
        ticks / os.sysconf("SC_CLK_TCK"), int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE"), 1
    )


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            children += map(int, (task / "children").read_text(encoding="ascii").split())
    except OSError:
        return children
    return children
