from __future__ import annotations

import json

import grpc
import numpy as np
import pytest

from kuchipaku.calls import keep_status
from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku.frames.messages import to_message
from kuchipaku.type.v1 import audio_pb2, frame_pb2
from kuchipaku_media.picture import decode_picture, encode_png
from kuchipaku_runtime import translate_rpc_error
from tests.compositor.compositorclient import (
    HEIGHT,
    ONE_FRAME,
    WIDTH,
    audio_requests,
    compose,
    compositor,
    config,
    encoder_threads,
    frame_requests,
    refusal,
)
from tests.compositor.films import (
    alpha_frames,
    animation,
    beep,
    disc,
    flash_film,
    sound,
    video_frames,
)
from tests.media.sounds import encode as encode_sound
from tests.media.sounds import tone


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


@pytest.mark.parametrize("raw", [False, True], ids=["file", "samples"])
@pytest.mark.parametrize("container", [pb.VIDEO_CONTAINER_MP4, pb.VIDEO_CONTAINER_GIF])
async def test_audio_that_never_came_is_silence(tmp_path, container, raw):
    audio_format = audio_pb2.AudioFormat()
    if raw:
        audio_format.encoding = audio_pb2.AUDIO_ENCODING_PCM_S16LE
        audio_format.sample_rate_hertz = 16_000
    async with compositor(tmp_path) as stub:
        _, data, summary, _ = await compose(
            stub,
            [
                config(audio_format=audio_format, container=container),
                *frame_requests([disc(i) for i in range(10)]),
            ],
        )
    assert summary.frame_count == 10
    if container == pb.VIDEO_CONTAINER_GIF:
        assert sum(duration for duration, _ in animation(data)) == 400
    else:
        assert len(video_frames(data)) == 10
        _, samples, rate = sound(data)
        assert len(samples) / rate == pytest.approx(0.4, abs=0.05)
        assert not samples.any()


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


@pytest.mark.parametrize(
    ("container", "size"),
    [
        (pb.VIDEO_CONTAINER_UNSPECIFIED, (98, 80)),
        (pb.VIDEO_CONTAINER_WEBM, (98, 80)),
        (pb.VIDEO_CONTAINER_WEBP, (97, 80)),
    ],
)
async def test_the_size_of_the_file_is_told(tmp_path, container, size):
    frames = frame_pb2.FrameFormat(width_px=97, height_px=80)
    async with compositor(tmp_path) as stub:
        call = stub.ComposeVideo(iter([config(container=container, frame_format=frames)]))
        answer = await call.read()
        call.cancel()
    assert isinstance(answer, pb.ComposeVideoResponse)
    started = answer.started
    assert (started.width_px, started.height_px) == size
    assert started.config.frame_format.width_px == 97


async def test_a_background_picture(tmp_path):
    green = np.zeros((64, 64, 4), np.uint8)
    green[..., 1::2] = 255
    background = pb.Background(image=encode_png(green))
    requests = [config(background=background), *frame_requests([disc()] * 2)]
    async with compositor(tmp_path) as stub:
        started, data, _, _ = await compose(stub, requests)
    assert not started.config.background.image
    assert np.abs(video_frames(data)[0][1][0, 0].astype(int) - (0, 255, 0)).max() < 8


async def test_a_caller_who_goes_frees_everything(tmp_path):
    async with compositor(tmp_path, max_concurrent_jobs=1, max_queued_jobs=1) as stub:
        for container in (pb.VIDEO_CONTAINER_MP4, pb.VIDEO_CONTAINER_WEBM, pb.VIDEO_CONTAINER_GIF):
            call = keep_status(stub.ComposeVideo(timeout=30))
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


async def test_a_silent_caller_loses_its_place(tmp_path):
    async with compositor(
        tmp_path, max_concurrent_jobs=1, max_queued_jobs=1, input_timeout_s=0.2
    ) as stub:
        call = keep_status(stub.ComposeVideo(timeout=30))
        await call.write(config())
        await call.read()
        # Waits for the only place.
        _, data, _, _ = await compose(stub, [config(), *ONE_FRAME])
        assert data
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        error = translate_rpc_error(caught.value)
        assert (error.code.value, error.reason) == ("DEADLINE_EXCEEDED", "INPUT_STALLED")
        sprites = keep_status(stub.PackSprites(timeout=30))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sprites.read()
        assert translate_rpc_error(caught.value).reason == "INPUT_STALLED"


async def test_a_full_service_refuses_with_a_hint(tmp_path):
    async with compositor(tmp_path, max_concurrent_jobs=1, max_queued_jobs=0) as stub:
        call = keep_status(stub.ComposeVideo(timeout=30))
        await call.write(config())
        await call.read()
        error = await refusal(stub, [config(), *ONE_FRAME])
        assert (error.code.value, error.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert error.retry_after_s is not None
        # A picture is not decoded before there is a place: this one could not be.
        background = pb.Background(image=encode_png(disc())[:-50])
        error = await refusal(stub, [config(background=background), *ONE_FRAME])
        assert error.reason == "QUEUE_FULL"
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
        async for response in keep_status(stub.PackSprites(iter(requests), timeout=30)):
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
