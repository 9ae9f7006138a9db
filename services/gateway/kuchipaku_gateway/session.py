"""A live session: `Speak`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    ResourceExhaustedError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import misplaced
from kuchipaku_runtime.tracing import Tracer, current_traceparent

from .characters import Character
from .clock import SessionClock, now, seconds_of
from .convert import to_message
from .credit import SessionCredit, credit_exhausted
from .drawing import Drawing, Drawn
from .feed import Feed, Room
from .framing import pose_fields, renamed
from .listening import Heard, Listening
from .metrics import SessionMetrics
from .mouth import animation_of
from .opening import Opener
from .scope import Scope
from .statistics import add_statistics
from .streams import Send, together
from .utterance import (
    Utterance,
    check_duration,
    check_utterance,
    recognize_config,
    timing_input,
)

# While one utterance is spoken the next one is listened to, so that no pause is heard between them.
_LISTENED_TO = 2


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the settings say about sessions."""

    room_bytes: int
    """What may wait in a session."""
    idle_timeout_s: float
    """How long a session may do nothing."""
    metrics: SessionMetrics
    tracer: Tracer
    opener: Opener


class SpeakSession:
    """Reads a client's messages and speaks its utterances one after the other."""

    def __init__(
        self,
        config: pb.SpeakConfig,
        character: Character,
        scope: Scope,
        options: SessionOptions,
    ) -> None:
        """Serve the call of `scope`. Raises like `SessionClock`, and CREDIT_OUT_OF_RANGE."""
        self._config = config
        self._character = character
        self._scope = scope
        self._options = options
        self._room = Room(options.room_bytes)
        self._to_hear: asyncio.Queue[Utterance | None] = asyncio.Queue()
        self._to_speak: asyncio.Queue[Utterance | None] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(_LISTENED_TO)
        self._latest: Utterance | None = None
        self._unfinished: list[Utterance] = []
        self._names: set[str] = set()
        self._credit = SessionCredit(config)
        self._active_at = 0.0
        self._clock = SessionClock(config)
        self._look_ahead_s = 0.0
        self._statistics = pose_pb.RenderStatistics()

    async def run(
        self, requests: AsyncIterator[pb.SpeakRequest], send: Send[pb.SpeakResponse]
    ) -> None:
        """Serve the session to its end; `requests` are those behind the config."""
        self._emit = send
        await send(pb.SpeakResponse(started=await self._open()))
        self._touch()
        try:
            async with together() as tasks:
                watchdog = tasks.create_task(self._watch_idleness())
                tasks.create_task(self._read(requests))
                tasks.create_task(self._listen())
                await self._speak()
                watchdog.cancel()
        finally:
            for utterance in self._unfinished:
                utterance.span.end("the session ended")
        await send(pb.SpeakResponse(statistics=self._statistics))

    async def _open(self) -> pb.SpeakStarted:
        """Have the services behind check config and canvas. Returns what is in effect."""
        effective = pb.SpeakConfig()
        effective.CopyFrom(self._config)
        started = pb.SpeakStarted(config=effective, character=to_message(self._character))
        draws = not self._config.frames_disabled
        with renamed(pose_fields(self._config.pose_model)):
            told = await self._options.opener.open(
                self._scope,
                recognize_config(self._config, pb.SpeakUtterance()),
                self._animate_config(self._config.animation) if draws else None,
            )
        if draws:
            started.config.pose_model = told.config.model
            started.config.frame_format.CopyFrom(told.config.frame_format)
            started.config.animation.CopyFrom(told.config.animation)
            started.config.pacing = told.config.pacing
            started.config.max_lead.CopyFrom(told.config.max_lead)
            started.pose_model_version = told.model_version
            started.look_ahead.CopyFrom(told.look_ahead)
            self._look_ahead_s = seconds_of(told.look_ahead)
        return started

    # Reading

    async def _read(self, requests: AsyncIterator[pb.SpeakRequest]) -> None:
        async for request in requests:
            self._touch()
            kind = request.WhichOneof("payload")
            if kind is None or kind == "config":
                raise misplaced(kind)
            if kind == "utterance":
                self._begin(request.utterance)
            elif kind == "interrupt":
                self._interrupt(request.interrupt)
            elif kind == "credit":
                self._add_credit(request.credit)
            else:
                if self._latest is None:
                    # The simplest of clients: config, audio, end.
                    self._begin(pb.SpeakUtterance())
                assert self._latest is not None  # noqa: S101 - begun just now
                self._latest.add(request, kind)
                if kind == timing_input(self._latest.spec.timing):
                    self._clock.heard(self._latest, len(request.audio.data))
                    self._tell_clock(self._latest)
        self._end_latest()
        self._to_hear.put_nowait(None)
        self._to_speak.put_nowait(None)
        self._half_close()

    def _half_close(self) -> None:
        if self._credit.half_close():
            self._tell_speaking(session_pb2.FrameCredit(frame_count=1))

    def _tell_speaking(self, credit: session_pb2.FrameCredit) -> None:
        for utterance in self._unfinished:
            if utterance.speaking:
                utterance.feed.add(pose_pb.AnimateRequest(credit=credit))

    def _begin(self, spec: pb.SpeakUtterance) -> None:
        self._end_latest()
        check_utterance(spec, frames_disabled=self._config.frames_disabled)
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
        # However many wait for their turn, what they say of themselves counts.
        feed = Feed(self._room)
        feed.hold(spec.ByteSize())
        self._names.add(spec.utterance_id)
        span = self._options.tracer.start(
            "utterance",
            link=current_traceparent(),
            attributes={"kuchipaku.utterance_id": spec.utterance_id},
        )
        self._latest = Utterance(spec, feed, span=span)
        self._unfinished.append(self._latest)
        self._to_hear.put_nowait(self._latest)
        self._to_speak.put_nowait(self._latest)

    def _end_latest(self) -> None:
        if self._latest is not None:
            self._latest.end(session_pb2.UtteranceEnd())

    def _interrupt(self, interrupt: session_pb2.Interrupt) -> None:
        chosen = [
            index
            for index, utterance in enumerate(self._unfinished)
            if (
                utterance.name == interrupt.utterance_id
                if interrupt.utterance_id
                # One that was interrupted before stays here until its summary has been sent.
                else not utterance.feed.interrupted.is_set()
            )
        ]
        if not chosen:
            return
        behind = self._unfinished[chosen[0] :]
        for utterance in behind if interrupt.queued_too else behind[:1]:
            utterance.feed.interrupt()
        self._credit.look_again()

    def _add_credit(self, credit: session_pb2.FrameCredit) -> None:
        self._credit.add(credit.frame_count)
        self._tell_speaking(credit)

    def _tell_clock(self, utterance: Utterance) -> None:
        """Tell pose the clock of an utterance that has its turn, as soon as it is known."""
        if utterance.playing and (message := self._clock.tell(utterance)) is not None:
            utterance.feed.add(message)

    def _touch(self) -> None:
        self._active_at = now()

    async def _watch_idleness(self) -> None:
        limit = self._options.idle_timeout_s
        while True:
            idle = now() - self._active_at
            if idle >= limit and not self._unfinished:
                raise DeadlineExceededError(
                    f"Nothing has come for {limit:.0f} s.", reason="SESSION_IDLE", limit_s=limit
                )
            await asyncio.sleep(max(0.1, limit - idle))

    # Listening

    async def _listen(self) -> None:
        while (utterance := await self._to_hear.get()) is not None:
            await self._ahead.acquire()
            heard = Heard()
            if utterance.recognises and not utterance.feed.interrupted.is_set():
                with utterance.span.active():
                    heard = await self._hear(utterance)
            utterance.heard.set_result(heard)

    async def _hear(self, utterance: Utterance) -> Heard:
        async def pass_on(cues: cue_pb2.CueBatch) -> None:
            self._clock.listening_live(utterance, latency_s + self._look_ahead_s)
            self._tell_clock(utterance)
            if cues.cues and draws:
                check_duration(cues.cues[-1].end_offset)
            batch = pb.SpeakCues(utterance_id=utterance.name, cues=cues.cues)
            await self._emit(pb.SpeakResponse(cues=batch))
            utterance.feed.add(pose_pb.AnimateRequest(cues=cues))

        draws = not self._config.frames_disabled
        config = recognize_config(self._config, utterance.spec)
        listening = await Listening.open(self._scope, config)
        latency_s = seconds_of(listening.started.config.live_latency)
        heard = await listening.run(utterance.feed, pass_on)
        if draws:
            check_duration(heard.summary.duration)
        end = utterance.end_after(heard.summary)
        utterance.feed.add(pose_pb.AnimateRequest(utterance_end=end))
        return heard

    # Speaking

    async def _speak(self) -> None:
        while (utterance := await self._to_speak.get()) is not None:
            with utterance.span.active():
                drawn = await self._draw(utterance)
            heard = await utterance.heard
            if drawn is None:
                drawn = Drawn()
                drawn.summary.duration.CopyFrom(heard.summary.duration)
            drawn.summary.utterance_id = utterance.name
            drawn.summary.interrupted = utterance.feed.interrupted.is_set()
            add_statistics(self._statistics, drawn.statistics)
            self._ahead.release()
            self._unfinished.remove(utterance)
            utterance.span.end()
            utterance.feed.close()
            self._touch()
            summary = pb.SpeakUtteranceSummary(
                summary=drawn.summary,
                recognizer=heard.summary.recognizer,
                warnings=heard.summary.warnings,
            )
            await self._emit(pb.SpeakResponse(utterance_summary=summary))

    async def _draw(self, utterance: Utterance) -> Drawn | None:
        """Draw one utterance; None where nothing is to be drawn."""
        interrupted = utterance.feed.interrupted
        if self._config.frames_disabled:
            return None
        await self._credit.some(interrupted)
        await self._clock.turn(interrupted)
        if interrupted.is_set():
            return None
        spec = utterance.spec
        animation = spec.animation if spec.HasField("animation") else self._config.animation
        config = self._animate_config(animation)
        if (credit := self._credit.for_pose) is not None:
            config.initial_credit = credit
        # From here on, credit goes to the stream as it comes.
        utterance.speaking = True
        fields = pose_fields(self._config.pose_model)
        if spec.HasField("animation"):
            fields["config.animation."] = "utterance.animation."
        with renamed(fields):
            drawing = await Drawing.open(self._scope, config)
        start = pose_pb.AnimateUtterance(utterance_id=spec.utterance_id)
        if spec.HasField("resume_offset"):
            start.resume_offset.CopyFrom(spec.resume_offset)

        begun_at = 0.0
        clock = self._clock.tell(utterance)
        utterance.playing = True
        watch = self._options.metrics.watch()

        async def on_frames(frames: frame_pb2.FrameBatch) -> None:
            nonlocal begun_at
            begun_at = begun_at or now()
            if interrupted.is_set():
                return
            beyond = self._credit.spend(frames)
            if frames.frames:
                await self._emit(pb.SpeakResponse(frames=frames))
                watch.passed_on(frames)
            if beyond:
                raise credit_exhausted()

        with renamed(fields):
            drawn = await drawing.run(start, utterance.feed, self._on_started, on_frames, clock)
        watch.ended(interrupted=interrupted.is_set())
        self._clock.ended(utterance, begun_at, seconds_of(drawn.summary.duration))
        return drawn

    async def _on_started(self, started: pose_pb.AnimateUtteranceStarted) -> None:
        message = pb.SpeakUtteranceStarted(utterance_id=started.utterance_id, seed=started.seed)
        await self._emit(pb.SpeakResponse(utterance_started=message))

    def _animate_config(self, animation: animation_pb2.AnimationOptions) -> pose_pb.AnimateConfig:
        config = pose_pb.AnimateConfig(
            model=self._config.pose_model or self._character.pose_model,
            canvas_sha256=self._character.canvas_sha256,
            frame_format=self._config.frame_format,
            animation=animation_of(self._character, animation),
            pacing=self._config.pacing,
        )
        if self._config.HasField("max_lead"):
            config.max_lead.CopyFrom(self._config.max_lead)
        return config
