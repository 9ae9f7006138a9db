"""The lip sync service over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_contract.errors import InvalidArgumentError, ResourceExhaustedError
from kuchipaku_contract.limits import MIB
from kuchipaku_contract.streams import check_chunk, misplaced, next_within, take_config
from kuchipaku_lipsync import convert
from kuchipaku_lipsync.cache import AnswerCache, answer_key
from kuchipaku_lipsync.collecting import Reserved, collect, collected, collected_unless_live
from kuchipaku_lipsync.intake import Audio, AudioLayout, ByteBudget, Intake, intake_for
from kuchipaku_lipsync.jobs import align_job, recognise_job
from kuchipaku_lipsync.live import LiveOptions
from kuchipaku_lipsync.live.arrivals import Arrivals, PatientReader, Piece
from kuchipaku_lipsync.live.messages import block_bytes, live_options, live_responses
from kuchipaku_lipsync.live.pool import LiveCall, LivePool
from kuchipaku_lipsync.live.session import listen_live
from kuchipaku_lipsync.recognise import Outcome, RecognitionOptions, Step, check_text
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.reading import check_language
from kuchipaku_lipsync.recognizers.rhubarb_native import not_installed
from kuchipaku_lipsync.timed import is_timing, preceded, timed_responses
from kuchipaku_runtime import Admission, WorkerPool

Context = grpc.aio.ServicerContext[Any, Any]

T = TypeVar("T")

MAX_ALIGN_AUDIO_BYTES: Final = 4 * MIB
# A cue takes about 30 bytes; a batch stays far below the message limit.
_BATCH_SIZE: Final = 2_000


@dataclass(frozen=True, slots=True)
class ServicerOptions:
    """What the settings say about calls."""

    audio_timeout_s: float
    has_rhubarb: bool


class LipsyncServicer(pb_grpc.LipsyncServiceServicer):
    """Thin: checks requests, collects audio, hands it to a worker, translates the answers."""

    def __init__(
        self,
        pool: WorkerPool,
        live: LivePool,
        *,
        streams: Admission,
        budget: ByteBudget,
        cache: AnswerCache,
        options: ServicerOptions,
    ) -> None:
        """Serve with these workers; `streams` and `budget` bound what comes in meanwhile."""
        self._pool = pool
        self._live = live
        self._streams = streams
        self._budget = budget
        self._cache = cache
        self._audio_timeout_s = options.audio_timeout_s
        self._has_rhubarb = options.has_rhubarb

    async def RecognizeCues(  # noqa: N802 - the protocol's name
        self, request_iterator: AsyncIterator[pb.RecognizeCuesRequest], context: Context
    ) -> AsyncIterator[pb.RecognizeCuesResponse]:
        """Hear what the client sends, as it comes or when it is whole, and answer cues."""
        async with self._streams.slot(), AsyncExitStack() as stack:
            first = await take_config(request_iterator, within_s=self._audio_timeout_s)
            task = self._task(first.config)
            call = None
            if task.options.recognizer is RecognizerName.LIVE:
                # A place now, and not when somebody is already speaking.
                call = await stack.enter_async_context(self._live.stream(task.layout, task.live))
            yield pb.RecognizeCuesResponse(started=task.started())
            head = await next_within(request_iterator, self._audio_timeout_s)
            if head is not None and is_timing(head):
                shapes = task.options.shapes
                answer = timed_responses(head, request_iterator, shapes, self._audio_timeout_s)
            else:
                reader = PatientReader(self._pieces(preceded(head, request_iterator)))
                stack.push_async_callback(reader.close)
                if call is not None:
                    answer = _live(call, task, reader.rest())
                else:
                    answer = self._answer(task, reader)
            async with aclosing(answer) as responses:
                async for response in responses:
                    yield response

    async def AlignText(  # noqa: N802
        self, request: pb.AlignTextRequest, context: Context
    ) -> pb.AlignTextResponse:
        """Find the words and phones of a text in a short recording."""
        if len(request.audio) > MAX_ALIGN_AUDIO_BYTES:
            raise InvalidArgumentError(
                "The audio is larger than 4 MiB; RecognizeCues takes longer recordings.",
                reason="AUDIO_TOO_LARGE",
                field="audio",
                limit_bytes=MAX_ALIGN_AUDIO_BYTES,
            )
        check_text(request.text, "text")
        check_language(request.language, "language")
        layout = convert.audio_layout(request.audio_format, "audio_format")
        intake = intake_for(layout, "audio_format")
        async with self._streams.slot():
            reserved = Reserved(self._budget)
            try:
                await collect(intake, reserved, request.audio)
                audio = await asyncio.to_thread(intake.finish)
                result = await self._pool.run(align_job, audio, request.text, request.language)
            finally:
                reserved.release()
        return pb.AlignTextResponse(
            duration=convert.duration_of(result.duration),
            words=convert.word_messages(result.words),
            phones=convert.phone_messages(result.phones),
            cues=convert.cue_messages(result.cues),
            warnings=convert.warning_messages(result.warnings),
        )

    def _task(self, config: pb.RecognizeCuesConfig) -> _Task:
        """The checked config. Raises what is wrong with it."""
        options = convert.recognition_options(config)
        layout = convert.audio_layout(config.audio_format, "config.audio_format")
        intake = intake_for(layout, "config.audio_format")
        if options.recognizer is RecognizerName.RHUBARB and not self._has_rhubarb:
            raise not_installed()
        return _Task(config, options, live_options(config, options), layout, intake)

    async def _answer(
        self, task: _Task, reader: PatientReader
    ) -> AsyncGenerator[pb.RecognizeCuesResponse, None]:
        """Collect the audio until it is whole, or found to come as fast as it plays."""
        arrivals = Arrivals(task.layout)
        reserved = Reserved(self._budget)
        async with AsyncExitStack() as stack:
            stack.callback(reserved.release)
            audio = call = None
            if task.may_be_live:
                audio = await collected_unless_live(reader, task.intake, reserved, arrivals)
                if audio is None:
                    call = await self._live_place(task, stack)
            if call is not None:
                reserved.release()
                answer = _live(call, task, _after(arrivals.heard, reader))
            else:
                audio = audio or await collected(reader, task.intake, reserved)
                answer = self._whole(task, audio)
            async with aclosing(answer) as responses:
                async for response in responses:
                    yield response

    async def _live_place(self, task: _Task, stack: AsyncExitStack) -> LiveCall | None:
        """A live stream; None where all places are taken: late cues are better than none."""
        try:
            return await stack.enter_async_context(self._live.stream(task.layout, task.live))
        except ResourceExhaustedError:
            return None

    async def _whole(
        self, task: _Task, audio: Audio
    ) -> AsyncGenerator[pb.RecognizeCuesResponse, None]:
        """Recognise a whole recording, unless it has been before."""
        key = await asyncio.to_thread(answer_key, audio, task.options)
        known = self._cache.get(key)
        if known is not None:
            for step in known:
                for response in _responses(step, task.config.include_phones, from_cache=True):
                    yield response
            return
        answer: list[Step | Outcome] = []
        steps = self._pool.stream(recognise_job, audio, task.options)
        del audio
        async with aclosing(steps):
            async for step in steps:
                answer.append(step)
                for response in _responses(step, task.config.include_phones):
                    yield response
        self._cache.put(key, answer)

    async def _pieces(
        self, requests: AsyncIterator[pb.RecognizeCuesRequest]
    ) -> AsyncIterator[Piece]:
        """The audio, piece by piece, until the client closes its side."""
        while (request := await next_within(requests, self._audio_timeout_s)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise misplaced(request.WhichOneof("payload"))
            check_chunk(request.audio.data)
            yield Piece(request.audio.data, max(0.0, convert.seconds_of(request.waited)))


@dataclass(frozen=True, slots=True)
class _Task:
    """What one call asks for."""

    config: pb.RecognizeCuesConfig
    options: RecognitionOptions
    live: LiveOptions
    layout: AudioLayout
    intake: Intake

    @property
    def may_be_live(self) -> bool:
        """Whether it depends on the audio's pace who listens."""
        return self.options.recognizer is RecognizerName.AUTO and not self.config.whole

    def started(self) -> pb.RecognizeCuesStarted:
        config = convert.effective_config(self.config, self.options)
        config.live_latency.CopyFrom(convert.duration_of(self.live.latency_s))
        return pb.RecognizeCuesStarted(config=config)


