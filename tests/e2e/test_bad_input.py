"""Whatever comes in: the answer says what is wrong, and the services stay up."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

import av
import numpy as np
import pytest
from PIL import Image

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.supervisor import check_health
from kuchipaku.type.v1 import audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    KuchipakuError,
    NotFoundError,
    ResourceExhaustedError,
)
from kuchipaku_contract.limits import LIMITS

from .conftest import SESSIONS, Product
from .sounds import float_wav, tone, wav

T = TypeVar("T")


@pytest.fixture(autouse=True)
async def services_stay_up(product: Product) -> AsyncIterator[None]:
    yield
    states = {name: await check_health(address) for name, address in product.plan.addresses.items()}
    assert set(states.values()) == {"SERVING"}, states


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises far more pixels than a few bytes can hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


async def _render(client: Client, name: str, audio: bytes) -> KuchipakuError:
    config = gateway.RenderVideoConfig(character=name, width_px=128, height_px=128)
    with pytest.raises(KuchipakuError) as caught:
        async for _ in client.render_video(config, audio):
            pass
    return caught.value


NAN = np.where(np.arange(16_000) % 100 == 0, np.nan, 0.1)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (b"", "AUDIO_EMPTY"),
        (b"this is not audio at all" * 50, "AUDIO_NOT_DECODABLE"),
        (wav(np.zeros(0)), "AUDIO_EMPTY"),
        (float_wav(NAN), "AUDIO_NOT_FINITE"),
        (wav(tone(2.0))[:20_000], "AUDIO_TRUNCATED"),
    ],
    ids=["empty", "not audio", "no samples", "nan", "truncated"],
)
async def test_bad_audio(
    client: Client, character: gateway.Character, audio: bytes, reason: str
) -> None:
    error = await _render(client, character.name, audio)
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == reason
    assert error.field is not None
    assert "audio" in error.field


async def test_three_hours_of_audio(client: Client, character: gateway.Character) -> None:
    # Constant silence compresses to a file far below the limit of bytes.
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as out:
        stream = out.add_stream("flac", rate=8000, layout="mono")
        for _ in range(3 * 60):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * 60), np.int16), layout="mono")
            frame.sample_rate = 8000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    error = await _render(client, character.name, file.getvalue())
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == "AUDIO_TOO_LONG"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "IMAGE_EMPTY"),
        (bytes(LIMITS.max_image_bytes + 1), "IMAGE_TOO_LARGE"),
        (b"not a picture" * 100, "IMAGE_FORMAT_UNSUPPORTED"),
        (_png(np.zeros((1, 1, 4), np.uint8)), "IMAGE_TOO_SMALL"),
        (_huge_png(20_000, 20_000), "IMAGE_TOO_MANY_PIXELS"),
        (_huge_png(60_000, 60_000), "IMAGE_TOO_MANY_PIXELS"),
        (_png(np.full((512, 512, 4), 200, np.uint8))[:1000], "IMAGE_NOT_DECODABLE"),
        (_png(np.full((512, 512, 3), 200, np.uint8)), "NO_CHARACTER_FOUND"),
        (_png(np.zeros((512, 512, 4), np.uint8)), "PICTURE_EMPTY"),
    ],
    ids=[
        "empty",
        "too large",
        "no picture",
        "1x1",
        "20000x20000",
        "bomb",
        "cut off",
        "nobody on it",
        "nothing on it",
    ],
)
async def test_bad_pictures(client: Client, image: bytes, reason: str) -> None:
    request = gateway.CreateCharacterRequest(image=gateway.ImageSource(image=image))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(request)
    assert caught.value.reason == reason
    assert "image" in (caught.value.field or "")


@pytest.mark.parametrize("prompt", ["", "   ", "x" * 1001])
async def test_bad_prompts(client: Client, prompt: str) -> None:
    request = gateway.CreateCharacterRequest(prompt=gateway.PromptSource(prompt=prompt))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(request)
    assert "prompt" in (caught.value.field or "")


async def test_a_character_without_a_source(client: Client) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(gateway.CreateCharacterRequest())
    assert caught.value.field == "source"


async def test_an_id_in_use(client: Client) -> None:
    request = gateway.CreateCharacterRequest(
        prompt=gateway.PromptSource(prompt="girl", seed=1), character_id="taken-once"
    )
    created = await client.create_character(request)
    with pytest.raises(AlreadyExistsError):
        await client.create_character(request)
    await client.delete_character(created.character.name)


@pytest.mark.parametrize("name", ["characters/nobody-here", "characters/0000"])
async def test_an_unknown_character(client: Client, name: str) -> None:
    error = await _render(client, name, wav(tone(0.2)))
    assert isinstance(error, NotFoundError)
    assert error.metadata["character"] == name


async def _speak(client: Client, *requests: gateway.SpeakRequest) -> KuchipakuError:
    async def stream() -> AsyncIterator[gateway.SpeakRequest]:
        for request in requests:
            yield request

    with pytest.raises(KuchipakuError) as caught:
        async for _ in client.speak(stream()):
            pass
    return caught.value


async def test_messages_out_of_order(client: Client, character: gateway.Character) -> None:
    config = gateway.SpeakRequest(config=gateway.SpeakConfig(character=character.name))
    audio = gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=wav(tone(0.1))))
    nothing = await _speak(client)
    assert isinstance(nothing, FailedPreconditionError)
    early = await _speak(client, audio, config)
    assert isinstance(early, FailedPreconditionError)
    assert early.reason == "CONFIG_MISSING"
    twice = await _speak(client, config, config)
    assert isinstance(twice, FailedPreconditionError)
    assert twice.reason == "CONFIG_TWICE"
    end = gateway.SpeakRequest(utterance_end=session_pb2.UtteranceEnd())
    late = await _speak(client, config, audio, end, audio)
    assert isinstance(late, FailedPreconditionError)
    assert late.reason == "UTTERANCE_ENDED"
    cues = gateway.SpeakRequest(cues=cue_pb2.CueBatch())
    mismatch = await _speak(client, config, audio, cues)
    assert isinstance(mismatch, FailedPreconditionError)
    assert mismatch.reason == "TIMING_SOURCE_MISMATCH"
    empty = await _speak(client, config, gateway.SpeakRequest())
    assert isinstance(empty, InvalidArgumentError)


@pytest.mark.parametrize("rate", [-1.0, 61.0, float("nan")])
async def test_impossible_frame_rates(
    client: Client, character: gateway.Character, rate: float
) -> None:
    config = gateway.SpeakConfig(character=character.name)
    config.animation.frames_per_second = rate
    audio = gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=wav(tone(0.1))))
    error = await _speak(client, gateway.SpeakRequest(config=config), audio)
    assert isinstance(error, InvalidArgumentError)
    assert "frames_per_second" in (error.field or "")


async def test_unknown_models_and_expressions(client: Client, character: gateway.Character) -> None:
    audio = gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=wav(tone(0.1))))
    config = gateway.SpeakConfig(character=character.name, pose_model="no-such-pack")
    error = await _speak(client, gateway.SpeakRequest(config=config), audio)
    assert isinstance(error, NotFoundError)
    config = gateway.SpeakConfig(character=character.name)
    config.animation.expression = "bamboozled"
    error = await _speak(client, gateway.SpeakRequest(config=config), audio)
    assert isinstance(error, InvalidArgumentError)
    assert "expression" in (error.field or "")


def _long_utterance(name: str) -> list[gateway.SpeakRequest]:
    """Five minutes of one held mouth, in frames too large to be buffered."""
    config = gateway.SpeakConfig(
        character=name,
        frame_format=frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_RAW),
    )
    utterance = gateway.SpeakUtterance(timing=gateway.TIMING_SOURCE_CUES)
    cue = cue_pb2.MouthCue(shape=cue_pb2.MOUTH_SHAPE_D)
    cue.end_offset.seconds = 300
    end = session_pb2.UtteranceEnd()
    end.duration.seconds = 300
    return [
        gateway.SpeakRequest(config=config),
        gateway.SpeakRequest(utterance=utterance),
        gateway.SpeakRequest(cues=cue_pb2.CueBatch(cues=[cue])),
        gateway.SpeakRequest(utterance_end=end),
    ]


async def _leave_in_mid_stream(address: str, name: str) -> None:
    """Begin to speak, and go away behind the first frames."""
    async with Client(address) as client:

        async def stream() -> AsyncIterator[gateway.SpeakRequest]:
            for request in _long_utterance(name):
                yield request
            await asyncio.Event().wait()

        async with aclosing(client.speak(stream())) as answers:
            async for answer in answers:
                if answer.HasField("frames"):
                    return
    pytest.fail("no frames came")


async def _when_there_is_room(call: Callable[[], Awaitable[T]]) -> T:
    """Call as often as the service asks to be called again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except ResourceExhaustedError as error:
                await asyncio.sleep(error.retry_after_s or 0.1)


