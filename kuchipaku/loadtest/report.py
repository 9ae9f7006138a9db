"""Results as JSON, CSV, a table for people, and a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from .figures import Spread
from .plot import Series, plot
from .run import Result

_ENDS = 2
"""Samples of memory that every run has."""
_COLUMNS: dict[str, Callable[[Result], object]] = {
    "mix": lambda r: r.plan.mix.value,
    "feed": lambda r: r.plan.feed.value,
    "sessions": lambda r: r.figures.sessions,
    "admitted": lambda r: r.figures.admitted,
    "refused": lambda r: r.figures.refused,
    "failed": lambda r: r.figures.failed,
    "slo_kept": lambda r: r.figures.slo_kept,
    "sessions_within_slo": lambda r: r.figures.sessions_within_slo,
    "frames": lambda r: r.figures.frames,
    "misses": lambda r: r.figures.misses,
    "dropped": lambda r: r.figures.dropped,
    "lateness_p50_s": lambda r: r.figures.lateness_s.p50,
    "lateness_p95_s": lambda r: r.figures.lateness_s.p95,
    "lateness_p99_s": lambda r: r.figures.lateness_s.p99,
    "lateness_max_s": lambda r: r.figures.lateness_s.max,
    "first_frame_p50_s": lambda r: r.figures.first_frame_s.p50,
    "first_frame_p99_s": lambda r: r.figures.first_frame_s.p99,
    "interval_p99_s": lambda r: r.figures.interval_s.p99,
    "longest_stall_s": lambda r: r.figures.longest_stall_s,
    "refusal_p99_s": lambda r: r.figures.refusal_s.p99,
    "cpu_s_per_session_s": lambda r: r.cpu_s_per_session_s,
    "sessions_per_core": lambda r: r.sessions_per_core,
    "frame_hit_rate": lambda r: r.pose.frame_hit_rate if r.pose else None,
    "bytes_per_frame": lambda r: r.figures.bytes_per_frame,
    "generator_send_lag_p99_s": lambda r: r.figures.send_lag_s.p99,
    "generator_loop_lag_p99_s": lambda r: r.figures.loop_lag_s.p99,
}


def write_report(folder: Path, results: Sequence[Result], command: str) -> None:
    """Write ``results.json``, ``results.csv``, ``report.md`` and ``sessions.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"command": command, "runs": [result.as_json() for result in results]}
    (folder / "results.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (folder / "results.csv").write_text(as_csv(results), encoding="utf-8")
    (folder / "report.md").write_text(as_markdown(results, command), encoding="utf-8")
    (folder / "sessions.svg").write_text(lateness_plot(results), encoding="utf-8")


def as_csv(results: Sequence[Result]) -> str:
    """A line per run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([column(result) for column in _COLUMNS.values()] for result in results)
    return out.getvalue()


def as_markdown(results: Sequence[Result], command: str) -> str:
    """Tables of all runs: what sessions saw, and what the services used."""
    machine = results[0].machine
    lines = [f"`{command}`", "", f"{machine.cores} cores of {machine.processor}; {machine.system}."]
    lines += ["", *_sessions_table(results), "", *_services_table(results)]
    lines += ["", *_pose_table(results)]
    for result in results:
        lines += ["", *_memory_table(result)] if len(result.memory) > _ENDS else []
    if any(result.generator_lags for result in results):
        lines += ["", "The generator itself was late: the lateness of marked (*) runs is in doubt."]
    return "\n".join(lines) + "\n"


def lateness_plot(results: Sequence[Result]) -> str:
    """Sessions against p99 lateness, a line for each mix, as SVG."""
    points: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        late = result.figures.lateness_s.p99
        if late is not None:
            name = f"{result.plan.mix.value}, {result.plan.feed.value}"
            points.setdefault(name, []).append((result.figures.admitted, late * 1000))
    series = [Series(name, tuple(sorted(own))) for name, own in points.items()]
    limit = results[0].plan.slo.lateness_s * 1000
    return plot(series, limit, x_title="sessions", y_title="p99 lateness (ms)")


def _sessions_table(results: Sequence[Result]) -> list[str]:
    rows = []
    for r in results:
        f = r.figures
        rows.append(
            [
                f"{r.plan.mix.value}, {r.plan.feed.value}",
                f"{f.admitted}{'*' if r.generator_lags else ''}",
                str(f.refused),
                "yes" if f.slo_kept else "no",
                str(f.sessions_within_slo),
                _spread_ms(f.lateness_s),
                f"{100 * f.misses / f.frames:.2f} %" if f.frames else "-",
                _spread_ms(f.first_frame_s),
                _spread_ms(f.interval_s),
                _ms(f.longest_stall_s),
                _spread_ms(f.loop_lag_s),
            ]
        )
    head = ["mix", "sessions", "refused", "SLO", "within", "lateness", "misses", "first frame"]
    head += ["interval", "stall", "generator's lag"]
    return ["Times in ms: p50 / p95 / p99 / max.", "", *_table(head, rows)]


def _services_table(results: Sequence[Result]) -> list[str]:
    names = sorted({name for r in results for name in r.services})
    rows = []
    for r in results:
        row = [f"{r.plan.mix.value} {r.figures.admitted}"]
        for name in names:
            used = r.services.get(name)
            row.append(_number(used.cpu_s_per_session_s) if used else "-")
        row += [_number(r.cpu_s_per_session_s), f"{r.sessions_per_core:.2f}"]
        row.append(f"{sum(u.resident_bytes for u in r.services.values()) / 2**20:.0f}")
        rows.append(row)
    head = ["run", *names, "together", "sessions per core", "RSS (MiB)"]
    return ["CPU-seconds per second of a session, by service.", "", *_table(head, rows)]


def _pose_table(results: Sequence[Result]) -> list[str]:
    rows = []
    for r in (r for r in results if r.pose is not None):
        pose = r.pose
        assert pose is not None  # noqa: S101 - chosen so
        rates = ", ".join(f"{s} {100 * v:.0f} %" for s, v in pose.stage_hit_rates.items())
        batches = ", ".join(f"{s} {v:.1f}" for s, v in pose.frames_per_batch.items())
        hits = f"{100 * pose.frame_hit_rate:.0f} %" if pose.frame_hit_rate is not None else "-"
        size = f"{(r.figures.bytes_per_frame or 0) / 1000:.1f}"
        wait = _ms(pose.mean_queue_wait_s)
        rows.append([f"{r.plan.mix.value} {r.figures.admitted}", hits, rates, batches, wait, size])
    head = ["run", "frames from cache", "stages from cache", "frames per batch"]
    return _table([*head, "queue wait (ms)", "kB per frame"], rows)


def _memory_table(result: Result) -> list[str]:
    names = sorted(result.memory[0].resident_bytes)
    rows = [
        [f"{sample.at_s:.0f}", *(f"{sample.resident_bytes[n] / 2**20:.0f}" for n in names)]
        for sample in result.memory
    ]
    run = f"{result.figures.admitted} sessions of {result.plan.mix.value}"
    head = [f"Resident memory in MiB by service, workers included, with {run}."]
    return [*head, "", *_table(["seconds", *names], rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = "|".join("---" for _ in head)
    return [f"| {' | '.join(head)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _spread_ms(spread: Spread) -> str:
    return " / ".join(_ms(value) for value in (spread.p50, spread.p95, spread.p99, spread.max))


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
