"""When frames are due: the clock of an utterance through all services."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import animation_pb2, audio_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import InvalidArgumentError


def config(character: gateway.Character, delay_s: int) -> gateway.SpeakConfig:
    return gateway.SpeakConfig(
        character=character.name,
        animation=animation_pb2.AnimationOptions(
            frames_per_second=5, motion=animation_pb2.MOTION_NONE, seed=1
        ),
        frame_format=frame_pb2.FrameFormat(width_px=128, height_px=128),
        pacing=session_pb2.PACING_REAL_TIME,
        max_lead=Duration(seconds=10),
        playback_delay=Duration(seconds=delay_s),
    )


async def speak(
    client: Client, settings: gateway.SpeakConfig, wav: bytes
) -> gateway.SpeakUtteranceSummary:
    async def requests() -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=settings)
        yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=wav))

    summary = gateway.SpeakUtteranceSummary()
    async for answer in client.speak(requests()):
        if answer.HasField("utterance_summary"):
            summary = answer.utterance_summary
    return summary


async def test_a_line_that_is_shown_later_loses_no_frame(
    client: Client, character: gateway.Character, hello_wav: bytes
) -> None:
    summary = (await speak(client, config(character, 9), hello_wav)).summary
    assert summary.dropped_frame_count == 0
    assert summary.frame_count == -(-summary.duration.ToNanoseconds() // 200_000_000)


async def test_a_delay_that_is_too_long_is_refused(
    client: Client, character: gateway.Character, hello_wav: bytes
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await speak(client, config(character, 11), hello_wav)
    assert caught.value.reason == "PLAYBACK_DELAY_OUT_OF_RANGE"
    assert caught.value.field == "config.playback_delay"
