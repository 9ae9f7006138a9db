"""What counts as late, as a miss and as within the SLO."""

from __future__ import annotations

import pytest

from kuchipaku.loadtest.figures import Figures, Spread, figures_of
from kuchipaku.loadtest.plan import LoadPlan, Slo
from kuchipaku.loadtest.record import (
    GeneratorRecord,
    Refusal,
    Role,
    SessionRecord,
    SpokenLine,
)

FPS = 25.0
PLAN = LoadPlan("", warmup_s=0.0, slo=Slo(lateness_s=0.04, miss_fraction=0.01))


def spoken(sent_at: float) -> SpokenLine:
    return SpokenLine("line", 1.0, latency_s=0.5, fps=FPS, chunk_s=None, sent_at=[sent_at])


def session(*lines: SpokenLine, role: Role = Role.PLAIN) -> SessionRecord:
    return SessionRecord(0, role, begun_at=0.0, opened_s=0.01, ended_at=10.0, lines=list(lines))


def figures(*sessions: SessionRecord, plan: LoadPlan = PLAN) -> Figures:
    return figures_of(plan, GeneratorRecord(list(sessions)), start=0.0)


def test_a_frame_is_judged_by_when_its_audio_was_sent_not_by_the_first_frame() -> None:
    line = spoken(sent_at=2.0)
    for index in range(25):
        line.came(index, 2.0 + 0.5 + index / FPS + 0.3)  # evenly spaced, and all late

    seen = figures(session(line))

    assert seen.lateness_s.p50 == pytest.approx(0.3)
    assert seen.misses == 25
    assert seen.interval_s.p99 == pytest.approx(0.04)
    assert seen.first_frame_s.p50 == pytest.approx(0.8)
    assert not seen.slo_kept


def test_pieces_in_real_time_have_due_times_of_their_own() -> None:
    line = SpokenLine("line", 0.12, 0.2, FPS, chunk_s=0.04, sent_at=[1.04, 1.08, 1.30])
    assert [line.due(index) for index in range(3)] == pytest.approx([1.24, 1.28, 1.50])
    # Behind the last piece nothing is sent any more.
    assert line.due(9) == pytest.approx(1.50)


def test_a_frame_that_never_came_is_a_miss_and_as_late_as_what_came_next() -> None:
    line = spoken(sent_at=0.0)
    for index in range(25):
        if index not in (10, 11):
            line.came(index, line.due(index) - 0.02)
    line.finished_at = 2.0

    seen = figures(session(line))

    assert seen.misses == 2
    assert seen.dropped == 2
    assert seen.frames == 25
    # The tenth could not be there before the twelfth was.
    assert seen.lateness_s.max == pytest.approx(2 / FPS - 0.02)


def test_a_line_without_any_frame_is_all_misses() -> None:
    seen = figures(session(spoken(sent_at=1.0)))
    assert (seen.misses, seen.frames) == (25, 25)
    assert seen.first_frame_s.p50 is None


def test_frames_that_are_early_keep_the_slo() -> None:
    line = spoken(sent_at=0.0)
    for index in range(25):
        line.came(index, line.due(index) - 0.1)
    seen = figures(session(line))
    assert seen.slo_kept
    assert seen.sessions_within_slo == 1
    assert seen.lateness_s.max == pytest.approx(-0.1)


def test_the_warm_up_does_not_count() -> None:
    early, later = spoken(sent_at=0.0), spoken(sent_at=5.0)
    for index in range(25):
        early.came(index, early.due(index) + 1.0)
        later.came(index, later.due(index))
    plan = LoadPlan("", warmup_s=4.0)
    assert figures(session(early, later), plan=plan).misses == 0
    assert figures(session(early, later)).misses == 25


def test_slow_readers_and_interrupters_do_not_count_for_others() -> None:
    good, broken, slow = spoken(sent_at=0.0), spoken(sent_at=0.0), spoken(sent_at=0.0)
    for index in range(25):
        good.came(index, good.due(index))
        slow.came(index, slow.due(index) + 3.0)
    broken.interrupted_at = 0.9
    broken.came(10, 0.95)

    seen = figures(
        session(good),
        session(broken, role=Role.INTERRUPTER),
        session(slow, role=Role.SLOW_READER),
    )

    assert seen.frames == 25
    assert seen.slo_kept
    assert seen.interrupt_s.max == pytest.approx(0.05)


def test_refusals_are_counted_with_their_time_and_hint() -> None:
    refused = session()
    refused.refusal = Refusal("RESOURCE_EXHAUSTED", "QUEUE_FULL", 0.012, retry_after_s=1.5)
    seen = figures(refused)
    assert (seen.admitted, seen.refused, seen.refusals_with_retry) == (0, 1, 1)
    assert seen.refusal_reasons == {"QUEUE_FULL": 1}
    assert seen.refusal_s.max == pytest.approx(0.012)
    assert not seen.slo_kept


def test_a_session_that_broke_off_breaks_the_slo() -> None:
    line = spoken(sent_at=0.0)
    for index in range(25):
        line.came(index, line.due(index))
    failed = session(line)
    failed.failure = "INTERNAL WORKER_DIED"
    seen = figures(failed)
    assert seen.failures == ("INTERNAL WORKER_DIED",)
    assert not seen.slo_kept


def test_percentiles_are_values_that_were_seen() -> None:
    spread = Spread.of(float(n) for n in range(1, 101))
    assert (spread.p50, spread.p95, spread.p99, spread.max) == (50, 95, 99, 100)
    assert Spread.of([]).p99 is None
