"""What the scheduler does with a device, in figures. Time is virtual: they are exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pose.scenarios import (
    SCENARIOS,
    bulk_on_cpu,
    bulk_only,
    known_late_on_cpu,
    live_beside_bulk,
    live_on_cpu,
    live_on_gpu,
    still_heads,
    table,
)

CAPACITY_FULL = 16 / (0.004 + 0.0008 * 16)
"""Frames per second of the simulated GPU with full batches."""
CAPACITY_SINGLE = 1 / 0.0048
CAPACITY_CPU = 2 / 0.03
"""Of two workers."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "pose-scheduling.md"


async def test_a_lone_stream_waits_for_company_no_longer_than_allowed() -> None:
    figures = await live_on_gpu(1, max_delay_s=0.002)
    assert figures.on_time == 1.0
    assert figures.p99_ms == pytest.approx((0.002 + 0.0048) * 1e3)


async def test_batches_fill_as_the_load_asks_for_it() -> None:
    few, many = await live_on_gpu(8), await live_on_gpu(24)
    assert (few.on_time, many.on_time) == (1.0, 1.0)
    assert few.fill < many.fill
    assert many.frames_per_s > 2.8 * CAPACITY_SINGLE
    assert (await live_on_gpu(24, max_batch=1)).frames_per_s <= CAPACITY_SINGLE


async def test_streams_due_at_the_same_moments_are_all_in_time() -> None:
    figures = await live_on_gpu(32, aligned=True)
    assert (figures.on_time, figures.fill) == (1.0, 16.0)


async def test_frames_that_skip_a_stage_meet_the_others_at_the_last() -> None:
    figures = await still_heads(24)
    assert figures.on_time == 1.0
    assert figures.fill > 3


@pytest.mark.parametrize("aligned", [False, True])
async def test_a_device_that_cannot_serve_all_serves_in_time_what_it_can(aligned: bool) -> None:
    figures = await live_on_gpu(60, aligned=aligned)
    assert figures.frames_per_s > 0.99 * CAPACITY_FULL
    assert figures.fill > 15.5
    assert figures.on_time is not None
    assert figures.on_time > 0.94 * CAPACITY_FULL / (60 * 25)
    assert figures.late is not None
    assert figures.late < 0.05
    assert figures.fairness is not None
    assert figures.fairness > 0.98
    # What cannot be served does not pile up.
    assert figures.longest_queue < 60 * 25 * 0.2


async def test_live_frames_are_in_time_beside_streams_that_take_the_rest() -> None:
    figures = await live_beside_bulk(8, 4)
    assert figures.on_time == 1.0
    assert figures.bulk_per_s is not None
    assert figures.bulk_per_s > 700
    assert figures.busy > 0.99


async def test_nobody_starves_beside_more_live_frames_than_can_be_served() -> None:
    figures = await live_beside_bulk(60, 1)
    assert figures.bulk_per_s is not None
    assert figures.bulk_per_s >= 10
    assert figures.bulk_gap_ms is not None
    assert figures.bulk_gap_ms <= 1000


async def test_greedy_streams_share_equally_whatever_they_have_under_way() -> None:
    equal = await bulk_only([32] * 6)
    assert equal.fairness is not None
    assert equal.fairness > 0.999
    newcomer = await bulk_only([32] * 6, newcomer_at=2.5)
    assert newcomer.fairness is not None
    assert newcomer.fairness > 0.99
    assert newcomer.bulk_gap_ms is not None
    assert newcomer.bulk_gap_ms < 200


async def test_too_many_streams_on_a_processor_get_what_it_can_do() -> None:
    fits, too_many = await live_on_cpu(2, 2), await live_on_cpu(4, 2)
    assert fits.on_time == 1.0
    assert too_many.frames_per_s == pytest.approx(2 / 0.03, rel=0.02)
    assert too_many.late is not None
    assert too_many.late < 0.05
    assert too_many.fairness is not None
    assert too_many.fairness > 0.99


@pytest.mark.parametrize("fps", [10.0, 25.0])
@pytest.mark.parametrize("lead_s", [0.01, 0.025, 0.04, 0.1])
@pytest.mark.parametrize("others", [0, 2])
async def test_a_machine_that_stands_still_costs_a_stream_no_later_frames(
    fps: float, lead_s: float, others: int
) -> None:
    calm = await known_late_on_cpu(1, lead_s=lead_s, fps=fps, bulk_streams=others)
    once = await known_late_on_cpu(
        1, lead_s=lead_s, fps=fps, bulk_streams=others, standstills=[2.0]
    )
    assert calm.on_time is not None
    assert calm.shed == 0.0
    assert calm.on_time == pytest.approx(0.0 if lead_s < 0.03 else 1.0, abs=0.01)
    # 20 s of frames; of those that were due in 0.3 s some are late, others shed.
    assert once.shed is not None
    assert once.shed * 20 < 0.45
    assert once.on_time is not None
    # With little time, whether frames beside others are late depends on which of theirs runs.
    assert others or (calm.on_time - once.on_time) * 20 < 0.6


@pytest.mark.parametrize("lead_s", [0.01, 0.025, 0.04, 0.1])
@pytest.mark.parametrize("fps", [10.0, 25.0])
async def test_a_crowd_that_has_gone_costs_a_stream_no_later_frames(
    fps: float, lead_s: float
) -> None:
    figures = await known_late_on_cpu(1, lead_s=lead_s, fps=fps, crowd=4)
    assert figures.shed is not None
    assert figures.shed * 20 < 1.5


async def test_streams_known_late_that_are_too_many_get_what_the_device_can_do() -> None:
    figures = await known_late_on_cpu(4, lead_s=0.02)
    assert figures.frames_per_s > 0.98 * CAPACITY_CPU
    assert figures.p99_ms is not None
    # In time to be shown, though not when they are due.
    assert figures.p99_ms < 120
    assert figures.fairness is not None
    assert figures.fairness > 0.98


@pytest.mark.parametrize("others", [2, 6, 8, 16])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
async def test_a_live_stream_within_an_equal_share_is_in_time_beside_any_number(
    others: int, share: float
) -> None:
    equal = CAPACITY_CPU / (1 + others)
    figures = await bulk_on_cpu(1, others, fps=min(25.0, share * equal))
    assert figures.on_time is not None
    assert figures.on_time > 0.95
    assert figures.frames_per_s > 0.97 * CAPACITY_CPU


@pytest.mark.parametrize(
    ("live", "others", "workers", "window"), [(1, 8, 2, 4), (4, 8, 2, 4), (1, 31, 8, 16)]
)
async def test_streams_that_ask_for_more_get_an_equal_share_live_or_not(
    live: int, others: int, workers: int, window: int
) -> None:
    figures = await bulk_on_cpu(live, others, workers=workers, window=window)
    equal = CAPACITY_CPU * workers / 2 / (live + others)
    assert figures.live_per_s is not None
    assert figures.live_per_s > 0.9 * live * equal
    assert figures.bulk_per_s is not None
    assert figures.bulk_per_s > 0.95 * others * equal


async def test_others_keep_their_pace_beside_a_live_stream_that_asks_for_more() -> None:
    figures = await bulk_on_cpu(4, 1)
    assert figures.bulk_per_s is not None
    assert 10 < figures.bulk_per_s < 11
    assert figures.live_per_s is not None
    assert figures.live_per_s > 0.8 * (CAPACITY_CPU - 10)


async def test_the_document_shows_these_figures() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert await table() in text, "Run `python -m tests.pose.scenarios` and update the document."
    assert all(name in text for name in SCENARIOS)
