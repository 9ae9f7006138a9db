"""One utterance through lip sync and pose: audio in, cues and frames out.

Both `Speak` and `RenderVideo` run on this. The streams to the services last as long as the
utterance, so that a replica that drains is done when its utterances are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import InternalError

from .peers import Context, Peers, translated
from .store import CharacterStore
from .streams import together


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be said and how it is to look."""

    utterance: pose_pb.AnimateUtterance
    animate: pose_pb.AnimateConfig | None
    """None: cues only, nothing is drawn."""
    recognize: lipsync_pb.RecognizeCuesConfig | None
    """None: the caller sends the cues itself."""
    credit: session_pb2.FrameCredit | None = None
    """Frames that may be sent at first; None: as many as there are."""


@dataclass(slots=True)
class Feed:
    """What goes into a running utterance."""

    audio: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    """None ends it."""
    controls: asyncio.Queue[pose_pb.AnimateRequest | None] = field(default_factory=asyncio.Queue)
    """For the pose stream: cues, expressions, interrupts, credit, the end of the utterance. None,
    which half-closes the stream, comes with the utterance's summary: until then an interrupt or
    credit may follow."""
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)

    async def audio_chunks(self) -> AsyncIterator[bytes]:
        """The audio until its end."""
        while (data := await self.audio.get()) is not None:
            yield data

    def interrupt(self) -> None:
        """Stop the utterance as soon as possible."""
        self.interrupted.set()
        interrupt = session_pb2.Interrupt()
        self.controls.put_nowait(pose_pb.AnimateRequest(interrupt=interrupt))


class Listener(Protocol):
    """Whoever hears of what comes out. A slow listener holds the services up."""

    async def on_animation_started(self, started: pose_pb.AnimateStarted) -> None:
        """The pose stream is open."""

    async def on_utterance_started(self, utterance_id: str, seed: int) -> None:
        """The first frame is about to be drawn."""

    async def on_cues(self, cues: cue_pb2.CueBatch) -> None:
        """Cues have been heard; the frames that show them come later."""

    async def on_progress(self, stage: str, fraction: float) -> None:
        """A stage has got on."""

    async def on_frames(self, frames: frame_pb2.FrameBatch) -> None:
        """Frames have been drawn."""


@dataclass(slots=True)
class Outcome:
    """What is known at the end of an utterance."""

    summary: session_pb2.UtteranceSummary = field(default_factory=session_pb2.UtteranceSummary)
    statistics: pose_pb.RenderStatistics = field(default_factory=pose_pb.RenderStatistics)
    recognition: lipsync_pb.RecognizeCuesSummary = field(
        default_factory=lipsync_pb.RecognizeCuesSummary
    )
    stage_seconds: dict[str, float] = field(default_factory=dict)


