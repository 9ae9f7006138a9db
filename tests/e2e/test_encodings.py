"""Frame formats through the whole product: what a client asks of Speak is what it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from kuchipaku.client import Client
from kuchipaku.frames import Rgba
from kuchipaku.frames.messages import decode_batch, decoder_for
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2, session_pb2

BUST = frame_pb2.Crop(left_px=112, top_px=8, width_px=288, height_px=288)


async def spoken(
    client: Client, character: gateway.Character, **asked: object
) -> tuple[frame_pb2.FrameFormat, list[Rgba], int]:
    """The format in effect, the frames of a short line, and the bytes of their data."""
    config = gateway.SpeakConfig(
        character=character.name,
        animation=animation_pb2.AnimationOptions(
            frames_per_second=10, motion=animation_pb2.MOTION_FULL, seed=1
        ),
        frame_format=frame_pb2.FrameFormat(
            crop=BUST,
            width_px=256,
            **asked,  # type: ignore[arg-type]
        ),
    )
    end = session_pb2.UtteranceEnd()
    end.duration.FromMilliseconds(1000)
    cue = cue_pb2.MouthCue(shape=cue_pb2.MOUTH_SHAPE_D)
    cue.start_offset.FromMilliseconds(200)
    cue.end_offset.FromMilliseconds(600)
    utterance = gateway.SpeakUtterance(utterance_id="line", timing=gateway.TIMING_SOURCE_CUES)

    async def requests() -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=config)
        yield gateway.SpeakRequest(utterance=utterance)
        yield gateway.SpeakRequest(cues=cue_pb2.CueBatch(cues=[cue]))
        yield gateway.SpeakRequest(utterance_end=end)

    effective = frame_pb2.FrameFormat()
    frames: list[Rgba] = []
    size = 0
    decoder = None
    async for answer in client.speak(requests()):
        if answer.WhichOneof("payload") == "started":
            effective = answer.started.config.frame_format
            decoder = decoder_for(effective)
        elif answer.WhichOneof("payload") == "frames":
            assert decoder is not None
            frames += [frame.pixels for frame in decode_batch(decoder, answer.frames)]
            size += sum(len(frame.data) for frame in answer.frames.frames)
    return effective, frames, size


@pytest.mark.parametrize(
    ("asked", "levels"),
    [
        ({"encoding": frame_pb2.FRAME_ENCODING_PNG}, 0),
        ({"encoding": frame_pb2.FRAME_ENCODING_WEBP}, 0),
        ({"encoding": frame_pb2.FRAME_ENCODING_DELTA_ZSTD}, 0),
        ({"encoding": frame_pb2.FRAME_ENCODING_DELTA_ZSTD, "dead_band": 2}, 2),
        ({"encoding": frame_pb2.FRAME_ENCODING_WEBP, "quality": 85}, None),
        ({"encoding": frame_pb2.FRAME_ENCODING_JPEG_ALPHA, "quality": 85}, None),
    ],
)
async def test_a_client_chooses_the_encoding(
    client: Client, character: gateway.Character, asked: dict[str, int], levels: int | None
) -> None:
    _, wanted, raw_size = await spoken(client, character, encoding=frame_pb2.FRAME_ENCODING_RAW)
    effective, shown, size = await spoken(client, character, **asked)
    for name, value in asked.items():
        assert getattr(effective, name) == value
    assert len(shown) == len(wanted) == 10
    assert shown[0].shape == (256, 256, 4)
    assert size < raw_size / 4
    difference = np.array(shown, np.int16) - np.array(wanted, np.int16)
    if levels is not None:
        assert np.abs(difference).max() <= levels
    else:
        assert not difference[..., 3].any()
        visible = np.array(wanted)[..., 3] == 255
        assert np.abs(difference[visible]).mean() < 3
