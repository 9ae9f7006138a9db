"""Statistics of a run: what the sessions saw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .plan import LoadPlan, Slo
from .record import GeneratorRecord, Judged, Role, SessionRecord


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of some seconds; None where nothing was seen."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of values, by nearest rank: the figure is one that was seen."""
        ordered = sorted(values)
        return cls(len(ordered), *(_rank(ordered, q) for q in (0.5, 0.95, 0.99, 1.0)))


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed. Slow readers and interrupters count for their own lines only."""

    sessions: int
    """Sessions that asked."""
    admitted: int
    refused: int
    failed: int
    failures: tuple[str, ...]
    sessions_within_slo: int
    session_seconds: float
    """Seconds that admitted sessions were open, together."""
    frames: int
    """Frames that were due."""
    misses: int
    """Later than the SLO allows, those that never came included."""
    dropped: int
    """Never came."""
    first_frame_s: Spread
    interval_s: Spread
    lateness_s: Spread
    longest_stall_s: float | None
    open_s: Spread
    refusal_s: Spread
    refusals_with_retry: int
    refusal_reasons: dict[str, int]
    interrupt_s: Spread
    """From an interrupt to the last frame of the broken line."""
    bytes_per_frame: float | None
    send_lag_s: Spread
    loop_lag_s: Spread
    generator_cpu_s: float
    slo_kept: bool


def figures_of(plan: LoadPlan, record: GeneratorRecord, start: float) -> Figures:
    """The figures of a run that began at `start` on the monotonic clock."""
    counted_from = start + plan.warmup_s
    until = max((s.ended_at or start for s in record.sessions), default=start)
    admitted = [s for s in record.sessions if s.refusal is None]
    plain = [s for s in admitted if s.role is Role.PLAIN]
    frames = [frame for s in plain for frame in _judged(s, counted_from, until)]
    late = [frame.late_s for frame in frames]
    spread = Spread.of(late)
    misses = _misses(plan.slo, frames)
    failures = tuple(s.failure for s in admitted if s.failure)
    gaps = [gap for s in plain for gap in _gaps(s, counted_from)]
    refusals = [s.refusal for s in record.sessions if s.refusal is not None]
    frames_seen = sum(len(line.arrivals) for s in admitted for line in s.lines)
    return Figures(
        sessions=len(record.sessions),
        admitted=len(admitted),
        refused=len(refusals),
        failed=len(failures),
        failures=failures,
        sessions_within_slo=sum(_keeps(plan.slo, s, counted_from, until) for s in plain),
        session_seconds=sum((s.ended_at or until) - s.begun_at for s in admitted),
        frames=len(late),
        misses=misses,
        dropped=sum(not frame.came for frame in frames),
        first_frame_s=Spread.of(_first_frames(plain, counted_from)),
        interval_s=Spread.of(gaps),
        lateness_s=spread,
        longest_stall_s=max(gaps, default=None),
        open_s=Spread.of(s.opened_s for s in admitted if s.opened_s is not None),
        refusal_s=Spread.of(refusal.after_s for refusal in refusals),
        refusals_with_retry=sum(refusal.retry_after_s is not None for refusal in refusals),
        refusal_reasons=_counts(refusal.reason for refusal in refusals),
        interrupt_s=Spread.of(_stale(admitted)),
        bytes_per_frame=(
            sum(s.frame_bytes for s in admitted) / frames_seen if frames_seen else None
        ),
        send_lag_s=Spread.of(lag for s in record.sessions for lag in s.send_lag_s),
        loop_lag_s=Spread.of(record.loop_lag_s),
        generator_cpu_s=record.cpu_s,
        slo_kept=not failures and plan.slo.kept(spread.p99, misses, len(late)),
    )


def _keeps(slo: Slo, session: SessionRecord, counted_from: float, until: float) -> bool:
    frames = _judged(session, counted_from, until)
    spread = Spread.of(frame.late_s for frame in frames)
    return not session.failure and slo.kept(spread.p99, _misses(slo, frames), len(frames))


def _misses(slo: Slo, frames: Sequence[Judged]) -> int:
    return sum(not frame.came or frame.late_s > slo.lateness_s for frame in frames)


def _judged(session: SessionRecord, counted_from: float, until: float) -> list[Judged]:
    frames = (frame for line in session.lines for frame in line.judged(until))
    return [frame for frame in frames if frame.due >= counted_from]


def _gaps(session: SessionRecord, counted_from: float) -> list[float]:
    found: list[float] = []
    for line in session.lines:
        times = [at for _, at in sorted(line.arrivals.items())]
        found += [after - before for before, after in pairwise(times) if after >= counted_from]
    return found


def _first_frames(sessions: Sequence[SessionRecord], counted_from: float) -> Iterable[float]:
    for session in sessions:
        for line in session.lines:
            if line.arrivals and line.sent_at and line.sent_at[0] >= counted_from:
                yield min(line.arrivals.values()) - line.sent_at[0]


def _stale(sessions: Sequence[SessionRecord]) -> Iterable[float]:
    for session in sessions:
        for line in session.lines:
            if line.interrupted_at is not None:
                yield max(0.0, (line.last_stale_at or line.interrupted_at) - line.interrupted_at)


def _counts(values: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _rank(ordered: Sequence[float], fraction: float) -> float | None:
    if not ordered:
        return None
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]
