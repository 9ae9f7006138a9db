"""Calls whose clients hold a slot and do nothing with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import DeadlineExceededError
from tests.pose.poseclient import Client, Rgba, collect
from tests.pose.test_live import eventually, watched

WIDE = frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_RAW, width_px=1024)
"""Frames of 4 MiB: two are more than gRPC takes off the service's hands."""


async def wide_frames(client: Client) -> AsyncIterator[pb.RenderPosesRequest]:
    """Ask for more than fits anywhere, and then keep the call open."""
    canvas_sha256 = client.canvas.sha256
    config = pb.RenderPosesConfig(canvas_sha256=canvas_sha256, frame_format=WIDE)
    yield pb.RenderPosesRequest(config=config)
    poses = np.random.default_rng(0).random((40, 45))
    batch = pb.PoseBatch(poses=[pb.Pose(values=pose) for pose in poses])
    yield pb.RenderPosesRequest(poses=batch)
    await asyncio.Event().wait()


async def test_a_client_that_does_not_read_is_let_go_and_told_once_it_does(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"input_timeout_s": 0.5, "max_streams": 1}
    async with watched(tmp_path, opaque_picture, monkeypatch, **limits) as (client, metric):
        await client.lend_canvas()
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        unread = keep_status(client.stub.RenderPoses(wide_frames(client)))
        await eventually(lambda: metric("admission_used", admission="streams") == 1)
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        await eventually(lambda: metric("queued_jobs") == metric("running_jobs") == 0)
        await client.lend_canvas_again()
        with pytest.raises(DeadlineExceededError) as caught:
            await collect(unread)
        assert caught.value.reason == "OUTPUT_STALLED"


async def test_a_client_that_goes_without_reading_leaves_nothing_behind(
    tmp_path: Path,
    opaque_picture: Rgba,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watched(tmp_path, opaque_picture, monkeypatch, input_timeout_s=0.5) as (
        client,
        metric,
    ):
        await client.lend_canvas()
        method = "kuchipaku.pose.v1.PoseService/RenderPoses"
        unread = keep_status(client.stub.RenderPoses(wide_frames(client)))
        await eventually(lambda: metric("admission_used", admission="streams") == 1)
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        unread.cancel()
        await eventually(
            lambda: metric("rpcs_handled_total", method=method, code="DEADLINE_EXCEEDED") == 1
        )
        await client.lend_canvas_again()
    # Nobody is left to hear the status, which is no fault of the service.
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_call_without_its_config_keeps_no_slot_for_long(
    tmp_path: Path, opaque_picture: Rgba, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"config_timeout_s": 0.2, "max_streams": 1}
    async with watched(tmp_path, opaque_picture, monkeypatch, **limits) as (client, metric):
        silent = keep_status(client.stub.Animate())
        await silent.wait_for_connection()
        with pytest.raises(DeadlineExceededError) as caught:
            await collect(silent)
        assert caught.value.reason == "INPUT_STALLED"
        await eventually(lambda: metric("admission_used", admission="streams") == 0)
        await client.lend_canvas()