async def _live(
    call: LiveCall, task: _Task, pieces: AsyncIterator[bytes]
) -> AsyncGenerator[pb.RecognizeCuesResponse, None]:
    """Recognise audio that is still coming."""
    unit = block_bytes(task.layout, task.live)
    async with aclosing(listen_live(call, pieces, task.live.latency_s, unit)) as parts:
        async for part in parts:
            for response in live_responses(part, task.config):
                yield response


async def _after(early: bytes, reader: PatientReader) -> AsyncIterator[bytes]:
    yield early
    async for data in reader.rest():
        yield data


def _responses(
    step: Step | Outcome, include_phones: bool, *, from_cache: bool = False
) -> list[pb.RecognizeCuesResponse]:
    if isinstance(step, Outcome):
        summary = pb.RecognizeCuesSummary(
            duration=convert.duration_of(step.duration),
            recognizer=convert.recognizer_enum(step.recognizer),
            warnings=convert.warning_messages(step.warnings),
            from_cache=from_cache,
        )
        return [pb.RecognizeCuesResponse(summary=summary)]
    batches: list[pb.RecognizeCuesResponse] = []
    if include_phones:
        batches.extend(
            pb.RecognizeCuesResponse(phones=cue_pb2.PhoneBatch(phones=phones))
            for phones in _batches(convert.phone_messages(step.phones))
        )
    batches.extend(
        pb.RecognizeCuesResponse(cues=cue_pb2.CueBatch(cues=cues))
        for cues in _batches(convert.cue_messages(step.cues))
    )
    progress = pb.RecognizeCuesProgress(fraction=step.fraction)
    return [*batches, pb.RecognizeCuesResponse(progress=progress)]


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _BATCH_SIZE] for start in range(0, len(items), _BATCH_SIZE)]
