"""Sessions and films whose phones or visemes the caller knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.client import Client
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_runtime import connect

from .conftest import Product
from .sounds import tone, wav


@pytest.fixture
def config(character: gateway.Character) -> gateway.SpeakConfig:
    return gateway.SpeakConfig(
        character=character.name,
        animation=animation_pb2.AnimationOptions(
            frames_per_second=10, motion=animation_pb2.MOTION_NONE, seed=1
        ),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_PNG, width_px=128, height_px=128
        ),
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _phone(start: float, end: float, symbol: str) -> cue_pb2.Phone:
    return cue_pb2.Phone(start_offset=_duration(start), end_offset=_duration(end), symbol=symbol)


def _phones(*phones: cue_pb2.Phone) -> gateway.SpeakRequest:
    return gateway.SpeakRequest(phones=cue_pb2.PhoneBatch(phones=phones))


def _utterance(timing: gateway.TimingSource.ValueType) -> gateway.SpeakRequest:
    return gateway.SpeakRequest(utterance=gateway.SpeakUtterance(timing=timing))


async def _run(client: Client, *requests: gateway.SpeakRequest) -> list[gateway.SpeakResponse]:
    async def stream() -> AsyncIterator[gateway.SpeakRequest]:
        for request in requests:
            yield request

    return [answer async for answer in client.speak(stream())]


def _shapes(answers: list[gateway.SpeakResponse]) -> str:
    return "".join(
        cue_pb2.MouthShape.Name(cue.shape)[-1] for answer in answers for cue in answer.cues.cues
    )


async def test_a_session_speaks_phones(client: Client, config: gateway.SpeakConfig) -> None:
    answers = await _run(
        client,
        gateway.SpeakRequest(config=config),
        _utterance(gateway.TIMING_SOURCE_PHONES),
        _phones(_phone(0.1, 0.3, "M"), _phone(0.3, 0.6, "AA")),
        _phones(_phone(0.6, 0.8, "UW")),
        gateway.SpeakRequest(utterance_end=session_pb2.UtteranceEnd(duration=_duration(1.2))),
    )
    shapes = _shapes(answers)
    assert shapes.index("A") < shapes.index("D") < shapes.index("F")
    summary = next(a.utterance_summary for a in answers if a.HasField("utterance_summary"))
    assert summary.recognizer == lipsync.RECOGNIZER_UNSPECIFIED
    assert summary.summary.frame_count == 12


async def test_a_session_speaks_visemes_and_ends_with_them(
    client: Client, config: gateway.SpeakConfig
) -> None:
    visemes = cue_pb2.VisemeBatch(
        set=cue_pb2.VISEME_SET_OVR_15,
        visemes=[
            cue_pb2.Viseme(start_offset=_duration(time), viseme_id=viseme_id)
            for time, viseme_id in ((0.0, 1), (0.2, 10), (0.5, 14), (0.8, 0))
        ],
    )
    answers = await _run(
        client,
        gateway.SpeakRequest(config=config),
        _utterance(gateway.TIMING_SOURCE_VISEMES),
        gateway.SpeakRequest(visemes=visemes),
    )
    shapes = _shapes(answers)
    assert shapes.index("A") < shapes.index("D") < shapes.index("F")
    summary = next(a.utterance_summary for a in answers if a.HasField("utterance_summary"))
    assert summary.summary.frame_count == 8


async def test_cues_of_phones_without_frames(client: Client, config: gateway.SpeakConfig) -> None:
    config.frames_disabled = True
    answers = await _run(
        client,
        gateway.SpeakRequest(config=config),
        _utterance(gateway.TIMING_SOURCE_PHONES),
        _phones(_phone(0.1, 0.3, "M"), _phone(0.3, 0.6, "AA")),
    )
    assert "AD" in _shapes(answers)


async def test_bad_timings_are_refused(client: Client, config: gateway.SpeakConfig) -> None:
    start = gateway.SpeakRequest(config=config)
    speak_phones = _utterance(gateway.TIMING_SOURCE_PHONES)
    with pytest.raises(InvalidArgumentError) as unknown:
        await _run(client, start, speak_phones, _phones(_phone(0.1, 0.3, "Q9")))
    assert unknown.value.reason == "PHONE_UNKNOWN"
    assert unknown.value.field == "phones.phones[0].symbol"
    with pytest.raises(InvalidArgumentError) as overlap:
        await _run(
            client,
            start,
            speak_phones,
            _phones(_phone(0.1, 0.3, "M"), _phone(0.2, 0.4, "AA")),
        )
    assert overlap.value.reason == "TIMING_OVERLAP"
    with pytest.raises(FailedPreconditionError) as mixed:
        await _run(
            client,
            start,
            speak_phones,
            gateway.SpeakRequest(visemes=cue_pb2.VisemeBatch(set=cue_pb2.VISEME_SET_OVR_15)),
        )
    assert (mixed.value.reason, mixed.value.field) == ("TIMING_SOURCE_MISMATCH", "visemes")


@pytest.mark.parametrize(
    "container", [compositor.VIDEO_CONTAINER_MP4, compositor.VIDEO_CONTAINER_GIF]
)
@pytest.mark.parametrize("with_sound", [True, False])
async def test_a_film_of_phones(
    product: Product,
    character: gateway.Character,
    with_sound: bool,
    container: compositor.VideoContainer.ValueType,
) -> None:
    async def stream() -> AsyncIterator[gateway.RenderVideoRequest]:
        yield gateway.RenderVideoRequest(
            config=gateway.RenderVideoConfig(
                character=character.name,
                timing=gateway.TIMING_SOURCE_PHONES,
                container=container,
                width_px=128,
                animation=animation_pb2.AnimationOptions(frames_per_second=10),
            )
        )
        phones = cue_pb2.PhoneBatch(phones=[_phone(0.1, 0.3, "M"), _phone(0.3, 1.0, "AA")])
        yield gateway.RenderVideoRequest(phones=phones)
        if with_sound:
            sound = audio_pb2.AudioChunk(data=wav(tone(1.0)))
            yield gateway.RenderVideoRequest(audio=sound)

    async with connect(product.gateway) as peer:
        stub: gateway_grpc.GatewayServiceAsyncStub = gateway_grpc.GatewayServiceStub(peer.channel)
        answers = [answer async for answer in stub.RenderVideo(stream())]
    shapes = [cue.shape for answer in answers for cue in answer.cues.cues]
    assert cue_pb2.MOUTH_SHAPE_A in shapes
    assert cue_pb2.MOUTH_SHAPE_D in shapes
    assert answers[-1].summary.frame_count == 10
