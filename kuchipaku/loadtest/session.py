"""One session of the generator: speaks by its own clock and notes when frames come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from kuchipaku.calls import keep_status
from kuchipaku.errors import error_from_rpc
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb2
from kuchipaku.type.v1 import animation_pb2, audio_pb2, frame_pb2, session_pb2
from kuchipaku_contract.limits import LIMITS

from .plan import Feed, LoadPlan
from .record import Refusal, Role, SessionRecord, SpokenLine
from .speech import RATE_HERTZ, Line

_GRACE_S = 15.0
_REFUSALS = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
_OPTIONS = (
    ("grpc.max_receive_message_length", LIMITS.max_message_bytes),
    # Sessions are clients of their own: each has its connection.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What one session does."""

    number: int
    role: Role
    character: str
    lines: Sequence[Line]
    """Spoken in order, from the first again behind the last."""
    begin_at: float
    end_at: float
    """No line begins later."""


class LoadSession:
    """Runs one `SessionSpec` against a gateway."""

    def __init__(self, plan: LoadPlan, spec: SessionSpec) -> None:
        """Prepare; `run` does it."""
        self._plan = plan
        self._spec = spec
        self._record = SessionRecord(spec.number, spec.role, spec.begin_at)
        self._lines: dict[str, SpokenLine] = {}
        self._opened = asyncio.Event()
        self._latency_s = plan.line_latency_s

    async def run(self) -> SessionRecord:
        """Open the session at its time, speak, and return what was seen."""
        await _sleep_until(self._spec.begin_at)
        self._record.begun_at = time.monotonic()
        key = self._plan.api_key
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        async with grpc.aio.insecure_channel(self._plan.target, options=_OPTIONS) as channel:
            # Connecting is not part of what is measured.
            with suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    await channel.channel_ready()
            self._record.begun_at = time.monotonic()
            stub = gateway_grpc.GatewayServiceStub(channel)
            call = keep_status(stub.Speak(self._requests(), metadata=metadata))
            await self._read(call)
        self._record.ended_at = time.monotonic()
        return self._record

    async def _read(
        self, call: grpc.aio.StreamStreamCall[gateway.SpeakRequest, gateway.SpeakResponse]
    ) -> None:
        limit = asyncio.get_running_loop().time() + (
            self._spec.end_at - time.monotonic() + 2 * 8.0 + self._latency_s + _GRACE_S
        )
        try:
            async with asyncio.timeout_at(limit):
                async for answer in call:
                    self._take(answer)
                    if self._spec.role is Role.SLOW_READER and answer.HasField("frames"):
                        await asyncio.sleep(2 * len(answer.frames.frames) / self._plan.fps)
        except grpc.aio.AioRpcError as error:
            self._failed(error)
        except TimeoutError:
            self._record.failure = "the session did not end"
        finally:
            call.cancel()
            self._opened.set()

    def _failed(self, error: grpc.aio.AioRpcError) -> None:
        failure = error_from_rpc(error)
        if not self._opened.is_set() and failure.code.value in _REFUSALS:
            after = time.monotonic() - self._record.begun_at
            wait: float | None = getattr(failure, "retry_after_s", None)
            self._record.refusal = Refusal(failure.code.value, failure.reason, after, wait)
        else:
            self._record.failure = f"{failure.code.value} {failure.reason}"

    def _take(self, answer: gateway.SpeakResponse) -> None:
        now = time.monotonic()
        kind = answer.WhichOneof("payload")
        if kind == "started":
            self._record.opened_s = now - self._record.begun_at
            if self._plan.feed is Feed.LIVE:
                ahead = answer.started.look_ahead
                self._latency_s = self._plan.live_latency_s + ahead.seconds + ahead.nanos / 1e9
            self._opened.set()
        elif kind == "frames":
            line = self._lines.get(answer.frames.utterance_id)
            for frame in answer.frames.frames:
                self._record.frame_bytes += len(frame.data)
                if line is not None:
                    offset = frame.offset.seconds + frame.offset.nanos / 1e9
                    line.came(round(offset * self._plan.fps), now)
        elif kind == "utterance_summary":
            summary = answer.utterance_summary.summary
            self._lines[summary.utterance_id].finished_at = now

    async def _requests(self) -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=speak_config(self._plan, self._spec.character))
        await self._opened.wait()
        at = time.monotonic()
        number = 0
        while at < self._spec.end_at and not self._record.refusal:
            line = self._spec.lines[number % len(self._spec.lines)]
            spoken = SpokenLine(
                f"{self._spec.number}-{number}",
                line.duration_s,
                self._latency_s,
                self._plan.fps,
                self._plan.chunk_s if self._plan.feed is Feed.LIVE else None,
            )
            self._lines[spoken.name] = spoken
            self._record.lines.append(spoken)
            async for request in self._speak(line, spoken, at):
                yield request
            if self._spec.role is Role.INTERRUPTER:
                await self._until(at + self._latency_s + line.duration_s / 2)
                interrupt = session_pb2.Interrupt(utterance_id=spoken.name)
                spoken.interrupted_at = time.monotonic()
                yield gateway.SpeakRequest(interrupt=interrupt)
            number += 1
            at += self._latency_s + line.duration_s + self._plan.pause_s
            await _sleep_until(at)

    async def _speak(
        self, line: Line, spoken: SpokenLine, at: float
    ) -> AsyncIterator[gateway.SpeakRequest]:
        chunk_s = spoken.chunk_s
        for number, request in enumerate(line_requests(self._plan, line, spoken.name)):
            piece = request.HasField("audio")
            if piece and chunk_s is not None:
                # A piece is known when its last sample has been spoken.
                await self._until(at + number * chunk_s)
            if piece and (chunk_s is not None or not spoken.sent_at):
                spoken.sent_at.append(time.monotonic())
            yield request

    async def _until(self, at: float) -> None:
        await _sleep_until(at)
        self._record.send_lag_s.append(max(0.0, time.monotonic() - at))


