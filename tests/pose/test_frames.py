"""Frames out: every encoding through a real service, and what a client may ask of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from tests.pose.poseclient import Client, Reply, Rgba
from tests.pose.test_live import watched

BUST = frame_pb2.Crop(left_px=32, top_px=0, width_px=64, height_px=96)
LOSSLESS = {
    "raw": frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_RAW),
    "delta": frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_DELTA_ZSTD),
    "png": frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_PNG),
    "webp": frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_WEBP),
}


@pytest.fixture
def opaque_picture() -> Rgba:
    """Smooth, so that a lossy encoding has a chance."""
    y, x = np.mgrid[0:128, 0:128]
    return np.stack([x, y, 255 - x, np.full_like(x, 255)], -1).astype(np.uint8)


async def spoken(client: Client, frame_format: frame_pb2.FrameFormat, **size: Any) -> Reply:
    asked = frame_pb2.FrameFormat(**size)
    asked.MergeFrom(frame_format)
    return await client.animate([client.config(frame_format=asked), *client.line()])


@pytest.mark.parametrize("name", [name for name in LOSSLESS if name != "raw"])
async def test_lossless_encodings_carry_the_very_frames(client: Client, name: str) -> None:
    await client.lend_canvas()
    size = {"crop": BUST, "width_px": 128, "reference_window_bytes": 1 << 20}
    plain = await spoken(client, LOSSLESS["raw"], **size)
    coded = await spoken(client, LOSSLESS[name], **size)
    assert coded.started.config.frame_format.encoding == LOSSLESS[name].encoding
    assert coded.frames["u"][0].shape == (192, 128, 4)
    np.testing.assert_array_equal(coded.frames["u"], plain.frames["u"])
    assert coded.statistics.frame_bytes < plain.statistics.frame_bytes
    assert coded.statistics.reference_frame_count == plain.statistics.reference_frame_count > 0


@pytest.mark.parametrize(
    ("encoding", "quality", "in_effect"),
    [
        (frame_pb2.FRAME_ENCODING_WEBP, 80, 80),
        (frame_pb2.FRAME_ENCODING_JPEG_ALPHA, 0, 85),
        (frame_pb2.FRAME_ENCODING_JPEG_ALPHA, 60, 60),
    ],
)
async def test_lossy_encodings_come_close(
    client: Client, encoding: Any, quality: int, in_effect: int
) -> None:
    await client.lend_canvas()
    asked = frame_pb2.FrameFormat(encoding=encoding, quality=quality)
    plain = await spoken(client, LOSSLESS["raw"])
    coded = await spoken(client, asked)
    assert coded.started.config.frame_format.quality == in_effect
    shown, wanted = (np.array(reply.frames["u"], np.float32) for reply in (coded, plain))
    np.testing.assert_array_equal(shown[..., 3], wanted[..., 3])
    assert np.abs(shown - wanted).mean() < 3
    assert coded.statistics.frame_bytes < plain.statistics.frame_bytes / 5


async def test_a_dead_band_is_kept_and_saves_bytes(client: Client) -> None:
    await client.lend_canvas()
    exact = await spoken(client, LOSSLESS["delta"], keyframe_interval=10)
    near = await spoken(client, LOSSLESS["delta"], keyframe_interval=10, dead_band=3)
    assert near.started.config.frame_format.dead_band == 3
    shown, wanted = (np.array(reply.frames["u"], np.int16) for reply in (near, exact))
    assert 0 < np.abs(shown - wanted).max() <= 3
    assert near.statistics.frame_bytes < exact.statistics.frame_bytes


async def test_options_that_an_encoding_has_not_are_told_as_unset(client: Client) -> None:
    await client.lend_canvas()
    reply = await spoken(client, LOSSLESS["png"], dead_band=3, quality=50)
    effective = reply.started.config.frame_format
    assert (effective.dead_band, effective.quality) == (0, 0)
    assert len(reply.frames["u"]) == 25


@pytest.mark.parametrize(
    "fields", [{"dead_band": 17}, {"dead_band": -1}, {"quality": 101}, {"quality": -1}]
)
async def test_options_out_of_range_are_refused(client: Client, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.animate([client.config(frame_format=frame_pb2.FrameFormat(**fields))])
    assert caught.value.reason == "VALUE_OUT_OF_RANGE"
    assert caught.value.field == f"config.frame_format.{next(iter(fields))}"


async def test_bytes_are_counted_by_encoding(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch) as (client, metric):
        await client.lend_canvas()
        reply = await spoken(client, LOSSLESS["webp"])
        assert metric("frame_bytes_total", encoding="webp") == reply.statistics.frame_bytes
        assert metric("frame_encode_seconds_total", encoding="webp") > 0
        assert metric("frame_bytes_total", encoding="delta_zstd") > 0
        assert metric("frame_bytes_total", encoding="raw") == 0
