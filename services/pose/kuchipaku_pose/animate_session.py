"""Animate: utterances of cues and expressions in, animated frames out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import animation_pb2, cue_pb2, session_pb2
from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.convert import (
    check_count,
    complete_format,
    converted,
    cues_of,
    duration,
    expressions_of,
    pick,
    seconds,
    signed_seconds,
    statistics_message,
)
from kuchipaku_pose.engine import Character
from kuchipaku_pose.framestream import FrameStream
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.pacing import RealTime
from kuchipaku_pose.session import Session, SessionContext, batches
from kuchipaku_pose.utterance import Opening, Utterance, complete_animation, seed_of

DEFAULT_MAX_LEAD_S = 0.1
MAX_LEAD_S = 10.0
_MAX_WAITING_UTTERANCES = 256
_MAX_WAITING_KEYS = 2 * LIMITS.max_cues
"""Cues and expression keys of all utterances that have not been played to their end."""
_MOST_LATE_FRAMES = 1000
"""Poses that are made at once to be left out, where a stream has fallen behind."""
_MAX_START_DELAY_S = 1000.0
_CUES_AT_ONCE = 4096
"""More of one message are taken in parts, so that other calls have their turn between them."""


class AnimateSession(Session[pb.AnimateRequest, pb.AnimateResponse]):
    """One Animate call."""

    def __init__(self, context: SessionContext) -> None:
        super().__init__(context)
        self._config = pb.AnimateConfig()
        self._model: PoseModel
        self._utterances: deque[Utterance] = deque()
        """Not yet finished, the one being played first."""
        self._open: Utterance | None = None
        """The one that input belongs to."""
        self._discarding = False
        """Whether input belongs to an utterance that has been interrupted."""
        self._ids: set[str] = set()

    def start(self, request: pb.AnimateRequest) -> pb.AnimateResponse:
        """Take the config."""
        config = request.config
        self._model = self.context.models.get(config.model, field="config.model")
        engine = self._model.engine
        self._config = pb.AnimateConfig(
            model=self._model.name,
            canvas_sha256=config.canvas_sha256,
            frame_format=complete_format(config.frame_format, engine.canvas_side),
            animation=complete_animation(
                config.animation, self.context.default_quantum, "config.animation"
            ),
            pacing=config.pacing or session_pb2.PACING_FASTEST,
            max_lead=duration(_max_lead_s(config)),
        )
        if config.HasField("initial_credit"):
            self._config.initial_credit = config.initial_credit
        pick(_PACINGS, self._config.pacing, "config.pacing")
        needed = self.use_canvas(engine, config.canvas_sha256)
        started = pb.AnimateStarted(
            config=self._config,
            model_version=engine.pack.manifest.version,
            canvas_needed=needed,
        )
        probe = Utterance(Opening("", self._config.animation, seed=0), self._model)
        if probe.look_ahead_s is not None:
            started.look_ahead.CopyFrom(duration(probe.look_ahead_s))
        return pb.AnimateResponse(started=started)

    async def handle(self, kind: str, request: pb.AnimateRequest) -> None:
        """Take a message of an utterance, or an interruption."""
        if kind == "utterance":
            self._begin(request.utterance)
        elif kind == "interrupt":
            self._interrupt(request.interrupt)
        elif not self._discarding:
            await self._add(kind, request)
        elif kind == "utterance_end":
            self._discarding = False

    async def finish_input(self) -> None:
        """End the utterance that is still open."""
        if self._open is not None:
            self._open.end(None)
            self._open = None

    async def play(self, character: Character) -> AsyncGenerator[pb.AnimateResponse, None]:
        """Yield all utterances in turn and the statistics."""
        stream = self.make_stream(
            self._model.engine, character, self._config.frame_format, self._real_time()
        )
        while True:
            self.check_failure()
            if self._utterances:
                utterance = self._utterances[0]
                async with aclosing(self._play_one(utterance, stream)) as part:
                    async for response in part:
                        yield response
                self._utterances.popleft()
            elif self.input_ended:
                break
            else:
                await self.wait(stream)
        yield pb.AnimateResponse(statistics=statistics_message(self.statistics))

    async def _play_one(
        self, utterance: Utterance, stream: FrameStream
    ) -> AsyncGenerator[pb.AnimateResponse, None]:
        if not utterance.interrupted:
            yield pb.AnimateResponse(
                utterance_started=pb.AnimateUtteranceStarted(
                    utterance_id=utterance.utterance_id, seed=utterance.seed
                )
            )
        sent, dropped = self.statistics.frames, self.statistics.dropped
        played_s = 0.0
        began_at = self.context.scheduler.clock()
        while not utterance.interrupted:
            self.check_failure()
            self._feed(stream, utterance, began_at)
            frames = await stream.collect()
            if frames:
                played_s = frames[-1].offset_s + 1 / utterance.fps
                for batch in batches(
                    frames, utterance_id=utterance.utterance_id, epoch=stream.epoch
                ):
                    yield pb.AnimateResponse(frames=batch)
            elif utterance.exhausted and stream.idle:
                played_s = utterance.duration_s
                break
            else:
                await self.wait(stream)
        stream.cancel()
        stream.restart_clock(None if utterance.interrupted else played_s)
        yield pb.AnimateResponse(
            utterance_summary=session_pb2.UtteranceSummary(
                utterance_id=utterance.utterance_id,
                duration=duration(played_s),
                frame_count=self.statistics.frames - sent,
                dropped_frame_count=self.statistics.dropped - dropped,
                interrupted=utterance.interrupted,
            )
        )

    def _feed(self, stream: FrameStream, utterance: Utterance, began_at: float) -> None:
        """Make a few poses: those made already know nothing of expressions still to come."""
        if utterance.starts_at is not None:
            stream.set_clock(utterance.starts_at)
        window = self.context.window
        # Poses cost less by the handful than one by one.
        if 2 * stream.pending >= window:
            return
        ahead = int(_max_lead_s(self._config) * utterance.fps / 2) if stream.is_live else 0
        late = utterance.frames_before(stream.too_late_before())
        limit = 2 * window - stream.pending + ahead + min(late, _MOST_LATE_FRAMES)
        pulled = utterance.pull(limit)
        # Rounded by the animation already; this makes equal poses equal bytes.
        poses = self._model.engine.space.quantise(self._model.fit(pulled.track.poses), 0.0)
        # Before its turn came an utterance could not be played, however long it was known.
        known_at = [max(began_at, at) for at in pulled.known_at]
        stream.put(poses, pulled.track.times.tolist(), known_at, last=utterance.exhausted)

    def _real_time(self) -> RealTime | None:
        if self._config.pacing != session_pb2.PACING_REAL_TIME:
            return None
        return RealTime(_max_lead_s(self._config), self.context.late_tolerance_s)

    def _begin(self, message: pb.AnimateUtterance) -> None:
        if self._open is not None:
            raise FailedPreconditionError(
                f"The utterance {self._open.utterance_id!r} has not been ended.",
                reason="UTTERANCE_NOT_ENDED",
                field="utterance",
            )
        self.check_backlog(len(self._utterances) + 1, _MAX_WAITING_UTTERANCES, "utterances")
        self._check_id(message.utterance_id)
        options = self._config.animation
        if message.HasField("animation"):
            options = complete_animation(
                message.animation, self.context.default_quantum, "utterance.animation"
            )
        opening = Opening(
            message.utterance_id,
            options,
            seed_of(options, self._config.canvas_sha256, message.utterance_id),
            seconds(message.resume_offset, "utterance.resume_offset"),
        )
        self._discarding = False
        self._open = Utterance(opening, self._model, self.context.scheduler.clock)
        self._utterances.append(self._open)

    def _check_id(self, utterance_id: str) -> None:
        if not 1 <= len(utterance_id) <= LIMITS.max_utterance_id_chars:
            raise InvalidArgumentError(
                f"An utterance's id has 1 to {LIMITS.max_utterance_id_chars} characters.",
                reason="UTTERANCE_ID_INVALID",
                field="utterance.utterance_id",
            )
        if utterance_id in self._ids:
            raise InvalidArgumentError(
                f"There has been an utterance {utterance_id!r} in this stream.",
                reason="UTTERANCE_ID_TAKEN",
                field="utterance.utterance_id",
            )
        if len(self._ids) >= LIMITS.max_utterances_per_stream:
            raise ResourceExhaustedError(
                "The stream has had all its utterances; open a new one.",
                reason="TOO_MANY_UTTERANCES",
                retry_after_s=0.0,
                limit=LIMITS.max_utterances_per_stream,
            )
        self._ids.add(utterance_id)

    async def _add(self, kind: str, request: pb.AnimateRequest) -> None:
        utterance = self._open
        if utterance is None:
            raise FailedPreconditionError(
                f"{kind} came outside an utterance.", reason="UTTERANCE_MISSING", field=kind
            )
        if kind == "cues":
            await self._add_cues(utterance, request.cues)
        elif kind == "expressions":
            await self._add_expressions(utterance, request.expressions)
        elif kind == "clock":
            utterance.starts_at = self.context.scheduler.clock() + _start_delay_s(request.clock)
        else:
            end = request.utterance_end
            length = (
                seconds(end.duration, "utterance_end.duration")
                if end.HasField("duration")
                else None
            )
            utterance.end(length)
            self._open = None

    async def _add_cues(self, utterance: Utterance, batch: cue_pb2.CueBatch) -> None:
        count = len(batch.cues)
        check_count(count, LIMITS.max_cues, "cues.cues", "TOO_MANY_CUES")
        self._check_keys(count)
        cues = await converted(partial(cues_of, batch), count)
        for first in range(0, count, _CUES_AT_ONCE):
            if first:
                await asyncio.sleep(0)
            utterance.push_cues(cues[first : first + _CUES_AT_ONCE], first=first)

    async def _add_expressions(
        self, utterance: Utterance, batch: animation_pb2.ExpressionBatch
    ) -> None:
        count = len(batch.keys)
        check_count(count, LIMITS.max_expressions, "expressions.keys", "TOO_MANY_EXPRESSIONS")
        self._check_keys(count)
        utterance.push_expressions(await converted(partial(expressions_of, batch), count))

    def _check_keys(self, more: int) -> None:
        held = sum(utterance.size for utterance in self._utterances)
        self.check_backlog(held + more, _MAX_WAITING_KEYS, "cues and expressions")

    def _interrupt(self, interrupt: session_pb2.Interrupt) -> None:
        waiting = list(self._utterances)
        # One that was interrupted before stays here until its summary has been sent.
        chosen = [
            i
            for i, utterance in enumerate(waiting)
            if (
                utterance.utterance_id == interrupt.utterance_id
                if interrupt.utterance_id
                else not utterance.interrupted
            )
        ]
        if not chosen:
            return
        behind = waiting[chosen[0] :]
        for utterance in behind if interrupt.queued_too else behind[:1]:
            utterance.interrupt()
            if utterance is self._open:
                self._open = None
                self._discarding = True


_PACINGS: Mapping[int, bool] = {
    session_pb2.PACING_FASTEST: True,
    session_pb2.PACING_REAL_TIME: True,
}


def _start_delay_s(clock: pb.AnimateClock) -> float:
    field = "clock.start_delay"
    delay_s = signed_seconds(clock.start_delay, field)
    if abs(delay_s) > _MAX_START_DELAY_S:
        raise InvalidArgumentError(
            f"start_delay must lie within {_MAX_START_DELAY_S:g} s.",
            reason="START_DELAY_OUT_OF_RANGE",
            field=field,
            maximum=_MAX_START_DELAY_S,
        )
    return delay_s


def _max_lead_s(config: pb.AnimateConfig) -> float:
    if not config.HasField("max_lead"):
        return DEFAULT_MAX_LEAD_S
    lead = seconds(config.max_lead, "config.max_lead")
    if lead > MAX_LEAD_S:
        raise InvalidArgumentError(
            f"max_lead must be at most {MAX_LEAD_S:g} s.",
            reason="MAX_LEAD_OUT_OF_RANGE",
            field="config.max_lead",
            maximum=MAX_LEAD_S,
        )
    return lead
