"""The service as clients see it: over a unix socket, with real worker processes."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio

from kuchipaku.calls import keep_status
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_media.audio import AudioClip
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.lipsync.lipsyncclient import (
    F32,
    FILE,
    S16,
    answers,
    check_cover,
    cues_of,
    pcm16,
    read,
    refusal,
    requests,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[pb_grpc.LipsyncServiceAsyncStub]:
    socket = tmp_path_factory.mktemp("lipsync") / "socket"
    settings = LipsyncSettings(
        address=f"unix:{socket}",
        metrics_address=None,
        workers=1,
        queue_limit=2,
        preload=False,
        max_streams=3,
        max_buffered_audio_mib=3,
        audio_timeout_s=20,
    )
    async with serving(settings, build) as address, connect(address) as peer:
        yield pb_grpc.LipsyncServiceStub(peer.channel)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_cues_of_a_file_with_its_text(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes, hello_text: str
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=FILE, text=hello_text, include_phones=True)
    responses = await answers(stub, requests(config, hello_wav))
    kinds = [response.WhichOneof("payload") for response in responses]
    assert kinds[0] == "started"
    assert kinds[-1] == "summary"
    assert kinds.count("started") == kinds.count("summary") == 1
    started = responses[0].started.config
    assert started.recognizer == pb.RECOGNIZER_AUTO
    assert len(started.extended_shapes) == 3
    check_cover(cues_of(responses), 6.38)
    summary = responses[-1].summary
    assert summary.recognizer == pb.RECOGNIZER_ALIGNED
    assert summary.duration.ToNanoseconds() == 6_380_000_000
    assert list(summary.warnings) == []
    phones = [phone.symbol for response in responses for phone in response.phones.phones]
    assert phones[:4] == ["HH", "AX", "L", "OW"] or phones[:4] == ["HH", "EH", "L", "OW"]
    fractions = [r.progress.fraction for r in responses if r.WhichOneof("payload") == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(0 <= cue.loudness <= 1 and cue.HasField("loudness") for cue in cues_of(responses))


@pytest.mark.parametrize("chunk", [1 << 20, 4_001])
async def test_raw_samples_give_the_same_cues_however_they_are_cut(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_clip: AudioClip, hello_text: str, chunk: int
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=S16, text=hello_text)
    whole = await answers(stub, requests(config, pcm16(hello_clip)))
    config.audio_format.CopyFrom(F32)
    floats = await answers(
        stub, requests(config, hello_clip.samples.astype("<f4").tobytes(), chunk)
    )
    check_cover(cues_of(whole), 6.38)
    assert [cue.shape for cue in cues_of(whole)] == [cue.shape for cue in cues_of(floats)]
    assert not any(response.HasField("phones") for response in whole)


async def test_basic_shapes_only(stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes) -> None:
    config = pb.RecognizeCuesConfig(
        recognizer=pb.RECOGNIZER_PHONETIC, basic_shapes_only=True, audio_format=FILE
    )
    responses = await answers(stub, requests(config, hello_wav))
    assert max(cue.shape for cue in cues_of(responses)) <= cue_pb2.MOUTH_SHAPE_F
    assert list(responses[0].started.config.extended_shapes) == []


async def test_a_text_that_does_not_match_is_told(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes
) -> None:
    config = pb.RecognizeCuesConfig(text="Nothing of this is said in there, my old friend.")
    responses = await answers(stub, requests(config, hello_wav))
    summary = responses[-1].summary
    assert summary.recognizer == pb.RECOGNIZER_WORDS
    assert [warning.reason for warning in summary.warnings] == ["TEXT_DOES_NOT_MATCH"]


async def test_align_text(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes, hello_text: str
) -> None:
    response = await stub.AlignText(pb.AlignTextRequest(audio=hello_wav, text=hello_text))
    assert [word.text for word in response.words][:5] == ["Hello", "My", "name", "is", "Kuchipaku"]
    check_cover(list(response.cues), 6.38)
    assert response.duration.ToNanoseconds() == 6_380_000_000
    assert len(response.phones) > 40


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (pb.AlignTextRequest(audio=b"", text="hello"), "AUDIO_EMPTY", "audio"),
        (pb.AlignTextRequest(audio=bytes(4 << 20) + b"x", text="hi"), "AUDIO_TOO_LARGE", "audio"),
        (pb.AlignTextRequest(audio=b"no audio at all", text="hi"), "AUDIO_NOT_DECODABLE", "audio"),
        (pb.AlignTextRequest(audio=bytes(3200), text="", audio_format=S16), "TEXT_MISSING", "text"),
        (
            pb.AlignTextRequest(audio=bytes(3200), text="x" * 20_001, audio_format=S16),
            "TEXT_TOO_LONG",
            "text",
        ),
        (
            pb.AlignTextRequest(audio=bytes(3200), text="Привет", audio_format=S16),
            "TEXT_NOT_UNDERSTOOD",
            "text",
        ),
    ],
)
async def test_align_text_refuses(
    stub: pb_grpc.LipsyncServiceAsyncStub, request_: pb.AlignTextRequest, reason: str, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AlignText(request_)
    error = translate_rpc_error(caught.value)
    assert (error.code, error.reason, error.field) == ("INVALID_ARGUMENT", reason, field)


def _wav(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


UNKNOWN_FORMAT = audio_pb2.AudioFormat(encoding=99)  # type: ignore[arg-type]
TONE = (np.sin(np.arange(32_000) / 10) * 8000).astype(np.int16)
NAN = np.full(1600, np.nan, "<f4").tobytes()
PHONETIC = pb.RECOGNIZER_PHONETIC


@pytest.mark.parametrize(
    ("audio_format", "data", "reason"),
    [
        (FILE, b"", "AUDIO_EMPTY"),
        (S16, b"", "AUDIO_EMPTY"),
        (FILE, b"This is a text and no sound." * 10, "AUDIO_NOT_DECODABLE"),
        (FILE, bytes(10_000), "AUDIO_NOT_DECODABLE"),
        (FILE, _wav(TONE)[:-20_000], "AUDIO_TRUNCATED"),
        (FILE, _wav(TONE)[:30], "AUDIO_TRUNCATED"),
        (FILE, _wav(TONE[:0]), "AUDIO_EMPTY"),
        (S16, bytes(3201), "AUDIO_TRUNCATED"),
        (F32, NAN, "AUDIO_NOT_FINITE"),
    ],
)
async def test_bad_audio_is_refused(
    stub: pb_grpc.LipsyncServiceAsyncStub,
    audio_format: audio_pb2.AudioFormat,
    data: bytes,
    reason: str,
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=audio_format, recognizer=PHONETIC)
    error = await refusal(stub, requests(config, data))
    assert (error.code, error.reason, error.field) == ("INVALID_ARGUMENT", reason, "audio")


async def test_audio_beyond_the_limit_is_refused(
    stub: pb_grpc.LipsyncServiceAsyncStub,
) -> None:
    # 11 minutes in 2.6 MB, below every limit but that of the duration.
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(4_000)
        file.writeframes(bytes([128]) * 4_000 * 660)
    config = pb.RecognizeCuesConfig(recognizer=PHONETIC)
    error = await refusal(stub, requests(config, buffer.getvalue()))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "AUDIO_TOO_LONG")


async def test_a_call_without_a_message_is_refused(stub: pb_grpc.LipsyncServiceAsyncStub) -> None:
    call = keep_status(stub.RecognizeCues())
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert translate_rpc_error(caught.value).reason == "CONFIG_MISSING"


async def test_buffered_audio_of_all_calls_is_limited(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes
) -> None:
    error = await refusal(stub, requests(pb.RecognizeCuesConfig(), bytes(4 << 20), 1 << 20))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "AUDIO_BUFFER_FULL")
    assert error.retry_after_s
    # What the refused call held is free again.
    config = pb.RecognizeCuesConfig(recognizer=PHONETIC)
    assert cues_of(await answers(stub, requests(config, hello_wav)))


async def test_audio_of_align_text_counts_as_buffered(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes, hello_text: str
) -> None:
    request = pb.AlignTextRequest(audio=bytes(4 << 20), text="hello", audio_format=S16)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AlignText(request)
    error = translate_rpc_error(caught.value)
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "AUDIO_BUFFER_FULL")
    # What is reserved is given back, after failures and after successes.
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.AlignText(pb.AlignTextRequest(audio=bytes(2 << 20), text="hello"))
    assert (await stub.AlignText(pb.AlignTextRequest(audio=hello_wav, text=hello_text))).cues


def _with(**fields: object) -> pb.RecognizeCuesConfig:
    return pb.RecognizeCuesConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "reason", "field"),
    [
        (_with(text="x" * 20_001), "TEXT_TOO_LONG", "config.text"),
        (_with(recognizer=pb.RECOGNIZER_ALIGNED), "TEXT_MISSING", "config.text"),
        (_with(recognizer=77), "ENUM_VALUE_UNKNOWN", "config.recognizer"),
        (
            _with(extended_shapes=[cue_pb2.MOUTH_SHAPE_G, cue_pb2.MOUTH_SHAPE_A]),
            "SHAPE_NOT_EXTENDED",
            "config.extended_shapes[1]",
        ),
        (
            _with(extended_shapes=[cue_pb2.MOUTH_SHAPE_G], basic_shapes_only=True),
            "SHAPES_CONTRADICT",
            "config.basic_shapes_only",
        ),
        (
            _with(audio_format=UNKNOWN_FORMAT),
            "AUDIO_ENCODING_UNKNOWN",
            "config.audio_format.encoding",
        ),
        (
            _with(audio_format=audio_pb2.AudioFormat(encoding=S16.encoding)),
            "AUDIO_SAMPLE_RATE_UNSUPPORTED",
            "config.audio_format.sample_rate_hertz",
        ),
        (
            _with(
                audio_format=audio_pb2.AudioFormat(
                    encoding=S16.encoding, sample_rate_hertz=16_000, channel_count=-1
                )
            ),
            "AUDIO_CHANNELS_UNSUPPORTED",
            "config.audio_format.channel_count",
        ),
    ],
)
async def test_bad_config_is_refused(
    stub: pb_grpc.LipsyncServiceAsyncStub, config: pb.RecognizeCuesConfig, reason: str, field: str
) -> None:
    error = await refusal(stub, requests(config))
    assert (error.code, error.reason, error.field) == ("INVALID_ARGUMENT", reason, field)


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        (requests(None, b"data"), "FAILED_PRECONDITION", "CONFIG_MISSING"),
        ([pb.RecognizeCuesRequest()], "FAILED_PRECONDITION", "CONFIG_MISSING"),
        (requests(_with()) * 2, "FAILED_PRECONDITION", "CONFIG_TWICE"),
        ([*requests(_with()), pb.RecognizeCuesRequest()], "INVALID_ARGUMENT", "PAYLOAD_MISSING"),
        (
            requests(_with(), bytes((1 << 20) + 1), 2 << 20),
            "INVALID_ARGUMENT",
            "CHUNK_TOO_LARGE",
        ),
    ],
)
async def test_messages_out_of_order_are_refused(
    stub: pb_grpc.LipsyncServiceAsyncStub,
    messages: list[pb.RecognizeCuesRequest],
    code: str,
    reason: str,
) -> None:
    error = await refusal(stub, messages)
    assert (error.code, error.reason) == (code, reason)


async def test_too_many_streams_are_refused_and_gone_clients_free_theirs(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes
) -> None:
    config = pb.RecognizeCuesConfig(recognizer=PHONETIC)
    held = [keep_status(stub.RecognizeCues()) for _ in range(3)]
    for call in held:
        await call.write(pb.RecognizeCuesRequest(config=config))
        assert await read(call) is not None
    error = await refusal(stub, requests(config, hello_wav))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert error.retry_after_s
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AlignText(pb.AlignTextRequest(audio=hello_wav, text="hello"))
    assert translate_rpc_error(caught.value).reason == "QUEUE_FULL"
    for call in held:
        call.cancel()
    await asyncio.gather(*(call.code() for call in held))
    assert cues_of(await _when_free(stub, requests(config, hello_wav)))


async def _when_free(
    stub: pb_grpc.LipsyncServiceAsyncStub, messages: list[pb.RecognizeCuesRequest]
) -> list[pb.RecognizeCuesResponse]:
    """The answers, once the server has seen that the earlier callers are gone."""
    while True:
        try:
            return await answers(stub, messages)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            await asyncio.sleep(0.01)


async def test_a_client_that_leaves_in_mid_recognition_frees_its_worker(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_clip: AudioClip, hello_wav: bytes
) -> None:
    long_speech = pcm16(hello_clip) * 4
    config = pb.RecognizeCuesConfig(audio_format=S16, recognizer=pb.RECOGNIZER_WORDS)
    call = keep_status(stub.RecognizeCues(iter(requests(config, long_speech))))
    async for response in call:
        if response.HasField("progress"):
            break
    call.cancel()
    # The only worker takes the next job: the one before has not run on.
    quick = pb.RecognizeCuesConfig(recognizer=PHONETIC)
    assert cues_of(await _when_free(stub, requests(quick, hello_wav)))


async def test_a_client_that_stalls_is_let_go(tmp_path: Path) -> None:
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s",
        metrics_address=None,
        workers=1,
        preload=False,
        audio_timeout_s=0.2,
    )
    async with serving(settings, build) as address, connect(address) as peer:
        call = keep_status(pb_grpc.LipsyncServiceStub(peer.channel).RecognizeCues())
        await call.write(pb.RecognizeCuesRequest(config=pb.RecognizeCuesConfig()))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        error = translate_rpc_error(caught.value)
        assert (error.code, error.reason) == ("DEADLINE_EXCEEDED", "INPUT_STALLED")