def speak_config(plan: LoadPlan, character: str) -> gateway.SpeakConfig:
    """The config of a session: 256x256 delta-zstd in real time unless the plan says otherwise."""
    config = gateway.SpeakConfig(
        character=character,
        audio_format=audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=RATE_HERTZ
        ),
        animation=animation_pb2.AnimationOptions(frames_per_second=plan.fps),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_DELTA_ZSTD,
            width_px=plan.side_px,
            height_px=plan.side_px,
        ),
        pacing=session_pb2.PACING_REAL_TIME,
    )
    if (lead_s := plan.lead_s()) is not None:
        config.max_lead.CopyFrom(_duration(lead_s))
    if plan.feed is Feed.LIVE:
        config.live_latency.CopyFrom(_duration(plan.live_latency_s))
        config.recognizer = lipsync_pb2.RECOGNIZER_LIVE
    else:
        config.playback_delay.CopyFrom(_duration(plan.line_latency_s))
    return config


def line_requests(plan: LoadPlan, line: Line, name: str) -> Iterator[gateway.SpeakRequest]:
    """The messages of one line: what it is, its audio in one or many pieces, its end."""
    whole = plan.feed is Feed.LINE
    utterance = gateway.SpeakUtterance(utterance_id=name)
    if whole and plan.with_text:
        utterance.text = line.text
    if line.seed is not None:
        utterance.animation.frames_per_second = plan.fps
        utterance.animation.seed = line.seed
    yield gateway.SpeakRequest(utterance=utterance)
    for piece in _pieces(line.samples, None if whole else plan.chunk_s):
        yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=piece))
    yield gateway.SpeakRequest(utterance_end=session_pb2.UtteranceEnd())


def _pieces(samples: bytes, chunk_s: float | None) -> Iterator[bytes]:
    size = LIMITS.max_chunk_bytes if chunk_s is None else 2 * round(chunk_s * RATE_HERTZ)
    return (samples[at : at + size] for at in range(0, len(samples), size))


def _duration(seconds: float) -> Duration:
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


async def _sleep_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))
