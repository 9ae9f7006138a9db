"""What both streaming calls share: config first, the canvas, a reader beside the frames."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from kuchipaku.frames.messages import to_message
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import misplaced, take_config
from kuchipaku_media.picture import canvas_hash, check_picture, decode_picture
from kuchipaku_pose.convert import encoder_for, view_of
from kuchipaku_pose.engine import Character, Engine
from kuchipaku_pose.framestream import FrameStream, OutFrame, StreamStatistics
from kuchipaku_pose.models import ModelRegistry
from kuchipaku_pose.pacing import Credit, RealTime
from kuchipaku_pose.scheduler import Lane, Scheduler

_HASH_CHARS = frozenset("0123456789abcdef")
_HASH_LENGTH = 64


RequestT = TypeVar("RequestT", pb.RenderPosesRequest, pb.AnimateRequest)
ResponseT = TypeVar("ResponseT", pb.RenderPosesResponse, pb.AnimateResponse)


@dataclass(frozen=True)
class SessionContext:
    """What sessions of one service share."""

    models: ModelRegistry
    scheduler: Scheduler
    default_quantum: float
    """Rounding of animated poses where a request does not say."""
    late_tolerance_s: float
    """How late a live frame may be."""
    window: int
    """Frames of one stream under way at a time: enough that no worker waits for a stream."""
    input_timeout_s: float
    """How long a client may send nothing while there is nothing to send to it either, or while it
    does not read what is."""
    config_timeout_s: float
    """How long a call may take to send its config: it holds a slot meanwhile."""


class Session(ABC, Generic[RequestT, ResponseT]):
    """One call. `responses` yields what to send; everything is freed when it is closed.

    Input is read as it comes, while frames wait for credit too: what would let them go on,
    credit or an interruption, may stand behind other input. What is read is bounded, and more is
    refused (`check_backlog`).
    """

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.lane: Lane = context.scheduler.lane()
        self.credit = Credit()
        self.statistics = StreamStatistics()
        self.changed = asyncio.Event()
        """Set whenever the frame side may find something new."""
        self.input_ended = False
        self.character: Character | None = None
        self._canvas_sha256 = ""
        self._engine: Engine | None = None
        self._failure: BaseException | None = None
        self._handling = False
        """Whether a message is being taken in, such as a canvas that is being prepared."""
        self._active_at = context.scheduler.clock()
        self._unread = asyncio.timeout(None)
        """Ends the call while a response waits to be read."""

    async def responses(self, requests: AsyncIterable[RequestT]) -> AsyncGenerator[ResponseT, None]:
        """Serve the call: read ``requests`` and yield responses.

        Iterate from one task: while a response waits for a client that does not read, the call
        stands in that task's write, and only a cancellation of the task ends it. Close the
        generator then, as for any other cancellation; closing it raises what was wrong.

        Raises:
            KuchipakuError: what is wrong with the input, or what failed.
        """
        try:
            async with self._unread, aclosing(self._responses(requests)) as responses:
                async for response in responses:
                    self._unread.reschedule(self._latest_read())
                    yield response
                    self._unread.reschedule(None)
                    self._touch()
        except GeneratorExit:
            if self._unread.expired():
                raise self._stalled("What was sent has not been read", "OUTPUT_STALLED") from None
            raise

    async def _responses(
        self, requests: AsyncIterable[RequestT]
    ) -> AsyncGenerator[ResponseT, None]:
        messages = aiter(requests)
        first = await take_config(messages, within_s=self.context.config_timeout_s)
        if first.config.HasField("initial_credit"):
            self.credit.limit(first.config.initial_credit)
        reader: asyncio.Task[None] | None = None
        try:
            yield self.start(first)
            reader = asyncio.create_task(self._read(messages))
            character = await self._wait_for_character()
            async with aclosing(self.play(character)) as rest:
                async for response in rest:
                    yield response
        finally:
            self.lane.cancel_all()
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    @abstractmethod
    def start(self, request: RequestT) -> ResponseT:
        """Take the config and return the first response; call `use_canvas`."""

    @abstractmethod
    def play(self, character: Character) -> AsyncGenerator[ResponseT, None]:
        """Yield everything after the first response."""

    @abstractmethod
    async def handle(self, kind: str, request: RequestT) -> None:
        """Take one message other than config, canvas and credit."""

    async def finish_input(self) -> None:
        """Called at the end of input, before `input_ended` is set."""

    def use_canvas(self, engine: Engine, sha256: str) -> bool:
        """Name the canvas; return whether it is needed from the client.

        Raises:
            InvalidArgumentError: CANVAS_HASH_INVALID.
        """
        if len(sha256) != _HASH_LENGTH or not _HASH_CHARS.issuperset(sha256):
            raise InvalidArgumentError(
                "canvas_sha256 must be 64 lower-case hexadecimal digits.",
                reason="CANVAS_HASH_INVALID",
                field="config.canvas_sha256",
            )
        self._engine, self._canvas_sha256 = engine, sha256
        self.character = engine.character(sha256)
        return self.character is None

    def make_stream(
        self,
        engine: Engine,
        character: Character,
        frame_format: frame_pb2.FrameFormat,
        real_time: RealTime | None = None,
    ) -> FrameStream:
        """Return the stream that makes this call's frames, for a completed frame format."""
        encoder = encoder_for(frame_format)
        # Epochs of successive streams differ, also across replicas: a client that is moved to
        # another one must not take its frames for a continuation.
        encoder.start_epoch(time.time_ns() // 1000)
        return FrameStream(
            self.lane,
            engine,
            character,
            view_of(frame_format, engine.canvas_side),
            encoder,
            credit=self.credit,
            window=self.context.window,
            changed=self.changed,
            statistics=self.statistics,
            clock=self.context.scheduler.clock,
            real_time=real_time,
        )

    async def wait(self, stream: FrameStream) -> None:
        """Wait until ``stream`` may have frames or input has come.

        Raises:
            DeadlineExceededError: INPUT_STALLED, for too long neither side has sent anything.
        """
        await stream.wait(None if stream.is_rendering else self._patience_s())

    def check_backlog(self, waiting: int, limit: int, what: str) -> None:
        """Refuse input beyond what is held while earlier input has not been played.

        Raises:
            ResourceExhaustedError: BACKLOG_FULL.
        """
        if waiting > limit:
            raise ResourceExhaustedError(
                f"More than {limit} {what} wait in this stream; send them as frames come.",
                reason="BACKLOG_FULL",
                limit=limit,
            )

    def check_failure(self) -> None:
        """Raise what ended the reading of input, if something did."""
        if self._failure is not None:
            raise self._failure

    async def _wait_for_character(self) -> Character:
        while self.character is None:
            self.check_failure()
            if self.input_ended:
                raise FailedPreconditionError(
                    "The input ended before the canvas came.",
                    reason="CANVAS_MISSING",
                    field="canvas",
                )
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s()):
                    await self.changed.wait()
            self.changed.clear()
        return self.character

    def _touch(self) -> None:
        self._active_at = self.context.scheduler.clock()
        if self._unread.when() is not None and not self._unread.expired():
            # Heard of beside a response that has not been read.
            self._unread.reschedule(self._latest_read())

    def _latest_read(self) -> float:
        return asyncio.get_running_loop().time() + self.context.input_timeout_s

    def _patience_s(self) -> float | None:
        if self._handling:
            return None
        idle_s = self.context.scheduler.clock() - self._active_at
        if idle_s >= self.context.input_timeout_s:
            raise self._stalled("Nothing came, and without it nothing can be sent", "INPUT_STALLED")
        return self.context.input_timeout_s - idle_s

    def _stalled(self, what: str, reason: str) -> DeadlineExceededError:
        limit_s = self.context.input_timeout_s
        return DeadlineExceededError(f"{what} for {limit_s:g} s.", reason=reason, limit_s=limit_s)

    async def _read(self, messages: AsyncIterator[RequestT]) -> None:
        try:
            async for request in messages:
                self._handling = True
                await self._dispatch(request)
                self._handling = False
                self._touch()
                self.changed.set()
            await self.finish_input()
            self.input_ended = True
        except Exception as error:  # raised again where the frames are made
            self._failure = error
        finally:
            self.changed.set()

    async def _dispatch(self, request: RequestT) -> None:
        kind = request.WhichOneof("payload")
        if kind is None or kind == "config":
            raise misplaced(kind)
        if kind == "canvas":
            await self._take_canvas(request.canvas)
        elif kind == "credit":
            self.credit.add(request.credit.frame_count)
        else:
            await self.handle(kind, request)

    async def _take_canvas(self, canvas: frame_pb2.Canvas) -> None:
        if canvas.sha256 and canvas.sha256 != self._canvas_sha256:
            raise _hash_mismatch("canvas.sha256")
        engine = self._engine
        if self.character is None and engine is not None:
            self.character = await self.lane.call(
                lambda: load_canvas(engine, canvas.png, self._canvas_sha256)
            )


