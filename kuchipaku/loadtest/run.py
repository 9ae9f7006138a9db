"""One run of a load test, from the first character to the figures."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .cast import begin_times, characters_for, make_lines, make_specs
from .figures import Figures, figures_of
from .generator import generate
from .plan import LoadPlan, Mix
from .rehearsal import rehearse, repertoire
from .scrape import scrape
from .speech import Speech
from .usage import MemorySample, PoseUsage, ServiceUsage, memory_of, pose_usage, usage_of

_MAX_PROCESSES_LAG_S = 0.010
_MEMORY_SAMPLES = 10
_LONG_RUN_S = 60.0
"""A run of this length shows whether the services' memory grows."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run took place."""

    system: str
    processor: str
    cores: int

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        allowed = getattr(os, "sched_getaffinity", None)
        cores = len(allowed(0)) if allowed else os.cpu_count() or 1
        return cls(platform.platform(), _processor(), cores)


@dataclass(frozen=True, slots=True)
class Result:
    """One run and what it showed."""

    plan: LoadPlan
    figures: Figures
    services: Mapping[str, ServiceUsage]
    pose: PoseUsage | None
    begun: str
    """RFC 3339, UTC."""
    machine: Machine = field(default_factory=Machine.here)
    memory: tuple[MemorySample, ...] = ()
    """At the beginning, in between where the run is long, and at the end."""

    @property
    def sessions_per_core(self) -> float:
        """Admitted sessions by cores of this machine."""
        return self.figures.admitted / self.machine.cores

    @property
    def cpu_s_per_session_s(self) -> float | None:
        """CPU-seconds that all services together spend for a second of a session."""
        parts = [service.cpu_s_per_session_s for service in self.services.values()]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None

    @property
    def generator_lags(self) -> bool:
        """Whether the generator itself was so late that the figures are in doubt."""
        lag = self.figures.send_lag_s.p99 or self.figures.loop_lag_s.p99 or 0.0
        return lag > _MAX_PROCESSES_LAG_S

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON types; without the API key."""
        data = asdict(self)
        del data["plan"]["api_key"]
        data["sessions_per_core"] = self.sessions_per_core
        data["cpu_s_per_session_s"] = self.cpu_s_per_session_s
        data["generator_lags"] = self.generator_lags
        return data


async def run_load(plan: LoadPlan, speech: Speech, metrics: Mapping[str, str]) -> Result:
    """Run a plan. `metrics` are the services' metrics addresses by name; it may be empty.

    Raises `KuchipakuError` when no character can be made, OSError when metrics do not answer.
    """
    count = len(begin_times(plan))
    lines = await asyncio.to_thread(make_lines, plan, speech, count)
    async with characters_for(plan, count) as characters:
        if plan.mix is Mix.CROWD and plan.rehearsed:
            await rehearse(plan, repertoire(make_specs(plan, lines, characters)))
        before = await scrape(metrics)
        begun = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        specs = make_specs(plan, lines, characters)
        start = min((spec.begin_at for spec in specs), default=time.monotonic())
        memory = [memory_of(0.0, before)] if metrics else []
        watching = asyncio.create_task(_watch_memory(plan, metrics, start, memory))
        try:
            record = await generate(plan, specs)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        after = await scrape(metrics)
        if metrics:
            memory.append(memory_of(time.monotonic() - start, after))
    figures = figures_of(plan, record, start)
    services = usage_of(before, after, figures.session_seconds)
    pose = pose_usage(before["pose"], after["pose"]) if "pose" in after else None
    return Result(plan, figures, services, pose, begun, memory=tuple(memory))


async def _watch_memory(
    plan: LoadPlan, metrics: Mapping[str, str], start: float, memory: list[MemorySample]
) -> None:
    if not metrics or plan.duration_s < _LONG_RUN_S:
        return
    for number in range(1, _MEMORY_SAMPLES):
        at_s = plan.duration_s * number / _MEMORY_SAMPLES
        await asyncio.sleep(max(0.0, start + at_s - time.monotonic()))
        memory.append(memory_of(at_s, await scrape(metrics)))


async def run_series(
    plans: Sequence[LoadPlan], speech: Speech, metrics: Mapping[str, str]
) -> list[Result]:
    """Run plans one after the other."""
    return [await run_load(plan, speech, metrics) for plan in plans]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
