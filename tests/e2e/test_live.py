"""Speech that is still being spoken: frames come before it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2
from kuchipaku_media.audio import decode_audio

PIECE_S = 0.1
SPOKEN_S = 2.5


@pytest.fixture
def config(character: gateway.Character) -> gateway.SpeakConfig:
    return gateway.SpeakConfig(
        character=character.name,
        audio_format=audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=16_000
        ),
        animation=animation_pb2.AnimationOptions(
            frames_per_second=10, motion=animation_pb2.MOTION_NONE, seed=1
        ),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_PNG, width_px=128, height_px=128
        ),
        live_latency=Duration(nanos=200_000_000),
    )


@pytest.fixture
def spoken(hello_wav: bytes) -> list[bytes]:
    """The beginning of a line in pieces of 100 ms."""
    samples = decode_audio(hello_wav, sample_rate=16_000).samples[: int(SPOKEN_S * 16_000)]
    data = (samples * 32_767).astype("<i2").tobytes()
    size = int(PIECE_S * 32_000)
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("recognizer", [lipsync.RECOGNIZER_LIVE, lipsync.RECOGNIZER_AUTO])
async def test_frames_come_while_somebody_still_speaks(
    client: Client,
    config: gateway.SpeakConfig,
    spoken: list[bytes],
    recognizer: lipsync.Recognizer.ValueType,
) -> None:
    config.recognizer = recognizer
    seen = asyncio.Event()

    async def speak() -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=config)
        for piece in spoken:
            yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=piece))
            # As a microphone does; AUTO has to find that out.
            await asyncio.sleep(PIECE_S)
        # The speaker takes a breath, and does not go on before the face has moved.
        await seen.wait()
        yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=b"".join(spoken)))

    cues: list[cue_pb2.MouthCue] = []
    offsets: list[float] = []
    summary = gateway.SpeakUtteranceSummary()
    async for answer in client.speak(speak()):
        cues.extend(answer.cues.cues)
        offsets.extend(frame.offset.ToTimedelta().total_seconds() for frame in answer.frames.frames)
        if offsets and offsets[-1] >= SPOKEN_S - 0.2:
            seen.set()
        if answer.HasField("utterance_summary"):
            summary = answer.utterance_summary
    assert summary.recognizer == lipsync.RECOGNIZER_LIVE
    assert offsets == pytest.approx([index / 10 for index in range(int(20 * SPOKEN_S))])
    assert len({cue.shape for cue in cues}) > 4
    assert cues[-1].end_offset.ToTimedelta().total_seconds() == pytest.approx(2 * SPOKEN_S)
