"""The pose side of an utterance: cues and expressions in, frames out.

A stream lasts one utterance, so that a replica that drains is done when its utterances are.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import frame_pb2, session_pb2
from kuchipaku_contract.errors import InternalError

from .calls import PeerStream, patiently
from .feed import Feed
from .scope import Scope
from .streams import together

_Stream = PeerStream[pose_pb.AnimateRequest, pose_pb.AnimateResponse]


@dataclass(slots=True)
class Drawn:
    """What is known when an utterance has been drawn."""

    summary: session_pb2.UtteranceSummary = field(default_factory=session_pb2.UtteranceSummary)
    statistics: pose_pb.RenderStatistics = field(default_factory=pose_pb.RenderStatistics)
    seconds: float = 0.0
    """Wall-clock time spent."""


class Drawing:
    """One call of the pose service."""

    def __init__(self, stream: _Stream, started: pose_pb.AnimateStarted) -> None:
        """Use an accepted call; see `open`."""
        self._stream = stream
        self.started = started

    @classmethod
    async def open(cls, scope: Scope, config: pose_pb.AnimateConfig) -> Drawing:
        """Have the service accept the work, and send it the canvas if it lacks it."""
        peers = scope.peers

        async def attempt() -> Drawing:
            call = peers.pose.Animate(**peers.connection.options(scope.context))
            stream: _Stream = PeerStream("pose", call, pose_pb.AnimateResponse)
            try:
                started = (await stream.first(pose_pb.AnimateRequest(config=config))).started
                if started.canvas_needed:
                    png = await scope.store.canvas_png(config.canvas_sha256)
                    canvas = frame_pb2.Canvas(sha256=config.canvas_sha256, png=png)
                    await stream.write(pose_pb.AnimateRequest(canvas=canvas))
            except BaseException:
                stream.cancel()
                raise
            return cls(stream, started)

        return await patiently(attempt, scope.patience_s)

    async def finish(self) -> None:
        """End the call without an utterance: the service has checked the config and the canvas."""
        try:
            await self._stream.done_writing()
            async for _ in self._stream.responses():
                pass
        finally:
            self.cancel()

    async def run(
        self,
        utterance: pose_pb.AnimateUtterance,
        feed: Feed,
        on_started: Callable[[pose_pb.AnimateUtteranceStarted], Awaitable[None]],
        on_frames: Callable[[frame_pb2.FrameBatch], Awaitable[None]],
        clock: pose_pb.AnimateRequest | None = None,
    ) -> Drawn:
        """Draw one utterance to its end; `clock` says when it is due, where that is known."""
        begun = time.monotonic()
        drawn = Drawn()
        complete = False
        await self._stream.write(pose_pb.AnimateRequest(utterance=utterance))
        if clock is not None:
            await self._stream.write(clock)
        try:
            async with together() as tasks:
                sending = tasks.create_task(self._send(feed))
                async for answer in self._stream.responses():
                    kind = answer.WhichOneof("payload")
                    if kind == "frames":
                        await on_frames(answer.frames)
                    elif kind == "utterance_started":
                        await on_started(answer.utterance_started)
                    elif kind == "utterance_summary":
                        drawn.summary = answer.utterance_summary
                        complete = True
                        feed.end_messages()
                    elif kind == "statistics":
                        drawn.statistics = answer.statistics
                sending.cancel()
        finally:
            self.cancel()
        if not complete:
            raise InternalError(
                "The pose service stopped early.", reason="PEER_PROTOCOL", peer="pose"
            )
        drawn.seconds = time.monotonic() - begun
        return drawn

    def cancel(self) -> None:
        """Give the call up."""
        self._stream.cancel()

    async def _send(self, feed: Feed) -> None:
        async for message in feed.messages():
            if not await self._stream.write(message):
                return
        await self._stream.done_writing()
