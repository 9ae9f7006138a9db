"""``kuchipaku loadtest``: how many sessions a deployment serves on time."""

from __future__ import annotations

import asyncio
import itertools
import json
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from kuchipaku.loadtest.plan import Feed, LoadPlan, Mix, Slo
from kuchipaku.loadtest.report import write_report
from kuchipaku.loadtest.run import Result, run_load
from kuchipaku.loadtest.search import VERIFICATIONS, search
from kuchipaku.loadtest.speech import Speech, speech_for
from kuchipaku.places import SERVICES
from kuchipaku.supervisor import Plan, running_services

from .connection import Access, access_options
from .console import people, run

_PAUSE_BETWEEN_RUNS_S = 1.0


@dataclass(frozen=True, slots=True)
class _Job:
    plan: LoadPlan
    counts: Sequence[int]
    seeks: bool
    most: int
    verifications: int
    speech: Speech
    metrics: Mapping[str, str]
    settings: Mapping[str, str]
    output: Path


@click.command()
@access_options
@click.option(
    "--target",
    help="Address of a running gateway, host:port or unix:/path. Without it the five services are "
    "started for the test, and stopped afterwards.",
)
@click.option("--sessions", default="4", show_default=True, help="Sessions; several: 1,2,4,8.")
@click.option("--duration", default=20.0, show_default=True, help="Seconds of a run.")
@click.option(
    "--mix", type=click.Choice([m.value for m in Mix]), default="crowd", show_default=True,
    help="distinct: all characters, lines and seeds differ, caches are cold. crowd: 8 characters "
    "and recurring lines.",
)  # fmt: skip
@click.option(
    "--feed", type=click.Choice([f.value for f in Feed]), default="line", show_default=True,
    help="line: whole lines, with text. live: pieces in real time.",
)  # fmt: skip
@click.option("--arrivals", type=float, help="Sessions that begin per second (Poisson).")
@click.option("--session-length", type=float, help="Mean seconds of arriving sessions.")
@click.option("--warmup", default=3.0, show_default=True, help="Seconds that do not count.")
@click.option(
    "--rehearse/--no-rehearse",
    default=True,
    show_default=True,
    help="Have a crowd's lines spoken once before the run, as a game that runs for a while has.",
)
@click.option("--line-latency", default=0.5, show_default=True, help="Declared latency of lines.")
@click.option("--live-latency", default=0.2, show_default=True, help="Latency of live cues.")
@click.option(
    "--max-lead",
    type=float,
    help="Seconds that frames may be ahead. [default: line latency and 0.3; live: the service's]",
)
@click.option("--pause", default=0.4, show_default=True, help="Seconds between lines.")
@click.option("--text/--no-text", default=True, show_default=True, help="Send the lines' text.")
@click.option("--slow-readers", default=0.0, help="Fraction of sessions that read too slowly.")
@click.option("--interrupters", default=0.0, help="Fraction of sessions that break lines off.")
@click.option("--fps", default=25.0, show_default=True, help="Frames per second.")
@click.option("--size", default=256, show_default=True, help="Side of the frames in pixels.")
@click.option("--seed", default=1, show_default=True, help="Seed of lines, arrivals, characters.")
@click.option("--processes", default=1, show_default=True, help="Processes of the generator.")
@click.option("--slo-lateness", default=0.04, show_default=True, help="SLO: p99 lateness below.")
@click.option("--slo-misses", default=0.01, show_default=True, help="SLO: misses below.")
@click.option("--search", "seeks", is_flag=True, help="Find the most sessions within the SLO.")
@click.option("--most", default=256, show_default=True, help="Where the search stops.")
@click.option("--verifications", default=VERIFICATIONS, show_default=True, help="Of the search.")
@click.option(
    "--speech", "folders", multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of WAV files with their texts. Without one eSpeak NG speaks.",
)  # fmt: skip
@click.option(
    "--metrics", "metrics", multiple=True, metavar="NAME=HOST:PORT",
    help="Metrics of a service, for CPU time, memory and hit rates; with --target only.",
)  # fmt: skip
@click.option(
    "--setting", "settings", multiple=True, metavar="KUCHIPAKU_...=VALUE",
    help="Setting of the services that the test starts.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/loadtest"), show_default=True, help="Folder for JSON, CSV, tables, plot.",
)  # fmt: skip
def loadtest(
    access: Access,
    target: str | None,
    sessions: str,
    duration: float,
    mix: str,
    feed: str,
    arrivals: float | None,
    session_length: float | None,
    warmup: float,
    rehearse: bool,
    line_latency: float,
    live_latency: float,
    max_lead: float | None,
    pause: float,
    text: bool,
    slow_readers: float,
    interrupters: float,
    fps: float,
    size: int,
    seed: int,
    processes: int,
    slo_lateness: float,
    slo_misses: float,
    seeks: bool,
    most: int,
    verifications: int,
    folders: tuple[Path, ...],
    metrics: tuple[str, ...],
    settings: tuple[str, ...],
    output: Path,
) -> None:
    """Measure how many live sessions are served on time.

    Every frame is judged against the time at which its audio was sent plus the declared latency.
    The exit status is 1 when a run (with --search: every run) breaks the SLO.
    """
    counts = _counts(sessions)
    plan = LoadPlan(
        target=target or "",
        sessions=counts[0],
        duration_s=duration,
        mix=Mix(mix),
        feed=Feed(feed),
        arrivals_per_s=arrivals,
        session_s=session_length,
        warmup_s=min(warmup, duration / 2),
        line_latency_s=line_latency,
        live_latency_s=live_latency,
        max_lead_s=max_lead,
        pause_s=pause,
        rehearsed=rehearse,
        with_text=text,
        slow_readers=slow_readers,
        interrupters=interrupters,
        fps=fps,
        side_px=size,
        seed=seed,
        processes=processes,
        api_key=access.api_key,
        slo=Slo(slo_lateness, slo_misses),
    )
    try:
        speech = speech_for(seed, folders)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    job = _Job(
        plan, counts, seeks, most, verifications, speech,
        _pairs(metrics, "--metrics"), _pairs(settings, "--setting"), output,
    )  # fmt: skip
    kept = run(_loadtest(job))
    sys.exit(0 if kept else 1)


