from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.compositor.v1.compositor_service_pb2_grpc import CompositorServiceStub
from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku.frames.messages import to_message
from kuchipaku.type.v1 import audio_pb2, frame_pb2
from kuchipaku_compositor.service import build
from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.picture import decode_picture, encode_png
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.compositor.films import alpha_frames, animation, beep, disc, flash_film, video_frames
from tests.media.sounds import encode as encode_sound
from tests.media.sounds import tone

if TYPE_CHECKING:
    from kuchipaku.compositor.v1.compositor_service_pb2_grpc import CompositorServiceAsyncStub

WIDTH, HEIGHT = 96, 80


@asynccontextmanager
async def compositor(folder: Path, **settings: object) -> AsyncIterator[CompositorServiceAsyncStub]:
    address = f"unix:{folder}/compositor.sock"
    configured = CompositorSettings(
        address=address,
        **settings,  # type: ignore[arg-type]
    )
    async with serving(configured, build) as bound, connect(bound) as peer:
        yield CompositorServiceStub(peer.channel)


def config(**fields: object) -> pb.ComposeVideoRequest:
    frame_format = fields.pop("frame_format", None) or frame_pb2.FrameFormat(
        width_px=WIDTH, height_px=HEIGHT
    )
    return pb.ComposeVideoRequest(
        config=pb.ComposeVideoConfig(frame_format=frame_format, **fields)  # type: ignore[arg-type]
    )


def frame_requests(
    frames: Iterable[np.ndarray],
    encoding: FrameEncoding = FrameEncoding.DELTA_ZSTD,
    batch: int = 7,
    fps: float = 25,
) -> Iterator[pb.ComposeVideoRequest]:
    encoder = FrameEncoder(encoding, WIDTH, HEIGHT)
    messages = [
        to_message(encoder.encode(frame), number / fps) for number, frame in enumerate(frames)
    ]
    for start in range(0, len(messages), batch):
        part = frame_pb2.FrameBatch(frames=messages[start : start + batch])
        yield pb.ComposeVideoRequest(frames=part)


def audio_requests(data: bytes, size: int = 5_001) -> Iterator[pb.ComposeVideoRequest]:
    for start in range(0, len(data), size):
        chunk = audio_pb2.AudioChunk(data=data[start : start + size])
        yield pb.ComposeVideoRequest(audio=chunk)


async def compose(
    stub: CompositorServiceAsyncStub, requests: Iterable[pb.ComposeVideoRequest]
) -> tuple[pb.ComposeVideoStarted, bytes, pb.ComposeVideoSummary, list[str]]:
    kinds, data = [], bytearray()
    started, summary = pb.ComposeVideoStarted(), pb.ComposeVideoSummary()
    async for response in stub.ComposeVideo(iter(requests), timeout=30):
        kind = response.WhichOneof("payload")
        kinds.append(str(kind))
        if kind == "started":
            started = response.started
        elif kind == "chunk":
            assert 0 < len(response.chunk.data) <= LIMITS.max_chunk_bytes
            data += response.chunk.data
        elif kind == "summary":
            summary = response.summary
    return started, bytes(data), summary, kinds


async def refusal(
    stub: CompositorServiceAsyncStub, requests: Iterable[pb.ComposeVideoRequest]
) -> KuchipakuError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await compose(stub, requests)
    return translate_rpc_error(caught.value)


def encoder_threads() -> int:
    return sum(thread.name.startswith("compositor") for thread in threading.enumerate())


async def test_a_video_comes_in_pieces_with_its_summary(tmp_path):
    async with compositor(tmp_path) as stub:
        started, data, summary, kinds = await compose(
            stub,
            [
                config(audio_format=audio_pb2.AudioFormat()),
                *audio_requests(encode_sound("ogg", tone(2.0, 48_000), 48_000)),
                *frame_requests([disc(i % 30) for i in range(50)]),
            ],
        )
    assert kinds[0] == "started"
    assert kinds[-1] == "summary"
    assert kinds.count("progress") == 8
    assert started.media_type == "video/mp4"
    assert started.config.frames_per_second == 25
    assert started.config.background.color == "#c9d6e6"
    assert started.config.quality == 75
    assert (summary.frame_count, summary.duration.seconds) == (50, 2)
    assert summary.size_bytes == len(data)
    assert len(video_frames(data)) == 50


@pytest.mark.parametrize("encoding", list(FrameEncoding))
async def test_every_frame_encoding_and_raw_audio(tmp_path, encoding):
    frame_format = frame_pb2.FrameFormat(
        encoding=frame_pb2.FrameEncoding.Value(f"FRAME_ENCODING_{encoding}"),
        width_px=WIDTH,
        height_px=HEIGHT,
    )
    samples = (beep(1.0, 0.4, 22_050) * 32767).astype("<i2")
    audio_format = audio_pb2.AudioFormat(
        encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=22_050
    )
    async with compositor(tmp_path) as stub:
        _, data, summary, _ = await compose(
            stub,
            [
                config(frame_format=frame_format, audio_format=audio_format),
                *frame_requests(flash_film(25, 10), encoding),
                *audio_requests(samples.tobytes()),
            ],
        )
    assert summary.frame_count == 25
    bright = [time for time, pixels in video_frames(data) if pixels.mean() > 128]
    assert bright == [pytest.approx(0.4)]


