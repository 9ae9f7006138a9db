"""One recording into one video file: `RenderVideo`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

from google.protobuf.duration_pb2 import Duration

from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor_pb
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import check_chunk, misplaced

from .calls import PeerStream, patiently
from .characters import Character
from .drawing import Drawing, Drawn
from .feed import Feed, Room
from .framing import frame_format, pose_fields, renamed
from .listening import Heard, Listening
from .mouth import animation_of
from .scope import Scope
from .streams import Send, together
from .utterance import check_text, check_timing, listens, recognises, timing_input, timings

_Compositor = PeerStream[compositor_pb.ComposeVideoRequest, compositor_pb.ComposeVideoResponse]

_UTTERANCE = "video"
_DEFAULT_FPS = 25.0
_FIELDS = {"config.frame_format.": "config."}


class Film:
    """The making of one video: audio to lip sync and compositor, frames to the compositor."""

    def __init__(self, config: pb.RenderVideoConfig, character: Character, scope: Scope) -> None:
        """Serve the call of `scope`. Raises what is wrong with the config."""
        check_text(config.text, "config.text")
        check_timing(config.timing, "config.timing")
        self._config = config
        self._character = character
        self._scope = scope
        # As much as the longest recording may have: nothing that is within the limits is refused.
        self._feed = Feed(Room(LIMITS.max_audio_bytes))
        self._to_compositor: asyncio.Queue[compositor_pb.ComposeVideoRequest | None]
        self._to_compositor = asyncio.Queue(8)
        self._composed = compositor_pb.ComposeVideoSummary()
        self._frames_seen = 0
        self._frames_expected = 0

    async def run(
        self, requests: AsyncIterator[pb.RenderVideoRequest], send: Send[pb.RenderVideoResponse]
    ) -> None:
        """Serve the call to its end; `requests` are those behind the config."""
        self._send = send
        begun = time.monotonic()
        with ExitStack() as calls:
            # Nothing of the recording is read before all three have accepted the work.
            compositor, composing = await self._open_compositor()
            calls.callback(compositor.cancel)
            fields = _FIELDS | pose_fields(self._config.pose_model)
            with renamed(fields):
                drawing = await Drawing.open(self._scope, self._animate_config())
            calls.callback(drawing.cancel)
            listening = await self._open_listening()
            if listening is not None:
                calls.callback(listening.cancel)
            await self._announce(composing, drawing, listening)
            async with together() as tasks:
                tasks.create_task(self._read(requests))
                tasks.create_task(self._write_to_compositor(compositor))
                finished = tasks.create_task(self._read_from_compositor(compositor))
                hearing = tasks.create_task(self._listen(listening))
                with renamed(fields):
                    drawn = await drawing.run(
                        pose_pb.AnimateUtterance(utterance_id=_UTTERANCE),
                        self._feed,
                        self._ignore,
                        self._on_frames,
                    )
                await self._to_compositor.put(None)
                await finished
                heard = await hearing
        composing_s = time.monotonic() - begun
        summary = self._summary(heard, drawn, composing_s)
        await send(pb.RenderVideoResponse(summary=summary))

    # Opening

    async def _open_compositor(self) -> tuple[_Compositor, compositor_pb.ComposeVideoStarted]:
        config = compositor_pb.ComposeVideoConfig(
            container=self._config.container,
            frame_format=self._frame_format(),
            frames_per_second=self._config.animation.frames_per_second or _DEFAULT_FPS,
            audio_format=self._config.audio_format,
            quality=self._config.quality,
        )
        if self._config.HasField("background"):
            config.background.CopyFrom(self._config.background)

        async def attempt() -> tuple[_Compositor, compositor_pb.ComposeVideoStarted]:
            peers = self._scope.peers
            options = peers.connection.options(self._scope.context)
            call = peers.compositor.ComposeVideo(**options)
            stream: _Compositor = PeerStream("compositor", call, compositor_pb.ComposeVideoResponse)
            try:
                request = compositor_pb.ComposeVideoRequest(config=config)
                with renamed(_FIELDS):
                    return stream, (await stream.first(request)).started
            except BaseException:
                stream.cancel()
                raise

        return await patiently(attempt, self._scope.patience_s)

    def _frame_format(self) -> frame_pb2.FrameFormat:
        return frame_format(self._config, has_crop=self._config.HasField("crop"))

    def _animate_config(self) -> pose_pb.AnimateConfig:
        config = pose_pb.AnimateConfig(
            model=self._config.pose_model or self._character.pose_model,
            canvas_sha256=self._character.canvas_sha256,
            frame_format=self._frame_format(),
            animation=animation_of(self._character, self._config.animation),
            pacing=session_pb2.PACING_FASTEST,
        )
        if not config.animation.frames_per_second:
            config.animation.frames_per_second = _DEFAULT_FPS
        return config

    async def _open_listening(self) -> Listening | None:
        if not recognises(self._config.timing):
            return None
        config = lipsync_pb.RecognizeCuesConfig()
        if listens(self._config.timing):
            config.audio_format.CopyFrom(self._config.audio_format)
            # Nobody watches yet: a slow upload is no reason to listen less exactly.
            config.whole = True
            config.text = self._config.text
            config.recognizer = self._config.recognizer
            config.language = self._config.language
        return await Listening.open(self._scope, config)

    async def _announce(
        self,
        composing: compositor_pb.ComposeVideoStarted,
        drawing: Drawing,
        listening: Listening | None,
    ) -> None:
        effective = pb.RenderVideoConfig()
        effective.CopyFrom(self._config)
        effective.container = composing.config.container
        effective.quality = composing.config.quality
        effective.background.CopyFrom(composing.config.background)
        drawn = drawing.started.config
        effective.pose_model = drawn.model
        effective.animation.CopyFrom(drawn.animation)
        effective.crop.CopyFrom(drawn.frame_format.crop)
        # What the file has, which may be a pixel more than the frames.
        effective.width_px = composing.width_px
        effective.height_px = composing.height_px
        if listening is not None and listens(self._config.timing):
            effective.recognizer = listening.started.config.recognizer
        self._fps = drawn.animation.frames_per_second
        started = pb.RenderVideoStarted(config=effective, media_type=composing.media_type)
        await self._send(pb.RenderVideoResponse(started=started))

    # Reading

    async def _read(self, requests: AsyncIterator[pb.RenderVideoRequest]) -> None:
        source = timing_input(self._config.timing)
        async for request in requests:
            kind = request.WhichOneof("payload")
            if kind == "audio":
                check_chunk(request.audio.data)
                if source == "audio":
                    self._feed.add_audio(request.audio.data)
                audio = compositor_pb.ComposeVideoRequest(audio=request.audio)
                await self._to_compositor.put(audio)
            elif kind == "expressions":
                self._feed.add(pose_pb.AnimateRequest(expressions=request.expressions))
            elif kind is None or kind == "config":
                raise misplaced(kind)
            elif kind == source == "cues":
                await self._on_cues(request.cues)
            elif kind == source:
                self._feed.add_speech(timings(request))
            else:
                raise FailedPreconditionError(
                    f"The video's timing does not come from {kind}.",
                    reason="TIMING_SOURCE_MISMATCH",
                    field=kind,
                )
        self._feed.end_audio()
        if source == "cues":
            end = session_pb2.UtteranceEnd()
            self._feed.add(pose_pb.AnimateRequest(utterance_end=end))

    # Working

    async def _listen(self, listening: Listening | None) -> Heard:
        if listening is None:
            return Heard()

        async def on_progress(fraction: float) -> None:
            await self._tell_progress("lipsync", fraction)

        heard = await listening.run(self._feed, self._on_cues, on_progress)
        end = session_pb2.UtteranceEnd(duration=heard.summary.duration)
        self._feed.add(pose_pb.AnimateRequest(utterance_end=end))
        return heard

    async def _on_cues(self, cues: cue_pb2.CueBatch) -> None:
        if cues.cues:
            end = cues.cues[-1].end_offset.ToTimedelta().total_seconds()
            self._frames_expected = max(1, round(end * self._fps))
        self._feed.add(pose_pb.AnimateRequest(cues=cues))
        await self._send(pb.RenderVideoResponse(cues=cues))

    async def _ignore(self, started: pose_pb.AnimateUtteranceStarted) -> None:
        """There is one utterance, and the client knows."""

    async def _on_frames(self, frames: frame_pb2.FrameBatch) -> None:
        self._frames_seen += len(frames.frames)
        await self._to_compositor.put(compositor_pb.ComposeVideoRequest(frames=frames))
        if self._frames_expected:
            await self._tell_progress("render", self._frames_seen / self._frames_expected)

    async def _tell_progress(self, stage: str, fraction: float) -> None:
        progress = pb.RenderVideoProgress(stage=stage, fraction=min(1.0, fraction))
        await self._send(pb.RenderVideoResponse(progress=progress))

    async def _write_to_compositor(self, stream: _Compositor) -> None:
        while (request := await self._to_compositor.get()) is not None:
            if not await stream.write(request):
                return
        await stream.done_writing()

    async def _read_from_compositor(self, stream: _Compositor) -> None:
        async for answer in stream.responses():
            kind = answer.WhichOneof("payload")
            if kind == "chunk":
                await self._send(pb.RenderVideoResponse(chunk=answer.chunk))
            elif kind == "summary":
                self._composed = answer.summary

    def _summary(self, heard: Heard, drawn: Drawn, seconds: float) -> pb.RenderVideoSummary:
        stages = {"lipsync": heard.seconds, "pose": drawn.seconds, "compositor": seconds}
        times = [
            pb.StageTime(
                stage=stage, duration=Duration(seconds=int(s), nanos=int(s % 1 * 1_000_000_000))
            )
            for stage, s in stages.items()
        ]
        return pb.RenderVideoSummary(
            duration=self._composed.duration,
            frame_count=self._composed.frame_count,
            size_bytes=self._composed.size_bytes,
            recognizer=heard.summary.recognizer,
            warnings=heard.summary.warnings,
            statistics=drawn.statistics,
            stage_times=times,
        )