def load_canvas(engine: Engine, png: bytes, sha256: str) -> Character:
    """Decode a canvas, verify it and prepare the character.

    Raises:
        InvalidArgumentError: not a picture; CANVAS_WRONG_SIZE; CANVAS_HASH_MISMATCH.
    """
    header = check_picture(png, field="canvas.png")
    if (header.width, header.height) != (engine.canvas_side, engine.canvas_side):
        raise InvalidArgumentError(
            f"The canvas must be {engine.canvas_side}x{engine.canvas_side} pixels; "
            f"it is {header.width}x{header.height}.",
            reason="CANVAS_WRONG_SIZE",
            field="canvas.png",
            expected_px=engine.canvas_side,
        )
    picture = decode_picture(png, field="canvas.png")
    if canvas_hash(picture) != sha256:
        raise _hash_mismatch("canvas.png")
    return engine.prepare(sha256, picture)


def batches(
    frames: list[OutFrame], *, utterance_id: str, epoch: int
) -> Iterator[frame_pb2.FrameBatch]:
    """Yield ``frames`` as messages; each holds at most 1 MiB of data or a single frame."""
    batch = frame_pb2.FrameBatch(utterance_id=utterance_id, epoch=epoch)
    size = 0
    for frame in frames:
        coded = frame.coded
        if batch.frames and size + coded.size_bytes > LIMITS.max_frame_batch_bytes:
            yield batch
            batch = frame_pb2.FrameBatch(utterance_id=utterance_id, epoch=epoch)
            size = 0
        batch.frames.append(to_message(coded, frame.offset_s))
        size += coded.size_bytes
    yield batch


def _hash_mismatch(field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "The canvas does not have the SHA-256 that the config names (over its decoded RGBA bytes).",
        reason="CANVAS_HASH_MISMATCH",
        field=field,
    )