@pytest.mark.parametrize(
    ("container", "media_type"),
    [
        (pb.VIDEO_CONTAINER_WEBM, "video/webm"),
        (pb.VIDEO_CONTAINER_GIF, "image/gif"),
        (pb.VIDEO_CONTAINER_WEBP, "image/webp"),
    ],
)
async def test_containers_with_alpha(tmp_path, container, media_type):
    requests = [config(container=container), *frame_requests([disc(i) for i in range(10)])]
    async with compositor(tmp_path) as stub:
        started, data, _, _ = await compose(stub, requests)
    assert started.media_type == media_type
    assert started.config.background.transparent
    shown = (
        alpha_frames(data)
        if container == pb.VIDEO_CONTAINER_WEBM
        else [pixels for _, pixels in animation(data)]
    )
    assert len(shown) == 10
    assert shown[3][0, 0, 3] < 10
    assert shown[3][40, 48, 3] > 245


async def test_a_background_picture(tmp_path):
    green = np.zeros((64, 64, 4), np.uint8)
    green[..., 1::2] = 255
    background = pb.Background(image=encode_png(green))
    requests = [config(background=background), *frame_requests([disc()] * 2)]
    async with compositor(tmp_path) as stub:
        started, data, _, _ = await compose(stub, requests)
    assert not started.config.background.image
    assert np.abs(video_frames(data)[0][1][0, 0].astype(int) - (0, 255, 0)).max() < 8


RAW_AUDIO = audio_pb2.AudioFormat(
    encoding=audio_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hertz=16_000
)
FILE_AUDIO = audio_pb2.AudioFormat()
ONE_FRAME = list(frame_requests([disc()]))
NAN = np.full(100, np.nan, "<f4").tobytes()
SHORT_RAW = pb.ComposeVideoRequest(
    frames=frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=0, data=b"abc")])
)
LATE = pb.ComposeVideoRequest(
    frames=frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=7, data=b"abc")])
)

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
    "audio missing": (
        [config(audio_format=FILE_AUDIO), *ONE_FRAME],
        "INVALID_ARGUMENT",
        "AUDIO_EMPTY",
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
    "container": ([config(container=99)], "INVALID_ARGUMENT", "ENUM_UNKNOWN"),
    "frame rate": ([config(frames_per_second=61)], "INVALID_ARGUMENT", "FRAME_RATE_UNSUPPORTED"),
    "frame rate NaN": (
        [config(frames_per_second=float("nan"))],
        "INVALID_ARGUMENT",
        "FRAME_RATE_UNSUPPORTED",
    ),
    "quality": ([config(quality=101)], "INVALID_ARGUMENT", "QUALITY_UNSUPPORTED"),
    "size": (
        [config(frame_format=frame_pb2.FrameFormat(width_px=100_000))],
        "INVALID_ARGUMENT",
        "FRAME_SIZE_UNSUPPORTED",
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


async def test_a_caller_who_goes_frees_everything(tmp_path):
    async with compositor(tmp_path, max_concurrent_jobs=1, max_queued_jobs=1) as stub:
        for container in (pb.VIDEO_CONTAINER_MP4, pb.VIDEO_CONTAINER_WEBM, pb.VIDEO_CONTAINER_GIF):
            call = stub.ComposeVideo(timeout=30)
            await call.write(config(container=container))
            for request in frame_requests([disc(i) for i in range(20)]):
                await call.write(request)
            assert "started" in str(await call.read())
            assert "progress" in str(await call.read())
            assert encoder_threads() == 1
            call.cancel()
            # The only place is free again once the job before has been closed.
            _, data, _, _ = await compose(stub, [config(), *ONE_FRAME])
            assert data
            assert encoder_threads() == 0


async def test_a_full_service_refuses_with_a_hint(tmp_path):
    async with compositor(tmp_path, max_concurrent_jobs=1, max_queued_jobs=0) as stub:
        call = stub.ComposeVideo(timeout=30)
        await call.write(config())
        await call.read()
        error = await refusal(stub, [config(), *ONE_FRAME])
        assert (error.code.value, error.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert error.retry_after_s is not None
        call.cancel()


async def test_sprites_come_as_sheets_and_a_description(tmp_path):
    encoder = FrameEncoder(FrameEncoding.DELTA_ZSTD, WIDTH, HEIGHT)
    sprites = [
        pb.Sprite(name=f"talk/{i}", tag="talk", frame=to_message(encoder.encode(disc(i % 4 * 8))))
        for i in range(8)
    ]
    for sprite in sprites:
        sprite.duration.FromMilliseconds(40)
    frame_format = frame_pb2.FrameFormat(width_px=WIDTH, height_px=HEIGHT)
    settings = pb.PackSpritesConfig(frame_format=frame_format, trim=True, power_of_two=True)
    requests = [
        pb.PackSpritesRequest(config=settings),
        pb.PackSpritesRequest(sprites=pb.SpriteBatch(sprites=sprites[:5])),
        pb.PackSpritesRequest(sprites=pb.SpriteBatch(sprites=sprites[5:])),
    ]
    files: dict[str, bytes] = {}
    async with compositor(tmp_path) as stub:
        async for response in stub.PackSprites(iter(requests), timeout=30):
            if response.HasField("started"):
                assert response.started.config.max_side_px == 4096
            elif response.HasField("chunk"):
                name = response.chunk.file_name
                files[name] = files.get(name, b"") + response.chunk.data
            else:
                assert (response.summary.sheet_count, response.summary.sprite_count) == (1, 8)
    description = json.loads(files["sprites.json"])
    assert len(description["frames"]) == 8
    assert decode_picture(files["sheet-0.png"]).shape[0] == description["meta"]["size"]["h"]


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
    ],
)
async def test_bad_sprite_requests_are_named(tmp_path, requests, reason):
    async with compositor(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.PackSprites(iter(requests), timeout=30):
                pass
    assert translate_rpc_error(caught.value).reason == reason
