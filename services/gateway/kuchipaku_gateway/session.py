"""A live session: `Speak`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnimplementedError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import check_chunk, misplaced

from .characters import Character
from .convert import to_message
from .pipeline import Feed, Job, Pipeline
from .statistics import add_statistics
from .streams import Send, together

_MAX_CREDIT = 100_000


@dataclass(slots=True, eq=False)
class _Utterance:
    """An utterance of the session, from its first message to its last frame."""

    spec: pb.SpeakUtterance
    feed: Feed
    begun: bool = False
    """The pipeline is working on it; before, its audio waits here."""
    waiting_bytes: int = 0
    closed: bool = False

    @property
    def recognises(self) -> bool:
        return self.spec.timing in (pb.TIMING_SOURCE_UNSPECIFIED, pb.TIMING_SOURCE_AUDIO)

    def close(self, end: session_pb2.UtteranceEnd) -> None:
        """No more input comes."""
        if self.closed:
            return
        self.closed = True
        self.feed.audio.put_nowait(None)
        if not self.recognises:
            self.feed.controls.put_nowait(pose_pb.AnimateRequest(utterance_end=end))


class SpeakSession:
    """Reads a client's messages and runs its utterances one after the other."""

    def __init__(
        self, config: pb.SpeakConfig, character: Character, pipeline: Pipeline, room_bytes: int
    ) -> None:
        """Serve one call; `room_bytes` bounds the audio of utterances not yet begun."""
        self._config = config
        self._character = character
        self._pipeline = pipeline
        self._room_bytes = room_bytes
        self._queue: asyncio.Queue[_Utterance | None] = asyncio.Queue()
        self._latest: _Utterance | None = None
        self._unfinished: list[_Utterance] = []
        self._names: set[str] = set()
        self._epoch = -1
        self._source_epoch: tuple[str, int] | None = None
        self._credit: int | None = None
        self._credited = asyncio.Event()
        self._send: Send[pb.SpeakResponse] | None = None
        self._current_id = ""
        self._announced = False
        self._statistics = pose_pb.RenderStatistics()

    async def run(
        self, requests: AsyncIterator[pb.SpeakRequest], send: Send[pb.SpeakResponse]
    ) -> None:
        """Serve the session to its end; `requests` are those behind the config."""
        self._send = send
        if self._config.frames_disabled:
            await self._announce("")
        async with together() as tasks:
            tasks.create_task(self._read(requests))
            tasks.create_task(self._work())
        await send(pb.SpeakResponse(statistics=self._statistics))

    # Reading

    async def _read(self, requests: AsyncIterator[pb.SpeakRequest]) -> None:
        async for request in requests:
            kind = request.WhichOneof("payload")
            if kind == "utterance":
                self._begin(request.utterance)
            elif kind == "interrupt":
                self._interrupt()
            elif kind == "credit":
                self._add_credit(request.credit.frame_count)
            elif kind in (None, "config"):
                raise misplaced(kind)
            else:
                self._feed(request, kind)
        if self._latest is not None:
            self._latest.close(session_pb2.UtteranceEnd())
        self._queue.put_nowait(None)

    def _begin(self, spec: pb.SpeakUtterance) -> None:
        if self._latest is not None:
            self._latest.close(session_pb2.UtteranceEnd())
        _check_utterance(spec)
        if len(self._names) >= LIMITS.max_utterances_per_stream:
            raise ResourceExhaustedError(
                "The session has had all its utterances; open a new one.",
                reason="TOO_MANY_UTTERANCES",
                retry_after_s=0.0,
                limit=LIMITS.max_utterances_per_stream,
            )
        if not spec.utterance_id:
            spec.utterance_id = str(len(self._names) + 1)
        if spec.utterance_id in self._names:
            raise InvalidArgumentError(
                "The session has had an utterance of this id.",
                reason="UTTERANCE_ID_TAKEN",
                field="utterance.utterance_id",
                utterance_id=spec.utterance_id,
            )
        self._names.add(spec.utterance_id)
        self._latest = _Utterance(spec, Feed())
        self._unfinished.append(self._latest)
        self._queue.put_nowait(self._latest)

    def _feed(self, request: pb.SpeakRequest, kind: str) -> None:
        if self._latest is None:
            # The simplest of clients: config, audio, end.
            self._begin(pb.SpeakUtterance())
        utterance = self._latest
        if utterance is None or utterance.closed:
            raise FailedPreconditionError(
                "The utterance has ended; begin another one.",
                reason="UTTERANCE_ENDED",
                field=kind,
            )
        if utterance.feed.interrupted.is_set() and kind != "utterance_end":
            return
        if kind == "audio":
            self._feed_audio(utterance, request.audio.data)
        elif kind == "utterance_end":
            utterance.close(request.utterance_end)
        elif kind == "expressions":
            expressions = pose_pb.AnimateRequest(expressions=request.expressions)
            utterance.feed.controls.put_nowait(expressions)
        elif kind == "cues" and not utterance.recognises:
            cues = pose_pb.AnimateRequest(cues=request.cues)
            utterance.feed.controls.put_nowait(cues)
        else:
            raise FailedPreconditionError(
                f"The utterance's timing does not come from {kind}.",
                reason="TIMING_SOURCE_MISMATCH",
                field=kind,
            )

    def _feed_audio(self, utterance: _Utterance, data: bytes) -> None:
        check_chunk(data)
        if not utterance.begun:
            utterance.waiting_bytes += len(data)
            if sum(one.waiting_bytes for one in self._unfinished) > self._room_bytes:
                raise ResourceExhaustedError(
                    "Too much audio waits for its turn; send utterances later.",
                    reason="SESSION_BACKLOG_FULL",
                    limit_bytes=self._room_bytes,
                )
        utterance.feed.audio.put_nowait(data)

    def _interrupt(self) -> None:
        for utterance in self._unfinished:
            utterance.feed.interrupt()
        self._credited.set()

    def _add_credit(self, frame_count: int) -> None:
        if not 1 <= frame_count <= _MAX_CREDIT:
            raise InvalidArgumentError(
                f"Credit is 1-{_MAX_CREDIT} frames.",
                reason="CREDIT_OUT_OF_RANGE",
                field="credit.frame_count",
            )
        self._credit = (self._credit or 0) + frame_count
        self._credited.set()
        credit = session_pb2.FrameCredit(frame_count=frame_count)
        for utterance in self._unfinished:
            if utterance.begun:
                request = pose_pb.AnimateRequest(credit=credit)
                utterance.feed.controls.put_nowait(request)

    # Working

    async def _work(self) -> None:
        while (utterance := await self._queue.get()) is not None:
            await self._speak(utterance)
            self._unfinished.remove(utterance)

    async def _speak(self, utterance: _Utterance) -> None:
        while self._credit == 0 and not utterance.feed.interrupted.is_set():
            self._credited.clear()
            await self._credited.wait()
        self._current_id = utterance.spec.utterance_id
        if utterance.feed.interrupted.is_set():
            summary = session_pb2.UtteranceSummary(utterance_id=self._current_id, interrupted=True)
            await self._emit(pb.SpeakResponse(utterance_summary=summary))
            return
        utterance.begun = True
        utterance.waiting_bytes = 0
        outcome = await self._pipeline.run(self._job(utterance), utterance.feed, self)
        add_statistics(self._statistics, outcome.statistics)
        await self._emit(pb.SpeakResponse(utterance_summary=outcome.summary))

    def _job(self, utterance: _Utterance) -> Job:
        spec, config = utterance.spec, self._config
        animation = spec.animation if spec.HasField("animation") else config.animation
        if not animation.expression:
            animation.expression = self._character.expression
        animate = pose_pb.AnimateConfig(
            model=config.pose_model or self._character.pose_model,
            canvas_sha256=self._character.canvas_sha256,
            frame_format=config.frame_format,
            animation=animation,
            pacing=config.pacing,
        )
        if config.HasField("max_lead"):
            animate.max_lead.CopyFrom(config.max_lead)
        start = pose_pb.AnimateUtterance(utterance_id=spec.utterance_id)
        if spec.HasField("resume_offset"):
            start.resume_offset.CopyFrom(spec.resume_offset)
        recognize = lipsync_pb.RecognizeCuesConfig(
            audio_format=config.audio_format, text=spec.text, recognizer=config.recognizer
        )
        credit = None
        if self._credit is not None:
            credit = session_pb2.FrameCredit(frame_count=min(self._credit, _MAX_CREDIT))
        return Job(
            utterance=start,
            animate=None if config.frames_disabled else animate,
            recognize=recognize if utterance.recognises else None,
            credit=credit,
        )

    # What the pipeline tells

    async def on_animation_started(self, started: pose_pb.AnimateStarted) -> None:
        """Tell the effective config once the pose service has told it."""
        if not self._announced:
            effective = started.config
            self._config.pose_model = effective.model
            self._config.frame_format.CopyFrom(effective.frame_format)
            self._config.animation.CopyFrom(effective.animation)
            self._config.pacing = effective.pacing
            await self._announce(started.model_version)

    async def on_utterance_started(self, utterance_id: str, seed: int) -> None:
        """Pass it on."""
        started = pb.SpeakUtteranceStarted(utterance_id=utterance_id, seed=seed)
        await self._emit(pb.SpeakResponse(utterance_started=started))

    async def on_cues(self, cues: cue_pb2.CueBatch) -> None:
        """Pass them on."""
        batch = pb.SpeakCues(utterance_id=self._current_id, cues=cues.cues)
        await self._emit(pb.SpeakResponse(cues=batch))

    async def on_progress(self, stage: str, fraction: float) -> None:
        """Nothing: a live client sees the frames themselves."""

    async def on_frames(self, frames: frame_pb2.FrameBatch) -> None:
        """Pass them on; epochs count through the session."""
        if self._source_epoch != (frames.utterance_id, frames.epoch):
            self._source_epoch = (frames.utterance_id, frames.epoch)
            self._epoch += 1
        frames.epoch = self._epoch
        if self._credit is not None:
            self._credit = max(0, self._credit - len(frames.frames))
        await self._emit(pb.SpeakResponse(frames=frames))

    async def _announce(self, version: str) -> None:
        self._announced = True
        started = pb.SpeakStarted(
            config=self._config, character=to_message(self._character), pose_model_version=version
        )
        await self._emit(pb.SpeakResponse(started=started))

    async def _emit(self, response: pb.SpeakResponse) -> None:
        if self._send is not None:
            await self._send(response)


def _check_utterance(spec: pb.SpeakUtterance) -> None:
    if len(spec.utterance_id) > LIMITS.max_utterance_id_chars:
        raise InvalidArgumentError(
            f"An utterance's id has at most {LIMITS.max_utterance_id_chars} characters.",
            reason="UTTERANCE_ID_TOO_LONG",
            field="utterance.utterance_id",
            limit=LIMITS.max_utterance_id_chars,
        )
    if len(spec.text) > LIMITS.max_text_chars:
        raise InvalidArgumentError(
            f"The text has at most {LIMITS.max_text_chars} characters.",
            reason="TEXT_TOO_LONG",
            field="utterance.text",
            limit=LIMITS.max_text_chars,
        )
    if spec.timing in (pb.TIMING_SOURCE_PHONES, pb.TIMING_SOURCE_VISEMES):
        raise UnimplementedError(
            "Phones and visemes in place of audio are not offered yet; send cues or audio.",
            reason="TIMING_SOURCE_NOT_OFFERED",
            field="utterance.timing",
        )
