"""What the scheduler is shown to do, as figures of simulations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec

from tests.pose.simulation import (
    FPS,
    Bulk,
    CostUnit,
    Live,
    Simulation,
    cpu,
    fairness,
    fill,
    gpu,
    longest_gap,
    percentile,
)

P = ParamSpec("P")

SECONDS = 5.0


@dataclass(frozen=True)
class Figures:
    """The outcome of one scenario; what does not apply is None."""

    fill: float
    """Frames of a run, mean."""
    frames_per_s: float
    on_time: float | None = None
    """Share of live frames finished by their due time."""
    shed: float | None = None
    """Share of live frames dropped unfinished."""
    late: float | None = None
    """Share of live frames finished after their due time."""
    p99_ms: float | None = None
    """Time from asking to the finished frame, live streams."""
    fairness: float | None = None
    """Jain's index of frames between streams of one kind."""
    live_per_s: float | None = None
    """Live frames per second that were in time, all streams together."""
    bulk_per_s: float | None = None
    """Frames per second of the streams that are not live, all together."""
    bulk_gap_ms: float | None = None
    """Longest time in which a stream that is not live got nothing."""
    busy: float = 0.0
    """Share of the time that the device was at work."""
    longest_queue: int = 0


def _figures(
    simulation: Simulation, units: list[CostUnit], live: list[Live], bulk: list[Bulk]
) -> Figures:
    streams: list[Live | Bulk] = [*live, *bulk]
    asked = sum(stream.account.asked for stream in live)
    latencies = [value for stream in live for value in stream.account.latencies]
    finished = sum(stream.account.finished for stream in streams)
    together = max((stream.start for stream in bulk), default=0.0)
    counted = [
        float(sum(at > together for at in stream.account.finished_at))
        for stream in streams
        if isinstance(stream, Live) == bool(live)
    ]
    gaps = [longest_gap(s.account.finished_at, s.start, simulation.now) for s in bulk]
    # Frames asked for in the last moments are neither in time nor late yet.
    settled = sum(s.account.finished + s.account.shed + s.account.refused for s in live)
    assert asked - settled <= 0.3 * 60 * len(live)
    return Figures(
        fill=fill(units),
        frames_per_s=finished / simulation.now,
        on_time=sum(s.account.on_time for s in live) / settled if live else None,
        shed=sum(s.account.shed for s in live) / settled if live else None,
        late=sum(s.account.late for s in live) / settled if live else None,
        p99_ms=percentile(latencies, 0.99) * 1e3 if latencies else None,
        fairness=fairness(counted) if len(counted) > 1 else None,
        live_per_s=sum(s.account.on_time for s in live) / simulation.now if live else None,
        bulk_per_s=sum(s.account.finished for s in bulk) / simulation.now if bulk else None,
        bulk_gap_ms=max(gaps) * 1e3 if gaps else None,
        busy=simulation.utilisation,
        longest_queue=simulation.longest_queue,
    )


def _once(
    scenario: Callable[P, Coroutine[Any, Any, Figures]],
) -> Callable[P, Coroutine[Any, Any, Figures]]:
    """Simulate a scenario once, however often it is asked for: it always comes out the same."""
    known: dict[str, Figures] = {}

    @wraps(scenario)
    async def ask(*args: P.args, **options: P.kwargs) -> Figures:
        key = repr((args, sorted(options.items())))
        if key not in known:
            known[key] = await scenario(*args, **options)
        return known[key]

    return ask


@_once
async def live_on_gpu(
    streams: int, *, max_batch: int = 16, max_delay_s: float = 0.002, aligned: bool = False
) -> Figures:
    """Live streams at 25 frames per second on one GPU."""
    simulation, units = Simulation(max_delay_s=max_delay_s), gpu(max_batch)
    phases = [0.0 if aligned else i / streams / 25 for i in range(streams)]
    live = [Live(simulation, units, phase=phase) for phase in phases]
    await simulation.run(SECONDS)
    return _figures(simulation, units, live, [])


@_once
async def live_beside_bulk(streams: int, bulk_streams: int, *, window: int = 32) -> Figures:
    """Live streams, and others that take whatever is left."""
    simulation, units = Simulation(max_delay_s=0.002), gpu()
    live = [Live(simulation, units, phase=i / streams / 25) for i in range(streams)]
    bulk = [Bulk(simulation, units, window=window) for _ in range(bulk_streams)]
    await simulation.run(SECONDS)
    return _figures(simulation, units, live, bulk)


@_once
async def bulk_only(windows: list[int], *, newcomer_at: float | None = None) -> Figures:
    """Streams that ask for all they can get; the last one may come later."""
    simulation, units = Simulation(), gpu()
    starts = [0.0] * (len(windows) - 1) + [newcomer_at or 0.0]
    bulk = [
        Bulk(simulation, units, window=window, start=start)
        for window, start in zip(windows, starts, strict=True)
    ]
    await simulation.run(SECONDS)
    return _figures(simulation, units, [], bulk)


@_once
async def still_heads(streams: int) -> Figures:
    """Half the streams move only the mouth: they skip the middle stage and meet at the last."""
    simulation, units = Simulation(max_delay_s=0.002), gpu()
    stages = [units, [units[0], units[2]]]
    live = [Live(simulation, stages[i % 2], phase=i / streams / 25) for i in range(streams)]
    await simulation.run(SECONDS)
    return _figures(simulation, units, live, [])


@_once
async def live_on_cpu(streams: int, workers: int) -> Figures:
    """Live streams on a processor, one frame and one thread a run."""
    simulation, units = Simulation(devices=workers), cpu()
    live = [Live(simulation, units, phase=i / streams / 25) for i in range(streams)]
    await simulation.run(SECONDS)
    return _figures(simulation, units, live, [])


