"""A client of the service for the tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.compositor.v1.compositor_service_pb2_grpc import CompositorServiceStub
from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku.frames.messages import to_message
from kuchipaku.type.v1 import audio_pb2, frame_pb2
from kuchipaku_compositor.service import build
from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.compositor.films import disc

if TYPE_CHECKING:
    from kuchipaku.compositor.v1.compositor_service_pb2_grpc import CompositorServiceAsyncStub

WIDTH, HEIGHT = 96, 80


@asynccontextmanager
async def compositor(folder: Path, **settings: object) -> AsyncIterator[CompositorServiceAsyncStub]:
    address = f"unix:{folder}/compositor.sock"
    configured = CompositorSettings(
        address=address,
        **settings,  # type: ignore[arg-type]
    )
    async with serving(configured, build) as bound, connect(bound) as peer:
        yield CompositorServiceStub(peer.channel)


def config(**fields: object) -> pb.ComposeVideoRequest:
    frame_format = fields.pop("frame_format", None) or frame_pb2.FrameFormat(
        width_px=WIDTH, height_px=HEIGHT
    )
    return pb.ComposeVideoRequest(
        config=pb.ComposeVideoConfig(frame_format=frame_format, **fields)  # type: ignore[arg-type]
    )


def frame_requests(
    frames: Iterable[np.ndarray],
    encoding: FrameEncoding = FrameEncoding.DELTA_ZSTD,
    batch: int = 7,
    fps: float = 25,
) -> Iterator[pb.ComposeVideoRequest]:
    encoder = FrameEncoder(encoding, WIDTH, HEIGHT)
    messages = [
        to_message(encoder.encode(frame), number / fps) for number, frame in enumerate(frames)
    ]
    for start in range(0, len(messages), batch):
        part = frame_pb2.FrameBatch(frames=messages[start : start + batch])
        yield pb.ComposeVideoRequest(frames=part)


def audio_requests(data: bytes, size: int = 5_001) -> Iterator[pb.ComposeVideoRequest]:
    for start in range(0, len(data), size):
        chunk = audio_pb2.AudioChunk(data=data[start : start + size])
        yield pb.ComposeVideoRequest(audio=chunk)


async def compose(
    stub: CompositorServiceAsyncStub, requests: Iterable[pb.ComposeVideoRequest]
) -> tuple[pb.ComposeVideoStarted, bytes, pb.ComposeVideoSummary, list[str]]:
    kinds, data = [], bytearray()
    started, summary = pb.ComposeVideoStarted(), pb.ComposeVideoSummary()
    async for response in keep_status(stub.ComposeVideo(iter(requests), timeout=30)):
        kind = response.WhichOneof("payload")
        kinds.append(str(kind))
        if kind == "started":
            started = response.started
        elif kind == "chunk":
            assert 0 < len(response.chunk.data) <= LIMITS.max_chunk_bytes
            data += response.chunk.data
        elif kind == "summary":
            summary = response.summary
    return started, bytes(data), summary, kinds


async def refusal(
    stub: CompositorServiceAsyncStub, requests: Iterable[pb.ComposeVideoRequest]
) -> KuchipakuError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await compose(stub, requests)
    return translate_rpc_error(caught.value)


def encoder_threads() -> int:
    return sum(thread.name.startswith("compositor") for thread in threading.enumerate())


ONE_FRAME = list(frame_requests([disc()]))
