"""One recording into one video file: `RenderVideo`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor_pb
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.streams import check_chunk, misplaced

from .characters import Character
from .peers import Context, Peers, translated
from .pipeline import Feed, Job, Outcome, Pipeline, seconds
from .streams import Send, together

_UTTERANCE = "video"


class Film:
    """The making of one video: audio to lip sync and compositor, frames to the compositor."""

    def __init__(
        self, config: pb.RenderVideoConfig, character: Character, peers: Peers, pipeline: Pipeline
    ) -> None:
        """Make a film as `config` says."""
        self._config = config
        self._character = character
        self._peers = peers
        self._pipeline = pipeline
        self._feed = Feed()
        self._to_compositor: asyncio.Queue[compositor_pb.ComposeVideoRequest | None] = (
            asyncio.Queue(8)
        )
        self._compositor_ready = asyncio.Event()
        self._composed = compositor_pb.ComposeVideoSummary()
        self._frames_seen = 0
        self._frames_expected = 0

    async def run(
        self,
        requests: AsyncIterator[pb.RenderVideoRequest],
        send: Send[pb.RenderVideoResponse],
        context: Context,
    ) -> None:
        """Serve the call to its end; `requests` are those behind the config."""
        self._send = send
        with translated("compositor"):
            call = self._peers.compositor.ComposeVideo(**self._peers.connection.options(context))
            try:
                async with together() as tasks:
                    tasks.create_task(self._read(requests))
                    tasks.create_task(self._write_to_compositor(call))
                    composing = tasks.create_task(self._read_from_compositor(call))
                    outcome = await self._pipeline.run(self._job(), self._feed, self)
                    await self._to_compositor.put(None)
                    composing_seconds = await composing
            finally:
                call.cancel()
        outcome.stage_seconds["compositor"] = composing_seconds
        await send(pb.RenderVideoResponse(summary=self._summary(outcome)))

    def _job(self) -> Job:
        config = self._config
        animation = animation_pb2.AnimationOptions()
        animation.CopyFrom(config.animation)
        if not animation.expression:
            animation.expression = self._character.expression
        frame_format = frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_DELTA_ZSTD,
            width_px=config.width_px,
            height_px=config.height_px,
        )
        if config.HasField("crop"):
            frame_format.crop.CopyFrom(config.crop)
        return Job(
            utterance=pose_pb.AnimateUtterance(utterance_id=_UTTERANCE),
            animate=pose_pb.AnimateConfig(
                model=config.pose_model or self._character.pose_model,
                canvas_sha256=self._character.canvas_sha256,
                frame_format=frame_format,
                animation=animation,
                pacing=session_pb2.PACING_FASTEST,
            ),
            recognize=lipsync_pb.RecognizeCuesConfig(
                audio_format=config.audio_format, text=config.text, recognizer=config.recognizer
            ),
        )

    async def _read(self, requests: AsyncIterator[pb.RenderVideoRequest]) -> None:
        async for request in requests:
            kind = request.WhichOneof("payload")
            if kind == "audio":
                await self._read_audio(request.audio)
            elif kind == "expressions":
                expressions = pose_pb.AnimateRequest(expressions=request.expressions)
                self._feed.controls.put_nowait(expressions)
            else:
                raise misplaced(kind)
        self._feed.audio.put_nowait(None)

    async def _read_audio(self, chunk: audio_pb2.AudioChunk) -> None:
        check_chunk(chunk.data)
        self._feed.audio.put_nowait(chunk.data)
        # The compositor takes the config first, which is known when the pose service has answered.
        await self._compositor_ready.wait()
        await self._to_compositor.put(compositor_pb.ComposeVideoRequest(audio=chunk))

    async def _write_to_compositor(self, call: _ComposeCall) -> None:
        while (request := await self._to_compositor.get()) is not None:
            await call.write(request)
        await call.done_writing()

    async def _read_from_compositor(self, call: _ComposeCall) -> float:
        begun = time.monotonic()
        while isinstance(answer := await call.read(), compositor_pb.ComposeVideoResponse):
            kind = answer.WhichOneof("payload")
            if kind == "started":
                started = pb.RenderVideoStarted(
                    config=self._config, media_type=answer.started.media_type
                )
                started.config.background.ClearField("image")
                await self._send(pb.RenderVideoResponse(started=started))
            elif kind == "chunk":
                await self._send(pb.RenderVideoResponse(chunk=answer.chunk))
            elif kind == "summary":
                self._composed = answer.summary
        return time.monotonic() - begun

    # What the pipeline tells

    async def on_animation_started(self, started: pose_pb.AnimateStarted) -> None:
        """Open the compositor with the format of the frames that will come."""
        self._config.animation.CopyFrom(started.config.animation)
        self._config.pose_model = started.config.model
        config = compositor_pb.ComposeVideoConfig(
            container=self._config.container,
            frame_format=started.config.frame_format,
            frames_per_second=started.config.animation.frames_per_second,
            audio_format=self._config.audio_format,
            quality=self._config.quality,
        )
        if self._config.HasField("background"):
            config.background.CopyFrom(self._config.background)
        await self._to_compositor.put(compositor_pb.ComposeVideoRequest(config=config))
        self._compositor_ready.set()

    async def on_utterance_started(self, utterance_id: str, seed: int) -> None:
        """Nothing to tell."""

    async def on_cues(self, cues: cue_pb2.CueBatch) -> None:
        """Pass them on, and learn how many frames there will be."""
        if cues.cues:
            end = seconds(cues.cues[-1].end_offset)
            rate = self._config.animation.frames_per_second
            self._frames_expected = max(1, round(end * rate))
        await self._send(pb.RenderVideoResponse(cues=cues))

    async def on_progress(self, stage: str, fraction: float) -> None:
        """Pass it on."""
        progress = pb.RenderVideoProgress(stage=stage, fraction=fraction)
        await self._send(pb.RenderVideoResponse(progress=progress))

    async def on_frames(self, frames: frame_pb2.FrameBatch) -> None:
        """Hand them to the compositor."""
        self._frames_seen += len(frames.frames)
        await self._to_compositor.put(compositor_pb.ComposeVideoRequest(frames=frames))
        if self._frames_expected:
            await self.on_progress("render", min(1.0, self._frames_seen / self._frames_expected))

    def _summary(self, outcome: Outcome) -> pb.RenderVideoSummary:
        times = [
            pb.StageTime(
                stage=stage, duration=Duration(seconds=int(s), nanos=int(s % 1 * 1_000_000_000))
            )
            for stage, s in outcome.stage_seconds.items()
        ]
        return pb.RenderVideoSummary(
            duration=self._composed.duration,
            frame_count=self._composed.frame_count,
            size_bytes=self._composed.size_bytes,
            recognizer=outcome.recognition.recognizer,
            warnings=outcome.recognition.warnings,
            statistics=outcome.statistics,
            stage_times=times,
        )


class _ComposeCall(Protocol):
    """The part of a bidirectional call that is used here."""

    async def write(self, request: compositor_pb.ComposeVideoRequest) -> None: ...
    async def done_writing(self) -> None: ...
    async def read(self) -> compositor_pb.ComposeVideoResponse | object: ...
