"""Write docs/metrics.md: every metric of every service, as a server that has been built tells.

python scripts/metrics.py            write
python scripts/metrics.py --check    fail where the page is out of date
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from kuchipaku_runtime import Server
from kuchipaku_runtime.metrics import MetricRow

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "metrics.md"
SERVICES = ("gateway", "imagegen", "pose", "lipsync", "compositor")
_LEAN = {"lipsync": {"workers": 1, "preload": False}, "pose": {"workers": 1}}
_QUESTIONS = (
    ("time to the first frame of a line", "gateway_time_to_first_frame_seconds"),
    ("time between frames", "gateway_frame_interval_seconds"),
    ("lateness of live frames", "pose_frame_lateness_seconds"),
    ("frames given up", 'pose_frames_total{outcome="dropped"}'),
    ("waiting for a renderer", "pose_queue_wait_seconds"),
    ("live frames late for want of one", 'pose_queue_overdue_seconds{kind="live"}'),
    ("waiting for capacity", "*_admission_wait_seconds"),
    ("batch size; over `max_batch` its fill", "pose_batch_frames"),
    ("cache hits by stage", "pose_stage_uses_total"),
    ("time by stage", "pose_stage_seconds_total"),
    ("active sessions", 'gateway_admission_used{admission="sessions"}'),
    ("refusals by reason", "*_admission_refused_total"),
    ("bytes by encoding", "pose_frame_bytes_total"),
    ("CPU time, workers included", "*_cpu_seconds_total"),
    ("memory, workers included", "*_resident_memory_bytes"),
)
_INTRODUCTION = """# Metrics

Prometheus text format over HTTP at `metrics_address` (off by default), path `/metrics`. Names
begin with `kuchipaku_<service>_`, units are base units, label values come from closed sets. Every
service also exports the process, platform and garbage collector metrics of the Prometheus client.
A dashboard for Grafana and alert rules lie in `deploy/k8s/components/prometheus`.

`python scripts/metrics.py` writes this page; a test compares it with what running services export.

| question | metric |
|---|---|
"""


@asynccontextmanager
async def built_servers() -> AsyncIterator[Mapping[str, Server[Any]]]:
    """All five services in this process, on sockets, with metrics on free ports."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers: dict[str, Server[Any]] = {}
        for name in SERVICES:
            module = importlib.import_module(f"kuchipaku_{name}.settings")
            settings_type = getattr(module, f"{name.capitalize()}Settings")
            values = {
                "address": f"unix:{folder / name}.sock",
                "metrics_address": "127.0.0.1:0",
                **_LEAN.get(name, {}),
            }
            if name == "gateway":
                values["store_url"] = (folder / "store").as_uri()
            build = importlib.import_module(f"kuchipaku_{name}.service").build
            server = Server(settings_type(**values), build)
            await server.start()
            stack.push_async_callback(server.stop)
            servers[name] = server
        yield servers


async def collect() -> dict[str, list[MetricRow]]:
    """The metrics of each service."""
    async with built_servers() as servers:
        return {name: server.context.metrics.rows for name, server in servers.items()}


def page(metrics: Mapping[str, Sequence[MetricRow]]) -> str:
    """The page's text. Metrics that all services have come once, with `<service>` in the name."""
    named = {
        service: {row.name.removeprefix(f"kuchipaku_{service}_"): row for row in rows}
        for service, rows in metrics.items()
    }
    common = set.intersection(*(set(rows) for rows in named.values()))
    any_service = next(iter(named.values()))
    questions = "".join(f"| {asked} | `kuchipaku_{name}` |\n" for asked, name in _QUESTIONS)
    parts = [_INTRODUCTION + questions, "## Every service\n"]
    parts += _table(
        [
            (f"kuchipaku_<service>_{name}", row)
            for name, row in any_service.items()
            if name in common
        ]
    )
    for service, rows in named.items():
        own = [(row.name, row) for name, row in rows.items() if name not in common]
        if own:
            parts += [f"\n## {service}\n", *_table(own)]
    return "\n".join(parts) + "\n"


def _table(rows: Sequence[tuple[str, MetricRow]]) -> list[str]:
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for name, row in rows:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{name}` | {row.kind} | {labels} | {row.help_text} |")
    return lines


def main() -> int:
    """Write or check the page."""
    text = page(asyncio.run(collect()))
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/metrics.md is out of date: python scripts/metrics.py")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
