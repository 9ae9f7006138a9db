"""From a prompt and a recording to a film, through the real services."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from itertools import pairwise

import av
import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from PIL import Image

from kuchipaku.client import Client, chunks
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2

from .conftest import Product
from .sounds import tone, wav

BUST = frame_pb2.Crop(left_px=128, top_px=32, width_px=256, height_px=256)


async def _film(
    client: Client, config: gateway.RenderVideoConfig, audio: bytes
) -> tuple[bytes, list[cue_pb2.MouthCue], gateway.RenderVideoSummary]:
    film, summary = b"", gateway.RenderVideoSummary()
    cues: list[cue_pb2.MouthCue] = []
    async for answer in client.render_video(config, audio):
        film += answer.chunk.data
        cues += answer.cues.cues
        if answer.HasField("summary"):
            summary = answer.summary
    return film, cues, summary


def _sound_seconds(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r") as container:
        frames = container.decode(container.streams.audio[0])
        return float(sum(frame.samples / frame.sample_rate for frame in frames))


async def test_a_prompt_and_speech_become_a_film(
    client: Client, character: gateway.Character, hello_wav: bytes, hello_text: str
) -> None:
    config = gateway.RenderVideoConfig(
        character=character.name,
        text=hello_text,
        container=compositor.VIDEO_CONTAINER_MP4,
        crop=BUST,
        animation=animation_pb2.AnimationOptions(frames_per_second=25),
    )
    film, cues, summary = await _film(client, config, hello_wav)

    with av.open(io.BytesIO(film), "r") as container:
        video = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
        assert video.average_rate == 25
        assert (video.width, video.height) == (256, 256)
    spoken = _sound_seconds(hello_wav)
    assert abs(len(frames) / 25 - spoken) <= 1 / 25
    assert abs(_sound_seconds(film) - spoken) < 0.1
    assert len(frames) == summary.frame_count

    assert cues[0].start_offset.ToTimedelta().total_seconds() == 0
    for one, two in pairwise(cues):
        assert one.end_offset == two.start_offset
    shapes = {cue_pb2.MouthShape.Name(cue.shape)[-1] for cue in cues}
    assert {"A", "X"} < shapes
    assert len(shapes) >= 5


async def test_the_mouth_opens_on_vowels_and_shuts_on_closures(
    client: Client, character: gateway.Character, hello_wav: bytes, hello_text: str
) -> None:
    """At the mouth, frames of open cues differ from rest much more than those of closures."""
    config = gateway.SpeakConfig(
        character=character.name,
        animation=animation_pb2.AnimationOptions(
            frames_per_second=50, motion=animation_pb2.MOTION_NONE
        ),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_RAW,
            crop=frame_pb2.Crop(left_px=232, top_px=160, width_px=48, height_px=32),
            width_px=192,
            height_px=128,
        ),
    )
    frames, cues = await _speak(client, config, hello_wav, hello_text)
    rest = frames[0].astype(int)
    change = np.array([np.abs(frame.astype(int) - rest).mean() for frame in frames])

    def nearest(shapes: str, pick: str) -> list[float]:
        found = []
        for cue in cues:
            if cue_pb2.MouthShape.Name(cue.shape)[-1] in shapes:
                start = cue.start_offset.ToTimedelta().total_seconds()
                end = cue.end_offset.ToTimedelta().total_seconds()
                span = change[max(0, int(start * 50)) : int(end * 50) + 2]
                found.append(float(span.min() if pick == "min" else span.max()))
        return found

    opened, closed = nearest("D", "max") or nearest("CE", "max"), nearest("A", "min")
    assert opened
    assert closed
    assert np.median(opened) > 3 * max(closed)


async def _speak(
    client: Client, config: gateway.SpeakConfig, audio: bytes, text: str
) -> tuple[list[np.ndarray], list[cue_pb2.MouthCue]]:
    async def requests() -> AsyncIterator[gateway.SpeakRequest]:
        yield gateway.SpeakRequest(config=config)
        yield gateway.SpeakRequest(utterance=gateway.SpeakUtterance(text=text))
        for part in chunks(audio):
            yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=part))

    frames: dict[int, np.ndarray] = {}
    cues: list[cue_pb2.MouthCue] = []
    size = (config.frame_format.height_px, config.frame_format.width_px, 4)
    async for answer in client.speak(requests()):
        cues += answer.cues.cues
        for frame in answer.frames.frames:
            if frame.WhichOneof("content") == "data":
                frames[frame.frame_id] = np.frombuffer(frame.data, np.uint8).reshape(size)
            else:
                frames[frame.frame_id] = frames[frame.same_as_frame_id]
    return [frames[index] for index in sorted(frames)], cues


@pytest.mark.parametrize(
    ("container", "signature"),
    [
        (compositor.VIDEO_CONTAINER_WEBM, b"\x1a\x45\xdf\xa3"),
        (compositor.VIDEO_CONTAINER_GIF, b"GIF89a"),
        (compositor.VIDEO_CONTAINER_WEBP, b"RIFF"),
    ],
)
async def test_other_containers(
    client: Client,
    character: gateway.Character,
    container: compositor.VideoContainer.ValueType,
    signature: bytes,
) -> None:
    config = gateway.RenderVideoConfig(
        character=character.name,
        container=container,
        crop=BUST,
        width_px=128,
        height_px=128,
        animation=animation_pb2.AnimationOptions(frames_per_second=12),
    )
    film, _, summary = await _film(client, config, wav(tone(1.0)))
    assert film.startswith(signature)
    assert summary.frame_count == 12
    assert summary.size_bytes == len(film)


async def test_the_same_order_gives_the_same_character(client: Client) -> None:
    request = gateway.CreateCharacterRequest(
        prompt=gateway.PromptSource(prompt="boy with green eyes, zorblax", seed=9)
    )
    first = await client.create_character(request)
    second = await client.create_character(request)
    assert first.character.name != second.character.name
    assert first.character.canvas.sha256 == second.character.canvas.sha256
    assert list(first.ignored_phrases) == ["zorblax"]
    assert first.character.origin.seed == 9


async def test_a_picture_becomes_a_character_and_comes_back(
    client: Client, character: gateway.Character
) -> None:
    full = await client.get_character(character.name, full=True)
    picture = Image.open(io.BytesIO(full.canvas.png))
    assert picture.mode == "RGBA"
    webp = io.BytesIO()
    picture.save(webp, "WEBP", lossless=True, exact=True)
    request = gateway.CreateCharacterRequest(image=gateway.ImageSource(image=webp.getvalue()))
    result = await client.create_character(request)
    assert result.character.canvas.sha256 == character.canvas.sha256
    await client.delete_character(result.character.name)
    assert (await client.get_character(character.name, full=True)).canvas.png == full.canvas.png


async def test_characters_are_listed(client: Client, character: gateway.Character) -> None:
    request = gateway.ListCharactersRequest(page_size=1)
    names = [one.name async for one in client.list_characters(request)]
    assert character.name in names
    assert names == sorted(names)
    assert names == [one.name async for one in client.list_characters(request)]


async def test_the_services_are_reflected(product: Product) -> None:
    for service, address in product.plan.addresses.items():
        async with grpc.aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            call = stub.ServerReflectionInfo(iter([request]))
            names = [s.name async for a in call for s in a.list_services_response.service]
        assert f"kuchipaku.{service}.v1.{service.capitalize()}Service" in names