async def test_clients_that_go_away_free_everything(
    product: Product, client: Client, character: gateway.Character
) -> None:
    """More sessions than there are slots, each left in mid-stream; the next ones are served."""
    for _ in range(3 * SESSIONS):
        await _when_there_is_room(lambda: _leave_in_mid_stream(product.gateway, character.name))
    audio = wav(tone(0.2))

    async def speak() -> list[gateway.SpeakResponse]:
        async def stream() -> AsyncIterator[gateway.SpeakRequest]:
            config = gateway.SpeakConfig(character=character.name)
            yield gateway.SpeakRequest(config=config)
            yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=audio))

        return [answer async for answer in client.speak(stream())]

    async def film() -> list[gateway.RenderVideoResponse]:
        video = gateway.RenderVideoConfig(character=character.name, width_px=128, height_px=128)
        return [answer async for answer in client.render_video(video, audio)]

    assert (await _when_there_is_room(speak))[-1].HasField("statistics")
    assert (await _when_there_is_room(film))[-1].HasField("summary")


async def test_a_full_gateway_says_when_to_come_back(
    product: Product, client: Client, character: gateway.Character
) -> None:
    held = [client.speak(_forever(character.name)) for _ in range(SESSIONS)]
    for session in held:
        assert (await anext(session)).HasField("started")
    error = await _speak(client, *_long_utterance(character.name))
    assert isinstance(error, ResourceExhaustedError)
    assert error.retry_after_s
    for session in held:
        await session.aclose()


async def _forever(name: str) -> AsyncIterator[gateway.SpeakRequest]:
    yield gateway.SpeakRequest(config=gateway.SpeakConfig(character=name))
    await asyncio.Event().wait()