class Pipeline:
    """Runs utterances. Holds no state of its own between them."""

    def __init__(self, peers: Peers, store: CharacterStore, context: Context) -> None:
        """Serve the call of `context` with these services."""
        self._peers = peers
        self._store = store
        self._context = context

    async def run(self, job: Job, feed: Feed, listener: Listener) -> Outcome:
        """Run one utterance to its end.

        Raises what the services report; whatever is running is cancelled then.
        """
        outcome = Outcome()
        outcome.summary.utterance_id = job.utterance.utterance_id
        if job.animate is None:
            await self._listen_only(job, feed, listener, outcome)
            return outcome
        with translated("pose"):
            options = self._peers.connection.options(self._context)
            call = self._peers.pose.Animate(**options)
            try:
                started = await _open(call, job.animate, self._store)
                await listener.on_animation_started(started)
                if job.credit is not None:
                    # Ahead of the utterance, whose frames would start without bounds otherwise.
                    await call.write(pose_pb.AnimateRequest(credit=job.credit))
                await call.write(pose_pb.AnimateRequest(utterance=job.utterance))
                async with together() as tasks:
                    tasks.create_task(_forward(feed.controls, call))
                    if job.recognize is not None:
                        tasks.create_task(self._listen(job, feed, listener, outcome))
                    tasks.create_task(_watch(call, feed, listener, outcome))
            finally:
                call.cancel()
        return outcome

    async def _listen_only(
        self, job: Job, feed: Feed, listener: Listener, outcome: Outcome
    ) -> None:
        if job.recognize is None:
            return
        await listener.on_utterance_started(job.utterance.utterance_id, 0)
        await self._listen(job, feed, listener, outcome)
        outcome.summary.duration.CopyFrom(outcome.recognition.duration)
        outcome.summary.interrupted = feed.interrupted.is_set()

    async def _listen(self, job: Job, feed: Feed, listener: Listener, outcome: Outcome) -> None:
        """Recognise until the audio ends or an interrupt comes; then close the pose's input."""
        begun = time.monotonic()
        recognising = asyncio.ensure_future(self._recognise(job, feed, listener, outcome))
        interrupted = asyncio.ensure_future(feed.interrupted.wait())
        try:
            await asyncio.wait({recognising, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if recognising.done():
                recognising.result()
                end = session_pb2.UtteranceEnd(duration=outcome.recognition.duration)
                feed.controls.put_nowait(pose_pb.AnimateRequest(utterance_end=end))
        finally:
            interrupted.cancel()
            recognising.cancel()
            await asyncio.gather(recognising, interrupted, return_exceptions=True)
        outcome.stage_seconds["lipsync"] = time.monotonic() - begun

    async def _recognise(self, job: Job, feed: Feed, listener: Listener, outcome: Outcome) -> None:
        async def requests() -> AsyncIterator[lipsync_pb.RecognizeCuesRequest]:
            yield lipsync_pb.RecognizeCuesRequest(config=job.recognize)
            async for data in feed.audio_chunks():
                chunk = audio_pb2.AudioChunk(data=data)
                yield lipsync_pb.RecognizeCuesRequest(audio=chunk)

        with translated("lipsync"):
            options = self._peers.connection.options(self._context)
            async for answer in self._peers.lipsync.RecognizeCues(requests(), **options):
                kind = answer.WhichOneof("payload")
                if kind == "cues":
                    await listener.on_cues(answer.cues)
                    feed.controls.put_nowait(pose_pb.AnimateRequest(cues=answer.cues))
                elif kind == "progress":
                    await listener.on_progress("lipsync", answer.progress.fraction)
                elif kind == "summary":
                    outcome.recognition = answer.summary


class _AnimateCall(Protocol):
    """The part of a bidirectional call that is used here."""

    async def write(self, request: pose_pb.AnimateRequest) -> None: ...
    async def done_writing(self) -> None: ...
    async def read(self) -> pose_pb.AnimateResponse | object: ...


async def _open(
    call: _AnimateCall, config: pose_pb.AnimateConfig, store: CharacterStore
) -> pose_pb.AnimateStarted:
    """Send the config, and the canvas if the replica does not have it."""
    await call.write(pose_pb.AnimateRequest(config=config))
    answer = await call.read()
    if not isinstance(answer, pose_pb.AnimateResponse) or not answer.HasField("started"):
        raise InternalError("The pose service did not start.", reason="PEER_PROTOCOL", peer="pose")
    if answer.started.canvas_needed:
        png = await store.canvas_png(config.canvas_sha256)
        canvas = frame_pb2.Canvas(sha256=config.canvas_sha256, png=png)
        await call.write(pose_pb.AnimateRequest(canvas=canvas))
    return answer.started


async def _forward(
    controls: asyncio.Queue[pose_pb.AnimateRequest | None], call: _AnimateCall
) -> None:
    """The one writer of the pose stream, as gRPC allows no two writes at a time."""
    while (request := await controls.get()) is not None:
        await call.write(request)
    await call.done_writing()


async def _watch(call: _AnimateCall, feed: Feed, listener: Listener, outcome: Outcome) -> None:
    begun = time.monotonic()
    while isinstance(answer := await call.read(), pose_pb.AnimateResponse):
        kind = answer.WhichOneof("payload")
        if kind == "frames":
            await listener.on_frames(answer.frames)
        elif kind == "utterance_started":
            started = answer.utterance_started
            await listener.on_utterance_started(started.utterance_id, started.seed)
        elif kind == "utterance_summary":
            outcome.summary = answer.utterance_summary
            feed.controls.put_nowait(None)
        elif kind == "statistics":
            outcome.statistics = answer.statistics
    outcome.stage_seconds["pose"] = time.monotonic() - begun


def seconds(duration: Duration) -> float:
    """A protobuf duration in seconds."""
    return float(duration.seconds) + duration.nanos * 1e-9
