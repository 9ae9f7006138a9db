"""What waits to go into an utterance, within the room that its session has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import audio_pb2, session_pb2
from kuchipaku_contract.errors import ResourceExhaustedError


class Room:
    """Bytes that a session may have waiting. More are refused: then the reader of the stream never
    stands still, and an interrupt is always heard."""

    def __init__(self, size_bytes: int) -> None:
        """Offer this much."""
        self._size = size_bytes
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes waiting now."""
        return self._used

    def take(self, count: int) -> None:
        """Raise `ResourceExhaustedError`, reason SESSION_BACKLOG_FULL, unless `count` bytes fit."""
        if self._used + count > self._size:
            raise ResourceExhaustedError(
                "Too much waits for its turn in this session; send utterances later.",
                reason="SESSION_BACKLOG_FULL",
                limit_bytes=self._size,
            )
        self._used += count

    def force(self, count: int) -> None:
        """Take a few bytes, whether they fit or not."""
        self._used += count

    def give_back(self, count: int) -> None:
        """What was taken has moved on."""
        self._used -= count


class Feed:
    """Audio or timings for lip sync, and messages for the pose stream, of one utterance."""

    def __init__(self, room: Room, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait in `room`; `clock` tells for how long."""
        self._room = room
        self._clock = clock
        self._held = 0
        self._speech: asyncio.Queue[tuple[lipsync_pb.RecognizeCuesRequest, float] | None] = (
            asyncio.Queue()
        )
        self._messages: asyncio.Queue[pose_pb.AnimateRequest | None] = asyncio.Queue()
        self._open = True
        self.interrupted = asyncio.Event()

    def hold(self, count: int) -> None:
        """Take room until the utterance is closed. Raises like `Room.take`."""
        self._take(count)

    def add_audio(self, data: bytes) -> None:
        """The next piece of audio. Raises like `Room.take`."""
        self.add_speech(lipsync_pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=data)))

    def add_speech(self, message: lipsync_pb.RecognizeCuesRequest) -> None:
        """Audio or timings for lip sync. Raises like `Room.take`."""
        if self._is_wanted:
            self._take(_size(message))
            self._speech.put_nowait((message, self._clock()))

    def end_audio(self) -> None:
        """No more audio or timings come."""
        self._speech.put_nowait(None)

    def add(self, message: pose_pb.AnimateRequest) -> None:
        """A message for the pose stream. Raises like `Room.take`."""
        if self._is_wanted:
            self._take(message.ByteSize())
            self._messages.put_nowait(message)

    def end_messages(self) -> None:
        """Half-close the pose stream: nothing can follow any more, not even an interrupt."""
        self._messages.put_nowait(None)

    def interrupt(self) -> None:
        """Stop the utterance as soon as possible: what comes after this is dropped.

        To the pose service it would belong to no utterance. Needs no room.
        """
        if not self._is_wanted:
            return
        self.interrupted.set()
        message = pose_pb.AnimateRequest(interrupt=session_pb2.Interrupt())
        self._room.force(message.ByteSize())
        self._held += message.ByteSize()
        self._messages.put_nowait(message)

    async def speech(self) -> AsyncIterator[lipsync_pb.RecognizeCuesRequest]:
        """What lip sync gets, until its end.

        Audio says how long it has waited here: lip sync cannot see when it came.
        """
        while (waiting := await self._speech.get()) is not None:
            message, since = waiting
            self._give_back(_size(message))
            if message.HasField("audio"):
                message.waited.FromNanoseconds(round((self._clock() - since) * 1e9))
            yield message

    async def messages(self) -> AsyncIterator[pose_pb.AnimateRequest]:
        """The messages until the end."""
        while (message := await self._messages.get()) is not None:
            self._give_back(message.ByteSize())
            yield message

    def close(self) -> None:
        """Give all room back; what still waits is not needed any more."""
        self._open = False
        self._room.give_back(self._held)
        self._held = 0

    @property
    def _is_wanted(self) -> bool:
        return self._open and not self.interrupted.is_set()

    def _take(self, count: int) -> None:
        self._room.take(count)
        self._held += count

    def _give_back(self, count: int) -> None:
        if self._open:
            self._room.give_back(count)
            self._held -= count


def _size(message: lipsync_pb.RecognizeCuesRequest) -> int:
    # Of audio what its limit counts: the samples alone.
    return len(message.audio.data) if message.HasField("audio") else message.ByteSize()
