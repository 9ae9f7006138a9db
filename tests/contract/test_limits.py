from __future__ import annotations

import dataclasses

import pytest

from kuchipaku_contract import LIMITS, Limits, limit_rows


def test_every_limit_is_documented_and_positive():
    rows = list(limit_rows())

    assert [row.name for row in rows] == [field.name for field in dataclasses.fields(Limits)]
    assert all(row.value > 0 and row.unit and row.meaning for row in rows)


def test_limits_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMITS.max_image_bytes = 1  # type: ignore[misc]


def test_limits_fit_together():
    assert LIMITS.min_fps < LIMITS.max_fps
    assert LIMITS.min_image_side_px <= LIMITS.canvas_side_px <= LIMITS.max_image_side_px
    assert LIMITS.max_frame_batch_bytes < LIMITS.max_message_bytes
    assert LIMITS.max_chunk_bytes < LIMITS.max_message_bytes
    assert LIMITS.default_page_size <= LIMITS.max_page_size
    # A raw frame of the canvas fits into one message with room for the fields around it.
    assert LIMITS.canvas_side_px**2 * 4 <= LIMITS.max_frame_batch_bytes
