"""A client of the service for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import grpc
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_media.audio import AudioClip
from kuchipaku_runtime import translate_rpc_error

FILE = audio_pb2.AudioFormat()
S16 = audio_pb2.AudioFormat(
    encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=16_000, channel_count=1
)
F32 = audio_pb2.AudioFormat(
    encoding=audio_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hertz=16_000, channel_count=1
)


def requests(
    config: pb.RecognizeCuesConfig | None, data: bytes = b"", chunk: int = 100_000
) -> list[pb.RecognizeCuesRequest]:
    messages = [] if config is None else [pb.RecognizeCuesRequest(config=config)]
    for start in range(0, len(data), chunk):
        audio = audio_pb2.AudioChunk(data=data[start : start + chunk])
        messages.append(pb.RecognizeCuesRequest(audio=audio))
    return messages


async def answers(
    stub: pb_grpc.LipsyncServiceAsyncStub, messages: Iterable[pb.RecognizeCuesRequest]
) -> list[pb.RecognizeCuesResponse]:
    """Sends the config, waits until it is accepted, sends the rest and reads to the end.

    A client that goes on writing to a call that was refused sees an error of its own library.
    """
    first, *others = messages
    call = keep_status(stub.RecognizeCues())
    await call.write(first)
    responses = [await read(call)]
    for message in others:
        await call.write(message)
    await call.done_writing()
    while (response := await read(call)) is not None:
        responses.append(response)
    return [response for response in responses if response is not None]


async def read(
    call: grpc.aio.StreamStreamCall[pb.RecognizeCuesRequest, pb.RecognizeCuesResponse],
) -> pb.RecognizeCuesResponse | None:
    response = await call.read()
    return response if isinstance(response, pb.RecognizeCuesResponse) else None


async def refusal(
    stub: pb_grpc.LipsyncServiceAsyncStub, messages: Iterable[pb.RecognizeCuesRequest]
) -> KuchipakuError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers(stub, messages)
    return translate_rpc_error(caught.value)


def cues_of(responses: list[pb.RecognizeCuesResponse]) -> list[cue_pb2.MouthCue]:
    return [cue for response in responses for cue in response.cues.cues]


def check_cover(cues: list[cue_pb2.MouthCue], seconds: float) -> None:
    assert cues[0].start_offset.ToNanoseconds() == 0
    assert cues[-1].end_offset.ToNanoseconds() == round(seconds * 1e9)
    for first, second in pairwise(cues):
        assert first.end_offset == second.start_offset
        assert first.shape != second.shape


def pcm16(clip: AudioClip) -> bytes:
    return (clip.samples * 32767).astype("<i2").tobytes()
