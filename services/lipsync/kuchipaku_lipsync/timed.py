"""Messages of a call whose timings the caller knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_contract.streams import misplaced, next_within
from kuchipaku_lipsync import convert
from kuchipaku_lipsync.timings import TimedMouth, TimedPhone, TimedViseme, VisemeSet

_SETS = {
    cue_pb2.VISEME_SET_OVR_15: VisemeSet.OVR_15,
    cue_pb2.VISEME_SET_AZURE_22: VisemeSet.AZURE_22,
}
_BATCH_SIZE = 2_000


def is_timing(request: pb.RecognizeCuesRequest | None) -> bool:
    """Whether a message has timings in place of audio."""
    return request is not None and request.WhichOneof("payload") in ("phones", "visemes")


async def preceded(
    first: pb.RecognizeCuesRequest | None, requests: AsyncIterator[pb.RecognizeCuesRequest]
) -> AsyncIterator[pb.RecognizeCuesRequest]:
    """`requests` with the one before them that was read already, if there was one."""
    if first is not None:
        yield first
        async for request in requests:
            yield request


async def timed_responses(
    first: pb.RecognizeCuesRequest,
    requests: AsyncIterator[pb.RecognizeCuesRequest],
    shapes: frozenset[MouthShape],
    timeout_s: float,
) -> AsyncGenerator[pb.RecognizeCuesResponse, None]:
    """The answers to timings: `first` and those behind it, until the client closes its side.

    Raises what `TimedMouth` raises, FailedPreconditionError TIMING_SOURCE_MISMATCH for audio or
    another kind of timings, and as `next_within`.
    """
    mouth = TimedMouth(shapes)
    kind = first.WhichOneof("payload")
    request: pb.RecognizeCuesRequest | None = first
    while request is not None:
        payload = request.WhichOneof("payload")
        if payload is None or payload == "config":
            raise misplaced(payload)
        if payload != kind:
            raise FailedPreconditionError(
                f"The call has {kind}; {payload} cannot be mixed with them.",
                reason="TIMING_SOURCE_MISMATCH",
                field=payload,
            )
        for response in _cue_responses(await asyncio.to_thread(_add, mouth, request)):
            yield response
        request = await next_within(requests, timeout_s)
    cues = await asyncio.to_thread(mouth.finish)
    for response in _cue_responses(cues):
        yield response
    end_s = cues[-1].end if cues else mouth.end_s
    yield pb.RecognizeCuesResponse(progress=pb.RecognizeCuesProgress(fraction=1.0))
    summary = pb.RecognizeCuesSummary(duration=convert.duration_of(end_s))
    yield pb.RecognizeCuesResponse(summary=summary)


def _add(mouth: TimedMouth, request: pb.RecognizeCuesRequest) -> list[MouthCue]:
    if request.HasField("phones"):
        return mouth.add_phones([_phone(phone) for phone in request.phones.phones])
    viseme_set = _SETS.get(request.visemes.set)
    if viseme_set is None:
        raise InvalidArgumentError(
            "The set of the visemes is not known.",
            reason="VISEME_SET_UNKNOWN",
            field="visemes.set",
        )
    visemes = [
        TimedViseme(convert.seconds_of(viseme.start_offset), viseme.viseme_id)
        for viseme in request.visemes.visemes
    ]
    return mouth.add_visemes(viseme_set, visemes)


def _phone(phone: cue_pb2.Phone) -> TimedPhone:
    start, end = convert.seconds_of(phone.start_offset), convert.seconds_of(phone.end_offset)
    return TimedPhone(start, end, phone.symbol)


def _cue_responses(cues: Sequence[MouthCue]) -> Iterator[pb.RecognizeCuesResponse]:
    messages = convert.cue_messages(cues)
    for start in range(0, len(messages), _BATCH_SIZE):
        batch = cue_pb2.CueBatch(cues=messages[start : start + _BATCH_SIZE])
        yield pb.RecognizeCuesResponse(cues=batch)
