"""The lip sync side of an utterance: audio in, cues out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_contract.errors import ResourceExhaustedError, UnavailableError

from .calls import PeerStream, patiently
from .feed import Feed
from .scope import Scope
from .streams import together

_Stream = PeerStream[lipsync_pb.RecognizeCuesRequest, lipsync_pb.RecognizeCuesResponse]


@dataclass(slots=True)
class Heard:
    """What is known when all audio has been listened to."""

    summary: lipsync_pb.RecognizeCuesSummary = field(
        default_factory=lipsync_pb.RecognizeCuesSummary
    )
    seconds: float = 0.0
    """Wall-clock time spent."""


class Listening:
    """One call of the lip sync service."""

    def __init__(self, stream: _Stream, started: lipsync_pb.RecognizeCuesStarted) -> None:
        """Use an accepted call; see `open`."""
        self._stream = stream
        self.started = started

    @classmethod
    async def open(cls, scope: Scope, config: lipsync_pb.RecognizeCuesConfig) -> Listening:
        """Have the service accept the work."""
        return await patiently(lambda: cls._attempt(scope, config), scope.patience_s)

    @classmethod
    async def check(cls, scope: Scope, config: lipsync_pb.RecognizeCuesConfig) -> None:
        """Raise what the service finds wrong with a config; nothing if it has no time to look."""
        with suppress(ResourceExhaustedError, UnavailableError):
            (await cls._attempt(scope, config)).cancel()

    @classmethod
    async def _attempt(cls, scope: Scope, config: lipsync_pb.RecognizeCuesConfig) -> Listening:
        peers = scope.peers
        call = peers.lipsync.RecognizeCues(**peers.connection.options(scope.context))
        stream: _Stream = PeerStream("lipsync", call, lipsync_pb.RecognizeCuesResponse)
        try:
            request = lipsync_pb.RecognizeCuesRequest(config=config)
            return cls(stream, (await stream.first(request)).started)
        except BaseException:
            stream.cancel()
            raise

    async def run(
        self,
        feed: Feed,
        on_cues: Callable[[cue_pb2.CueBatch], Awaitable[None]],
        on_progress: Callable[[float], Awaitable[None]] | None = None,
    ) -> Heard:
        """Listen until the end of the audio, or an interrupt."""
        begun = time.monotonic()
        heard = Heard()
        work = asyncio.ensure_future(self._recognise(feed, heard, on_cues, on_progress))
        interrupted = asyncio.ensure_future(feed.interrupted.wait())
        try:
            await asyncio.wait({work, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            self.cancel()
            work.cancel()
            interrupted.cancel()
            await asyncio.gather(work, interrupted, return_exceptions=True)
        heard.seconds = time.monotonic() - begun
        return heard

    def cancel(self) -> None:
        """Give the call up."""
        self._stream.cancel()

    async def _recognise(
        self,
        feed: Feed,
        heard: Heard,
        on_cues: Callable[[cue_pb2.CueBatch], Awaitable[None]],
        on_progress: Callable[[float], Awaitable[None]] | None,
    ) -> None:
        async with together() as tasks:
            sending = tasks.create_task(self._send(feed))
            async for answer in self._stream.responses():
                kind = answer.WhichOneof("payload")
                if kind == "cues":
                    await on_cues(answer.cues)
                elif kind == "progress" and on_progress is not None:
                    await on_progress(answer.progress.fraction)
                elif kind == "summary":
                    heard.summary = answer.summary
            sending.cancel()

    async def _send(self, feed: Feed) -> None:
        async for message in feed.speech():
            if not await self._stream.write(message):
                return
        await self._stream.done_writing()
