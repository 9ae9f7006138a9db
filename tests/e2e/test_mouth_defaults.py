"""A character's own mouth shapes in sessions and films."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.client import Client
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_runtime import connect

from .conftest import Product
from .sounds import tone, wav

OWN = {"D": animation_pb2.MouthOverride(weights={"mouth_ooo": 0.9})}


def _seconds(value: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=value))
    return duration


CUES = cue_pb2.CueBatch(
    cues=[
        cue_pb2.MouthCue(
            start_offset=_seconds(0), end_offset=_seconds(0.4), shape=cue_pb2.MOUTH_SHAPE_D
        )
    ]
)


def _animation(
    overrides: Mapping[str, animation_pb2.MouthOverride],
) -> animation_pb2.AnimationOptions:
    return animation_pb2.AnimationOptions(
        frames_per_second=10,
        motion=animation_pb2.MOTION_NONE,
        seed=1,
        mouth_overrides=overrides,
    )


@pytest.fixture
async def rounded(client: Client, character: gateway.Character) -> gateway.Character:
    """The tests' character with an "a" that is rounded."""
    request = gateway.CreateCharacterRequest(
        prompt=gateway.PromptSource(prompt="girl, blue hime cut, red eyes", seed=4),
        request_id="the tests' character with a mouth of its own",
        defaults=gateway.CharacterDefaults(mouth_overrides=OWN),
    )
    made = (await client.create_character(request)).character
    assert made.canvas.sha256 == character.canvas.sha256
    return made


async def _spoken(
    client: Client, name: str, overrides: Mapping[str, animation_pb2.MouthOverride]
) -> list[bytes]:
    config = gateway.SpeakConfig(
        character=name,
        animation=_animation(overrides),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_PNG, width_px=128, height_px=128
        ),
    )

    async def requests() -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=config)
        spec = gateway.SpeakUtterance(timing=gateway.TIMING_SOURCE_CUES)
        yield gateway.SpeakRequest(utterance=spec)
        yield gateway.SpeakRequest(cues=CUES)
        end = session_pb2.UtteranceEnd(duration=_seconds(0.4))
        yield gateway.SpeakRequest(utterance_end=end)

    answers = [answer async for answer in client.speak(requests())]
    return [frame.data for answer in answers for frame in answer.frames.frames if frame.data]


async def _film(
    product: Product, name: str, overrides: Mapping[str, animation_pb2.MouthOverride]
) -> bytes:
    config = gateway.RenderVideoConfig(
        character=name,
        animation=_animation(overrides),
        container=compositor.VIDEO_CONTAINER_GIF,
        timing=gateway.TIMING_SOURCE_CUES,
        width_px=128,
        height_px=128,
    )

    async def requests() -> AsyncIterator[gateway.RenderVideoRequest]:
        yield gateway.RenderVideoRequest(config=config)
        yield gateway.RenderVideoRequest(cues=CUES)
        sound = audio_pb2.AudioChunk(data=wav(tone(0.4)))
        yield gateway.RenderVideoRequest(audio=sound)

    async with connect(product.gateway) as peer:
        stub = gateway_grpc.GatewayServiceStub(peer.channel)
        answers = [answer async for answer in stub.RenderVideo(requests())]
    return b"".join(answer.chunk.data for answer in answers)


async def test_a_session_shows_the_characters_own_mouth(
    client: Client, character: gateway.Character, rounded: gateway.Character
) -> None:
    plain = await _spoken(client, character.name, {})
    own = await _spoken(client, rounded.name, {})
    assert own != plain
    assert own == await _spoken(client, character.name, OWN)
    unchanged = {"D": animation_pb2.MouthOverride()}
    assert await _spoken(client, rounded.name, unchanged) == plain


async def test_a_film_shows_the_characters_own_mouth(
    product: Product, character: gateway.Character, rounded: gateway.Character
) -> None:
    own = await _film(product, rounded.name, {})
    assert own != await _film(product, character.name, {})
    assert own == await _film(product, character.name, OWN)