@_once
async def known_late_on_cpu(
    streams: int,
    *,
    lead_s: float,
    fps: float = FPS,
    standstills: Sequence[float] = (),
    crowd: int = 0,
    bulk_streams: int = 0,
) -> Figures:
    """Live streams whose frames are known only shortly before they are due.

    The machine stands still for 0.3 s at the times given, and for 1.5 s, from the second on, there
    are ``crowd`` streams more, which are not counted.
    """
    simulation = Simulation(devices=2, stalls=[(at, 0.3) for at in standstills])
    units = cpu()
    phases = [0.013 + i / streams / fps for i in range(streams)]
    live = [Live(simulation, units, phase=phase, fps=fps, lead_s=lead_s) for phase in phases]
    for i in range(crowd):
        Live(simulation, units, phase=2.0 + i / crowd / FPS, lead_s=lead_s, until=3.5)
    bulk = [Bulk(simulation, units, window=4) for _ in range(bulk_streams)]
    await simulation.run(4 * SECONDS)
    return _figures(simulation, units, live, bulk)


@_once
async def bulk_on_cpu(
    streams: int, bulk_streams: int, *, workers: int = 2, fps: float = FPS, window: int = 4
) -> Figures:
    """Live streams on a processor, beside others of which it serves each far too slowly."""
    simulation, units = Simulation(devices=workers), cpu()
    live = [Live(simulation, units, phase=i / streams / fps, fps=fps) for i in range(streams)]
    bulk = [Bulk(simulation, units, window=window) for _ in range(bulk_streams)]
    await simulation.run(4 * SECONDS)
    return _figures(simulation, units, live, bulk)


Scenario = Callable[[], Awaitable[Figures]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "1 live stream": lambda: live_on_gpu(1),
    "8 live streams": lambda: live_on_gpu(8),
    "24 live streams": lambda: live_on_gpu(24),
    "24 live streams, no batches": lambda: live_on_gpu(24, max_batch=1),
    "32 live streams, due at the same moments": lambda: live_on_gpu(32, aligned=True),
    "24 live streams, every second with a still head": lambda: still_heads(24),
    "60 live streams, 1.6 times what the GPU can do": lambda: live_on_gpu(60),
    "60 live streams, due at the same moments": lambda: live_on_gpu(60, aligned=True),
    "8 live streams beside 4 others": lambda: live_beside_bulk(8, 4),
    "60 live streams beside 1 other": lambda: live_beside_bulk(60, 1),
    "6 others, 32 frames under way each": lambda: bulk_only([32] * 6),
    "6 others, the last comes after 2.5 s": lambda: bulk_only([32] * 6, newcomer_at=2.5),
    "2 CPU workers, 2 live streams": lambda: live_on_cpu(2, 2),
    "2 CPU workers, 4 live streams, 1.5 times too many": lambda: live_on_cpu(4, 2),
    "2 CPU workers, 1 live stream known 0.02 s ahead": lambda: known_late_on_cpu(1, lead_s=0.02),
    "the same, the machine stands still once": lambda: known_late_on_cpu(
        1, lead_s=0.02, standstills=[2.0]
    ),
    "the same at 10 frames per second": lambda: known_late_on_cpu(
        1, lead_s=0.02, standstills=[2.0], fps=10.0
    ),
    "2 CPU workers, 1 live stream at 10 per second known 0.02 s ahead, after 4 more": lambda: (
        known_late_on_cpu(1, lead_s=0.02, crowd=4, fps=10.0)
    ),
    "2 CPU workers, 4 live streams known 0.02 s ahead": lambda: known_late_on_cpu(4, lead_s=0.02),
    "2 CPU workers, 1 live stream beside 2 others": lambda: bulk_on_cpu(1, 2),
    "2 CPU workers, 1 live stream beside 7 others": lambda: bulk_on_cpu(1, 7),
    "2 CPU workers, 1 live stream beside 8 others": lambda: bulk_on_cpu(1, 8),
    "the same, live frames at 7 per second": lambda: bulk_on_cpu(1, 8, fps=7.0),
    "the same, live frames at 2 per second": lambda: bulk_on_cpu(1, 8, fps=2.0),
    "2 CPU workers, 1 live stream at 2 per second beside 16 others": lambda: bulk_on_cpu(
        1, 16, fps=2.0
    ),
    "2 CPU workers, 4 live streams beside 8 others": lambda: bulk_on_cpu(4, 8),
    "8 CPU workers, 1 live stream beside 20 others": lambda: bulk_on_cpu(
        1, 20, workers=8, window=16
    ),
}

COLUMNS: Final = (
    ("frames/s", "frames_per_s", "{:.0f}"),
    ("fill", "fill", "{:.1f}"),
    ("busy", "busy", "{:.0%}"),
    ("on time", "on_time", "{:.1%}"),
    ("late", "late", "{:.1%}"),
    ("shed", "shed", "{:.1%}"),
    ("p99 ms", "p99_ms", "{:.1f}"),
    ("fairness", "fairness", "{:.3f}"),
    ("live/s", "live_per_s", "{:.0f}"),
    ("others/s", "bulk_per_s", "{:.0f}"),
    ("longest gap ms", "bulk_gap_ms", "{:.0f}"),
    ("longest queue", "longest_queue", "{:d}"),
)


async def table() -> str:
    """Return the figures of all scenarios as a table in Markdown."""
    lines = [
        "| scenario | " + " | ".join(title for title, _, _ in COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
    ]
    for name, scenario in SCENARIOS.items():
        figures = await scenario()
        values = [(getattr(figures, attribute), form) for _, attribute, form in COLUMNS]
        shown = ["" if value is None else form.format(value) for value, form in values]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(table()))
