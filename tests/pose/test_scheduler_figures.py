"""What the scheduler does with a device, in figures. Time is virtual: they are exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pose.scenarios import (
    SCENARIOS,
    bulk_only,
    live_beside_bulk,
    live_on_cpu,
    live_on_gpu,
    still_heads,
    table,
)

CAPACITY_FULL = 16 / (0.004 + 0.0008 * 16)
"""Frames per second of the simulated GPU with full batches."""
CAPACITY_SINGLE = 1 / 0.0048
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


async def test_the_document_shows_these_figures() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert await table() in text, "Run `python -m tests.pose.scenarios` and update the document."
    assert all(name in text for name in SCENARIOS)
