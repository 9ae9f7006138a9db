"""The lip sync service over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import grpc

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import MIB
from kuchipaku_contract.streams import check_chunk, misplaced, next_within, take_config
from kuchipaku_lipsync import convert
from kuchipaku_lipsync.intake import Audio, ByteBudget, Intake, intake_for
from kuchipaku_lipsync.jobs import align_job, recognise_job
from kuchipaku_lipsync.recognise import Outcome, Step, check_text
from kuchipaku_runtime import Admission, WorkerPool

Context = grpc.aio.ServicerContext[Any, Any]

T = TypeVar("T")

MAX_ALIGN_AUDIO_BYTES: Final = 4 * MIB
# A cue takes about 30 bytes; a batch stays far below the message limit.
_BATCH_SIZE: Final = 2_000


class LipsyncServicer(pb_grpc.LipsyncServiceServicer):
    """Thin: checks requests, collects audio, hands it to a worker, translates the answers."""

    def __init__(
        self,
        pool: WorkerPool,
        streams: Admission,
        budget: ByteBudget,
        audio_timeout_s: float,
    ) -> None:
        """Serve with these workers; `streams` and `budget` bound what comes in meanwhile."""
        self._pool = pool
        self._streams = streams
        self._budget = budget
        self._audio_timeout_s = audio_timeout_s

    async def RecognizeCues(  # noqa: N802 - the protocol's name
        self, request_iterator: AsyncIterator[pb.RecognizeCuesRequest], context: Context
    ) -> AsyncIterator[pb.RecognizeCuesResponse]:
        """Collect the audio, then answer cues as they are recognised."""
        async with self._streams.slot():
            first = await take_config(request_iterator, within_s=self._audio_timeout_s)
            config = first.config
            options = convert.recognition_options(config)
            layout = convert.audio_layout(config.audio_format, "config.audio_format")
            intake = intake_for(layout, "config.audio_format")
            started = pb.RecognizeCuesStarted(config=convert.effective_config(config, options))
            yield pb.RecognizeCuesResponse(started=started)
            reserved = _Reserved(self._budget)
            try:
                audio = await self._audio(request_iterator, intake, reserved)
                async with aclosing(self._pool.stream(recognise_job, audio, options)) as steps:
                    del audio
                    async for step in steps:
                        for response in _responses(step, config.include_phones):
                            yield response
            finally:
                reserved.release()

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
        layout = convert.audio_layout(request.audio_format, "audio_format")
        intake = intake_for(layout, "audio_format")
        async with self._streams.slot():
            reserved = _Reserved(self._budget)
            try:
                await _collect(intake, reserved, request.audio)
                audio = await asyncio.to_thread(intake.finish)
                result = await self._pool.run(align_job, audio, request.text)
            finally:
                reserved.release()
        return pb.AlignTextResponse(
            duration=convert.duration_of(result.duration),
            words=convert.word_messages(result.words),
            phones=convert.phone_messages(result.phones),
            cues=convert.cue_messages(result.cues),
            warnings=convert.warning_messages(result.warnings),
        )

    async def _audio(
        self,
        requests: AsyncIterator[pb.RecognizeCuesRequest],
        intake: Intake,
        reserved: _Reserved,
    ) -> Audio:
        """The whole recording, collected until the client closes its side."""
        while (request := await next_within(requests, self._audio_timeout_s)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise misplaced(request.WhichOneof("payload"))
            check_chunk(request.audio.data)
            await _collect(intake, reserved, request.audio.data)
        return await asyncio.to_thread(intake.finish)


class _Reserved:
    """The part of the budget that one call holds."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held = 0
        self._last = 0

    def take(self, count: int) -> None:
        self._budget.take(count)
        self._held += count
        self._last = count

    def keep_of_last(self, count: int) -> None:
        """Of the bytes last taken only `count` are kept; resampling up keeps more."""
        more = count - self._last
        if more > 0:
            self._budget.take(more)
        else:
            self._budget.give_back(-more)
        self._held += more
        self._last = count

    def release(self) -> None:
        self._budget.give_back(self._held)
        self._held = 0


async def _collect(intake: Intake, reserved: _Reserved, data: bytes) -> None:
    reserved.take(len(data))
    reserved.keep_of_last(await asyncio.to_thread(intake.push, data))


def _responses(step: Step | Outcome, include_phones: bool) -> list[pb.RecognizeCuesResponse]:
    if isinstance(step, Outcome):
        summary = pb.RecognizeCuesSummary(
            duration=convert.duration_of(step.duration),
            recognizer=convert.recognizer_enum(step.recognizer),
            warnings=convert.warning_messages(step.warnings),
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
