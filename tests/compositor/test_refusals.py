from __future__ import annotations

import struct

import grpc
import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.type.v1 import audio_pb2, frame_pb2
from kuchipaku_media.picture import encode_png
from kuchipaku_runtime import translate_rpc_error
from tests.compositor.compositorclient import (
    ONE_FRAME,
    audio_requests,
    compose,
    compositor,
    config,
    encoder_threads,
    frame_requests,
    refusal,
)
from tests.compositor.films import disc, video_frames

RAW_AUDIO = audio_pb2.AudioFormat(
    encoding=audio_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hertz=16_000
)
FILE_AUDIO = audio_pb2.AudioFormat()
NAN = np.full(100, np.nan, "<f4").tobytes()
SHORT_RAW = pb.ComposeVideoRequest(
    frames=frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=0, data=b"abc")])
)
LATE = pb.ComposeVideoRequest(
    frames=frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=7, data=b"abc")])
)


def _png_header(width: int, height: int) -> bytes:
    """The start of a PNG, which says its size."""
    size = struct.pack(">II", width, height)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + size + bytes([8, 6, 0, 0, 0])


BAD = {
    "nothing": ([], "FAILED_PRECONDITION", "CONFIG_MISSING"),
    "frames first": (ONE_FRAME, "FAILED_PRECONDITION", "CONFIG_MISSING"),
    "audio first": (list(audio_requests(b"1")), "FAILED_PRECONDITION", "CONFIG_MISSING"),
    "config twice": ([config(), config()], "FAILED_PRECONDITION", "CONFIG_TWICE"),
    "empty message": ([config(), pb.ComposeVideoRequest()], "INVALID_ARGUMENT", "PAYLOAD_MISSING"),
    "no frames": ([config()], "INVALID_ARGUMENT", "FRAMES_MISSING"),
    "audio unannounced": (
        [config(), *audio_requests(b"1234")],
        "FAILED_PRECONDITION",
        "AUDIO_UNEXPECTED",
    ),
    "not audio": (
        [config(audio_format=FILE_AUDIO), *ONE_FRAME, *audio_requests(b"text" * 100)],
        "INVALID_ARGUMENT",
        "AUDIO_NOT_DECODABLE",
    ),
    "NaN": (
        [config(audio_format=RAW_AUDIO), *audio_requests(NAN)],
        "INVALID_ARGUMENT",
        "AUDIO_NOT_FINITE",
    ),
    "half a sample": (
        [config(audio_format=RAW_AUDIO), *ONE_FRAME, *audio_requests(b"12345")],
        "INVALID_ARGUMENT",
        "AUDIO_TRUNCATED",
    ),
    "no sample rate": (
        [config(audio_format=audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_PCM_F32LE))],
        "INVALID_ARGUMENT",
        "AUDIO_SAMPLE_RATE_UNSUPPORTED",
    ),
    "frame damaged": ([config(), SHORT_RAW], "INVALID_ARGUMENT", "FRAME_NOT_DECODABLE"),
    "frame out of order": ([config(), LATE], "INVALID_ARGUMENT", "FRAME_OUT_OF_ORDER"),
    "container": ([config(container=99)], "INVALID_ARGUMENT", "ENUM_VALUE_UNKNOWN"),
    "frame rate": ([config(frames_per_second=61)], "INVALID_ARGUMENT", "FPS_OUT_OF_RANGE"),
    "frame rate NaN": (
        [config(frames_per_second=float("nan"))],
        "INVALID_ARGUMENT",
        "FPS_OUT_OF_RANGE",
    ),
    "quality": ([config(quality=101)], "INVALID_ARGUMENT", "QUALITY_UNSUPPORTED"),
    "size": (
        [config(frame_format=frame_pb2.FrameFormat(width_px=100_000))],
        "INVALID_ARGUMENT",
        "FRAME_SIZE_OUT_OF_RANGE",
    ),
    "alpha": (
        [config(frame_format=frame_pb2.FrameFormat(alpha_mode=9))],  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "ENUM_VALUE_UNKNOWN",
    ),
    "audio encoding": (
        [config(audio_format=audio_pb2.AudioFormat(encoding=9))],  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "AUDIO_ENCODING_UNKNOWN",
    ),
    "window": (
        [config(frame_format=frame_pb2.FrameFormat(reference_window_bytes=-1))],
        "INVALID_ARGUMENT",
        "REFERENCE_WINDOW_UNSUPPORTED",
    ),
    "colour": (
        [config(background=pb.Background(color="blue"))],
        "INVALID_ARGUMENT",
        "COLOR_INVALID",
    ),
    "picture": (
        [config(background=pb.Background(image=b"no picture"))],
        "INVALID_ARGUMENT",
        "IMAGE_FORMAT_UNSUPPORTED",
    ),
    "damaged picture": (
        [config(background=pb.Background(image=encode_png(disc())[:-50]))],
        "INVALID_ARGUMENT",
        "IMAGE_NOT_DECODABLE",
    ),
    "large picture": (
        [config(background=pb.Background(image=_png_header(5000, 5000)))],
        "INVALID_ARGUMENT",
        "IMAGE_TOO_MANY_PIXELS",
    ),
    "transparent mp4": (
        [config(background=pb.Background(transparent=True))],
        "INVALID_ARGUMENT",
        "BACKGROUND_TRANSPARENT_UNSUPPORTED",
    ),
    "gif too long": (
        [config(container=pb.VIDEO_CONTAINER_GIF), *frame_requests([disc()] * 60)],
        "INVALID_ARGUMENT",
        "VIDEO_TOO_LONG",
    ),
}


async def test_bad_input_is_named_and_the_service_stays_up(tmp_path):
    async with compositor(tmp_path, max_gif_duration_s=2.0) as stub:
        for name, (requests, code, reason) in BAD.items():
            error = await refusal(stub, requests)
            assert (error.code.value, error.reason) == (code, reason), name
            assert error.field is not None, name
        _, data, _, _ = await compose(stub, [config(), *ONE_FRAME])
        assert len(video_frames(data)) == 1
        assert encoder_threads() == 0


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ([], "CONFIG_MISSING"),
        ([pb.PackSpritesRequest(config=pb.PackSpritesConfig())] * 2, "CONFIG_TWICE"),
        ([pb.PackSpritesRequest(config=pb.PackSpritesConfig())], "SPRITES_MISSING"),
        (
            [pb.PackSpritesRequest(config=pb.PackSpritesConfig(max_side_px=5))],
            "SHEET_SIZE_UNSUPPORTED",
        ),
        (
            [pb.PackSpritesRequest(config=pb.PackSpritesConfig(padding_px=-1))],
            "PADDING_UNSUPPORTED",
        ),
        (
            [
                pb.PackSpritesRequest(
                    config=pb.PackSpritesConfig(
                        frame_format=frame_pb2.FrameFormat(width_px=257, height_px=100),
                        max_side_px=300,
                        power_of_two=True,
                    )
                )
            ],
            "SPRITE_TOO_LARGE",
        ),
    ],
)
async def test_bad_sprite_requests_are_named(tmp_path, requests, reason):
    async with compositor(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in keep_status(stub.PackSprites(iter(requests), timeout=30)):
                pass
    assert translate_rpc_error(caught.value).reason == reason
