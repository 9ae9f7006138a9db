"""A real client of a real pose service on a unix socket, with the talking tiny model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from kuchipaku.calls import keep_status
from kuchipaku.frames.messages import decode_batch, decoder_for
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.pose.v1.pose_service_pb2_grpc import PoseServiceStub
from kuchipaku.type.v1 import cue_pb2, frame_pb2, session_pb2
from kuchipaku_animation import (
    AnimationOptions,
    MouthCue,
    MouthShape,
    animate,
    seed_from,
)
from kuchipaku_media.picture import canvas_hash, encode_png
from kuchipaku_pose.service import build
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.pose.tinypack import (
    assert_frame,
    talker_parameters,
    talker_pose,
    talker_stages,
    write_pack,
)

Rgba = NDArray[np.uint8]
SHAPES = {shape: cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape}") for shape in MouthShape}


def seconds(value: float) -> Duration:
    nanos = round(value * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


CUES = [
    MouthCue(0.0, 0.2, MouthShape.X),
    MouthCue(0.2, 0.44, MouthShape.D),
    MouthCue(0.44, 0.6, MouthShape.A),
    MouthCue(0.6, 0.8, MouthShape.B),
    MouthCue(0.8, 1.0, MouthShape.X),
]


def cue_batch(cues: Iterable[MouthCue]) -> pb.AnimateRequest:
    return pb.AnimateRequest(
        cues=cue_pb2.CueBatch(
            cues=[
                cue_pb2.MouthCue(
                    start_offset=seconds(cue.start),
                    end_offset=seconds(cue.end),
                    shape=SHAPES[cue.shape],
                    loudness=cue.loudness,
                )
                for cue in cues
            ]
        )
    )


@dataclass
class Reply:
    """What came back from a call, frames decoded."""

    started: Any = None
    frames: dict[str, list[Rgba]] = field(default_factory=dict)
    offsets: dict[str, list[float]] = field(default_factory=dict)
    begun: list[Any] = field(default_factory=list)
    summaries: list[Any] = field(default_factory=list)
    statistics: Any = None
    batches: list[list[int]] = field(default_factory=list)
    """Data bytes of each frame, by batch."""
    messages: list[frame_pb2.Frame] = field(default_factory=list)
    decoder: Any = None

    def add(self, response: Any) -> str:
        kind: str = response.WhichOneof("payload")
        if kind == "started":
            self.started = response.started
            self.decoder = decoder_for(response.started.config.frame_format)
        elif kind == "frames":
            batch = response.frames
            self.batches.append([len(frame.data) for frame in batch.frames])
            self.messages.extend(batch.frames)
            for frame in decode_batch(self.decoder, batch):
                self.frames.setdefault(batch.utterance_id, []).append(frame.pixels)
                self.offsets.setdefault(batch.utterance_id, []).append(frame.offset_s or 0.0)
        elif kind == "utterance_started":
            self.begun.append(response.utterance_started)
        elif kind == "utterance_summary":
            self.summaries.append(response.utterance_summary)
        else:
            self.statistics = response.statistics
        return kind


@dataclass
class Client:
    """A real client of a real server on a unix socket."""

    stub: Any
    canvas: frame_pb2.Canvas
    picture: Rgba

    def config(self, **fields: Any) -> pb.AnimateRequest:
        merged = {"canvas_sha256": self.canvas.sha256} | fields
        return pb.AnimateRequest(config=pb.AnimateConfig(**merged))

    def line(self, name: str = "u", **fields: Any) -> list[pb.AnimateRequest]:
        return [
            pb.AnimateRequest(utterance=pb.AnimateUtterance(utterance_id=name, **fields)),
            cue_batch(CUES),
            pb.AnimateRequest(utterance_end=session_pb2.UtteranceEnd()),
        ]

    async def animate(self, requests: Iterable[pb.AnimateRequest]) -> Reply:
        return await collect(keep_status(self.stub.Animate(iter(list(requests)))))

    async def render(self, requests: Iterable[pb.RenderPosesRequest]) -> Reply:
        return await collect(keep_status(self.stub.RenderPoses(iter(list(requests)))))

    async def lend_canvas(self) -> None:
        """Make the server know the canvas."""
        reply = await self.animate(
            [self.config(), pb.AnimateRequest(canvas=self.canvas), *self.line("warm")]
        )
        assert reply.statistics.frame_count == 25

    async def lend_canvas_again(self) -> None:
        """Check that the server still serves, and still knows the canvas."""
        reply = await self.animate([self.config(), *self.line("again")])
        assert not reply.started.canvas_needed
        assert reply.statistics.frame_count == 25


async def collect(call: Any) -> Reply:
    reply = Reply()
    try:
        async for response in call:
            reply.add(response)
    except grpc.aio.AioRpcError as error:
        raise translate_rpc_error(error) from error
    return reply


def talker_pack(folder: Path) -> Path:
    """Return the pack of the talking tiny model below ``folder``."""
    pack = folder / "talker"
    if not pack.exists():
        write_pack(pack, talker_stages(), parameters=talker_parameters(), name="talker")
    return pack


def canvas_of(picture: Rgba) -> frame_pb2.Canvas:
    return frame_pb2.Canvas(sha256=canvas_hash(picture), png=encode_png(picture))


@asynccontextmanager
async def service(tmp_path: Path, picture: Rgba, **changes: Any) -> AsyncIterator[Client]:
    values: dict[str, Any] = {
        "address": f"unix:{tmp_path}/s",
        "models": (talker_pack(tmp_path),),
        "workers": 2,
        "threads_per_run": 1,
        "max_batch": 1,
        "default_quantum": 0.0,
    }
    settings = PoseSettings(**(values | changes))
    canvas = canvas_of(picture)
    async with serving(settings, build) as address, connect(address) as peer:
        yield Client(PoseServiceStub(peer.channel), canvas, picture)


def expected_poses(name: str, client: Client, **options: Any) -> NDArray[np.float32]:
    seed = options.pop("seed", seed_from(client.canvas.sha256, name))
    return animate(CUES, options=AnimationOptions(seed=seed, **options)).poses


def assert_frames(frames: Sequence[Rgba], poses: NDArray[np.float32], picture: Rgba) -> None:
    assert len(frames) == len(poses)
    for frame, pose in zip(frames, poses, strict=True):
        assert_frame(frame, picture, talker_pose(pose))