async def _loadtest(job: _Job) -> bool:
    async with _services(job) as (target, metrics):
        plan = replace(job.plan, target=target)

        rounds = itertools.count()

        async def measure(sessions: int) -> Result:
            this = replace(plan, sessions=sessions, round=next(rounds))
            result = await run_load(this, job.speech, metrics)
            _show(result)
            await asyncio.sleep(_PAUSE_BETWEEN_RUNS_S)
            return result

        results, kept = await _measure(job, measure)
    write_report(job.output, results, shlex.join(["kuchipaku", *sys.argv[1:]]))
    people.print(f"Report: {escape(str(job.output / 'report.md'))}")
    return kept


async def _measure(
    job: _Job, measure: Callable[[int], Awaitable[Result]]
) -> tuple[Sequence[Result], bool]:
    if not job.seeks:
        results = [await measure(count) for count in job.counts]
        return results, all(result.figures.slo_kept for result in results)
    found = await search(
        measure, first=job.counts[0], most=job.most, verifications=job.verifications
    )
    people.print(
        f"[bold]{found.sessions}[/] {job.plan.mix.value} sessions keep the SLO "
        f"(verified {found.verified} times)."
    )
    return found.runs, found.sessions > 0


@asynccontextmanager
async def _services(job: _Job) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
    """The target and its metrics; services of our own where none is named."""
    if job.plan.target:
        yield job.plan.target, job.metrics
        return
    metrics: dict[str, str] = {}

    def note(service: str, line: str) -> None:
        if line.startswith('{"event": "ready"'):
            metrics[service] = json.loads(line)["metrics_address"]

    with tempfile.TemporaryDirectory(prefix="kuchipaku-loadtest-") as folder:
        places = {f"KUCHIPAKU_{name.upper()}_METRICS_ADDRESS": "127.0.0.1:0" for name in SERVICES}
        quiet = {f"KUCHIPAKU_{name.upper()}_LOG_LEVEL": "WARNING" for name in SERVICES}
        plan = Plan.on_sockets(
            Path(folder),
            Path(folder) / "data",
            environment={**quiet, **places, **job.settings},
        )
        async with running_services(plan, on_line=note):
            yield plan.addresses["gateway"], metrics


def _show(result: Result) -> None:
    figures = result.figures
    late = figures.lateness_s
    table = Table(show_header=False, box=None)
    verdict = "[green]kept[/]" if figures.slo_kept else "[red]broken[/]"
    table.add_row("sessions", f"{figures.admitted} admitted, {figures.refused} refused", verdict)
    table.add_row("lateness p50/p95/p99/max", _ms(late.p50, late.p95, late.p99, late.max))
    table.add_row("misses", f"{figures.misses} of {figures.frames} frames")
    first = figures.first_frame_s
    table.add_row("first frame p50/p99", _ms(first.p50, first.p99))
    cost = result.cpu_s_per_session_s
    table.add_row("CPU-s per session-s", "-" if cost is None else f"{cost:.3f}")
    lag = figures.loop_lag_s
    doubt = " [red](the generator is too slow)[/]" if result.generator_lags else ""
    table.add_row("generator's lag p99", _ms(lag.p99) + doubt)
    for failure in dict.fromkeys(figures.failures):
        table.add_row("[red]failed[/]", escape(failure))
    people.print(table)


def _ms(*seconds: float | None) -> str:
    return " / ".join("-" if s is None else f"{1000 * s:.0f}" for s in seconds) + " ms"


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise click.BadParameter("a number, or several parted by commas", param_hint="--sessions")
    return counts


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = dict(part.partition("=")[::2] for part in given)
    if not all(pairs) or not all(pairs.values()):
        raise click.BadParameter("has to be NAME=VALUE", param_hint=option)
    return pairs
