"""Live recognition through the service."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import cycle, pairwise
from pathlib import Path
from typing import TypeAlias

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_media.audio import AudioClip
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.lipsync.encodings import encoded
from tests.lipsync.lipsyncclient import (
    F32,
    FILE,
    S16,
    answers,
    cues_of,
    pcm16,
    read,
    refusal,
    requests,
)
from tests.lipsync.soundmaker import sung

Stub: TypeAlias = "pb_grpc.LipsyncServiceAsyncStub"
Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.RecognizeCuesRequest, pb.RecognizeCuesResponse]"

LIVE = pb.RECOGNIZER_LIVE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stub]:
    socket = tmp_path_factory.mktemp("live") / "socket"
    settings = LipsyncSettings(
        address=f"unix:{socket}",
        metrics_address=None,
        workers=1,
        live_workers=1,
        live_streams_per_worker=2,
        preload=False,
        audio_timeout_s=20,
    )
    async with serving(settings, build) as address, connect(address) as peer:
        yield pb_grpc.LipsyncServiceStub(peer.channel)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def _chunk(data: bytes) -> pb.RecognizeCuesRequest:
    return pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=data))


async def _open(stub: Stub, config: pb.RecognizeCuesConfig) -> Call:
    call = stub.RecognizeCues()
    await call.write(pb.RecognizeCuesRequest(config=config))
    response = await read(call)
    assert response is not None
    assert response.HasField("started")
    return call


async def _until(call: Call, seconds: float) -> list[cue_pb2.MouthCue]:
    """Cues as they come, until they reach so far."""
    cues: list[cue_pb2.MouthCue] = []
    while not cues or cues[-1].end_offset.ToNanoseconds() < round(seconds * 1e9):
        response = await call.read()
        assert isinstance(response, pb.RecognizeCuesResponse)
        cues.extend(response.cues.cues)
    return cues


async def _rest(call: Call) -> list[pb.RecognizeCuesResponse]:
    await call.done_writing()
    responses = []
    while (response := await read(call)) is not None:
        responses.append(response)
    return responses


def _check_live_cover(cues: list[cue_pb2.MouthCue], seconds: float) -> None:
    assert cues[0].start_offset.ToNanoseconds() == 0
    assert cues[-1].end_offset.ToNanoseconds() == round(seconds * 1e9)
    for first, second in pairwise(cues):
        assert first.end_offset == second.start_offset
        assert first.open_ended or first.shape != second.shape


async def test_cues_come_while_the_audio_still_does(stub: Stub, hello_clip: AudioClip) -> None:
    data = pcm16(hello_clip)
    config = pb.RecognizeCuesConfig(audio_format=S16, recognizer=LIVE, include_phones=True)
    call = await _open(stub, config)
    half = 3 * 32_000
    for start in range(0, half, 640):
        await call.write(_chunk(data[start : start + 640]))
    # Nothing else is sent until these are here.
    early = await _until(call, 2.8)
    assert len({cue.shape for cue in early}) > 3
    await call.write(_chunk(data[half:]))
    responses = await _rest(call)
    _check_live_cover([*early, *cues_of(responses)], 6.38)
    summary = responses[-1].summary
    assert summary.recognizer == LIVE
    assert summary.duration.ToNanoseconds() == 6_380_000_000
    assert list(summary.warnings) == []


async def test_a_pause_ends_the_wait_for_more(stub: Stub, hello_clip: AudioClip) -> None:
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=S16, recognizer=LIVE))
    await call.write(_chunk(pcm16(hello_clip)[:32_000]))
    # The last 150 ms would wait for what follows, but nothing does.
    await _until(call, 1.0)
    call.cancel()


async def test_provisional_cues(stub: Stub, hello_clip: AudioClip) -> None:
    config = pb.RecognizeCuesConfig(
        audio_format=S16,
        recognizer=LIVE,
        include_provisional_cues=True,
        live_latency=Duration(nanos=400_000_000),
    )
    responses = await answers(stub, requests(config, pcm16(hello_clip)[: 2 * 32_000]))
    assert responses[0].started.config.live_latency.ToMilliseconds() == 400
    guesses = [r.provisional_cues.cues for r in responses if r.HasField("provisional_cues")]
    assert guesses
    _check_live_cover(cues_of(responses), 2.0)


@pytest.mark.parametrize("audio_format", [S16, F32])
async def test_chunks_of_one_byte(
    stub: Stub, hello_clip: AudioClip, audio_format: audio_pb2.AudioFormat
) -> None:
    whole = pcm16(hello_clip)
    if audio_format is F32:
        whole = hello_clip.samples.astype("<f4").tobytes()
    data = whole[40_000:42_000]
    config = pb.RecognizeCuesConfig(audio_format=audio_format, recognizer=LIVE)
    responses = await answers(stub, requests(config, data, 1))
    seconds = len(data) / (32_000 if audio_format is S16 else 64_000)
    _check_live_cover(cues_of(responses), seconds)


async def test_a_chunk_of_ten_megabytes_is_refused(stub: Stub) -> None:
    config = pb.RecognizeCuesConfig(audio_format=S16, recognizer=LIVE)
    error = await refusal(stub, requests(config, bytes(10 << 20), 10 << 20))
    assert error.code in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT")
    error = await refusal(stub, requests(config, bytes(2 << 20), 2 << 20))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "CHUNK_TOO_LARGE")


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
async def test_encoded_audio_in_pieces(
    stub: Stub, hello_clip: AudioClip, container: str, codec: str
) -> None:
    data = encoded(hello_clip, container, codec)
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=FILE, recognizer=LIVE))
    half = len(data) // 2
    for start in range(0, half, 500):
        await call.write(_chunk(data[start : min(start + 500, half)]))
    early = await _until(call, 1.5)
    await call.write(_chunk(data[half:]))
    responses = await _rest(call)
    cues = [*early, *cues_of(responses)]
    duration = responses[-1].summary.duration.ToTimedelta().total_seconds()
    assert duration == pytest.approx(6.38, abs=0.15)
    _check_live_cover(cues, cues[-1].end_offset.ToNanoseconds() / 1e9)
    assert cues[-1].end_offset == responses[-1].summary.duration
    assert len({cue.shape for cue in cues}) > 4


TONE = (np.sin(np.arange(32_000) / 10) * 8000).astype("<i2").tobytes()
NAN = np.full(1600, np.nan, "<f4").tobytes()


@pytest.mark.parametrize(
    ("audio_format", "data", "reason"),
    [
        (S16, b"", "AUDIO_EMPTY"),
        (FILE, b"", "AUDIO_EMPTY"),
        (S16, TONE[:-1], "AUDIO_TRUNCATED"),
        (F32, NAN, "AUDIO_NOT_FINITE"),
        (FILE, b"This is a text and no sound." * 10, "AUDIO_NOT_DECODABLE"),
        (FILE, b"short", "AUDIO_NOT_DECODABLE"),
        (FILE, b"OggS" + bytes(5_000), "AUDIO_NOT_DECODABLE"),
    ],
)
async def test_bad_audio_is_refused(
    stub: Stub, audio_format: audio_pb2.AudioFormat, data: bytes, reason: str
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=audio_format, recognizer=LIVE)
    error = await refusal(stub, requests(config, data))
    assert (error.code, error.reason, error.field) == ("INVALID_ARGUMENT", reason, "audio")


@pytest.mark.parametrize("nanos", [0, 99_000_000, 801_000_000])
async def test_a_latency_out_of_range_is_refused(stub: Stub, nanos: int) -> None:
    config = pb.RecognizeCuesConfig(audio_format=S16, live_latency=Duration(nanos=nanos))
    error = await refusal(stub, requests(config))
    assert (error.reason, error.field) == ("LIVE_LATENCY_OUT_OF_RANGE", "config.live_latency")


async def test_an_unknown_content_is_refused(stub: Stub) -> None:
    config = pb.RecognizeCuesConfig(audio_format=S16, content=9)  # type: ignore[arg-type]
    error = await refusal(stub, requests(config))
    assert (error.reason, error.field) == ("ENUM_VALUE_UNKNOWN", "config.content")


async def test_streams_of_one_worker_leave_each_other_alone(
    stub: Stub, hello_clip: AudioClip
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=F32, recognizer=LIVE)
    data = hello_clip.samples.astype("<f4").tobytes()
    alone = cues_of(await answers(stub, requests(config, data)))
    good = await _open(stub, config)
    await good.write(_chunk(data[:100_000]))
    bad = await _open(stub, config)
    # Both places are taken.
    error = await refusal(stub, requests(config, data[:4_000]))
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert error.retry_after_s
    await bad.write(_chunk(NAN))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await bad.read()
    assert translate_rpc_error(caught.value).reason == "AUDIO_NOT_FINITE"
    # Another one comes and goes in the midst of its work.
    gone = await _open(stub, config)
    await gone.write(_chunk(data))
    gone.cancel()
    await good.write(_chunk(data[100_000:]))
    cues = cues_of(await _rest(good))
    assert [cue.shape for cue in cues][-20:] == [cue.shape for cue in alone][-20:]
    _check_live_cover(cues, 6.38)


async def test_auto_listens_live_to_audio_that_comes_as_it_plays(
    stub: Stub, hello_clip: AudioClip, hello_text: str
) -> None:
    data = pcm16(hello_clip)
    config = pb.RecognizeCuesConfig(audio_format=S16, text=hello_text)
    call = await _open(stub, config)

    async def speak() -> None:
        for start in range(0, 32_000, 3_200):
            await call.write(_chunk(data[start : start + 3_200]))
            # The speed of a microphone; slower, on a busy machine, is live as well.
            await asyncio.sleep(0.1)

    speaking = asyncio.create_task(speak())
    early = await _until(call, 0.5)
    assert early[0].start_offset.ToNanoseconds() == 0
    await speaking
    responses = await _rest(call)
    summary = responses[-1].summary
    assert summary.recognizer == LIVE
    assert list(summary.warnings) == []
    _check_live_cover([*early, *cues_of(responses)], 1.0)


async def test_where_all_live_places_are_taken_auto_listens_to_the_whole(
    stub: Stub, hello_clip: AudioClip, hello_text: str
) -> None:
    live = pb.RecognizeCuesConfig(audio_format=S16, recognizer=LIVE)
    others = [await _open(stub, live) for _ in range(2)]
    data = pcm16(hello_clip)
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=S16, text=hello_text))
    for start in range(0, 19_200, 3_200):
        await call.write(_chunk(data[start : start + 3_200]))
        # The speed of a microphone; by now it has been found to be one.
        await asyncio.sleep(0.1)
    await call.write(_chunk(data[19_200:]))
    responses = await _rest(call)
    for other in others:
        other.cancel()
    assert responses[-1].summary.recognizer == pb.RECOGNIZER_ALIGNED
    _check_live_cover(cues_of(responses), 6.38)


async def test_auto_listens_live_to_a_file_that_comes_as_it_plays(
    stub: Stub, hello_clip: AudioClip
) -> None:
    data = encoded(hello_clip, "mp3", "libmp3lame")
    piece = len(data) // 64
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=FILE))
    for start in range(0, 14 * piece, piece):
        await call.write(_chunk(data[start : start + piece]))
        await asyncio.sleep(0.1)
    responses = await _rest(call)
    assert responses[-1].summary.recognizer == LIVE


async def _speak(call: Call, data: bytes, piece_s: float, enough: asyncio.Event) -> None:
    """At the speed of a microphone, again and again until there is enough; slower, on a busy
    machine, is live as well."""
    size = round(piece_s * 32_000)
    pieces = cycle(data[at : at + size] for at in range(0, len(data) - size, size))
    # Not by cancelling this task: a write that is cancelled cancels its call.
    while not enough.is_set():
        await call.write(_chunk(next(pieces)))
        await asyncio.sleep(piece_s)


@pytest.mark.parametrize("backlog_s", [0.6, 2.0])
async def test_auto_listens_live_to_a_microphone_behind_a_backlog(
    stub: Stub, hello_clip: AudioClip, backlog_s: float
) -> None:
    data = pcm16(hello_clip)
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=S16))
    for start in range(0, round(backlog_s * 32_000), 640):
        await call.write(_chunk(data[start : start + 640]))
    enough = asyncio.Event()
    speaking = asyncio.create_task(_speak(call, data, 0.02, enough))
    # The speaker does not stop before the cues are here.
    early = await _until(call, backlog_s + 0.2)
    assert early[0].start_offset.ToNanoseconds() == 0
    enough.set()
    await speaking
    assert (await _rest(call))[-1].summary.recognizer == LIVE


async def test_auto_listens_to_what_has_come_when_nothing_more_does(
    stub: Stub, hello_clip: AudioClip
) -> None:
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=S16))
    await call.write(_chunk(pcm16(hello_clip)[:32_000]))
    # The input has not ended.
    await _until(call, 1.0)
    assert (await _rest(call))[-1].summary.recognizer == LIVE


async def test_auto_hears_a_recording_that_comes_slowly_as_a_whole_if_told_so(
    stub: Stub, hello_clip: AudioClip
) -> None:
    data = pcm16(hello_clip)
    call = await _open(stub, pb.RecognizeCuesConfig(audio_format=S16, whole=True))
    for start in range(0, 19_200, 3_200):
        await call.write(_chunk(data[start : start + 3_200]))
        await asyncio.sleep(0.1)
    assert (await _rest(call))[-1].summary.recognizer == pb.RECOGNIZER_WORDS


async def test_auto_aligns_audio_that_comes_faster(
    stub: Stub, hello_clip: AudioClip, hello_text: str
) -> None:
    config = pb.RecognizeCuesConfig(audio_format=S16, text=hello_text)
    responses = await answers(stub, requests(config, pcm16(hello_clip), 32_000))
    assert responses[0].started.config.recognizer == pb.RECOGNIZER_AUTO
    assert responses[-1].summary.recognizer == pb.RECOGNIZER_ALIGNED


async def test_a_line_heard_before_is_remembered(
    stub: Stub, hello_wav: bytes, hello_text: str
) -> None:
    config = pb.RecognizeCuesConfig(text=hello_text, include_phones=True)
    first = await answers(stub, requests(config, hello_wav))
    again = await answers(stub, requests(config, hello_wav, 5_000))
    assert not first[-1].summary.from_cache
    assert again[-1].summary.from_cache
    assert cues_of(again) == cues_of(first)
    assert [r.phones for r in again] == [r.phones for r in first]
    for other in (
        pb.RecognizeCuesConfig(text=hello_text + " Yes."),
        pb.RecognizeCuesConfig(text=hello_text, basic_shapes_only=True),
    ):
        changed = await answers(stub, requests(other, hello_wav))
        assert not changed[-1].summary.from_cache


@pytest.mark.parametrize("recognizer", [pb.RECOGNIZER_AUTO, LIVE])
async def test_songs(stub: Stub, recognizer: pb.Recognizer.ValueType) -> None:
    samples, _ = sung(11, notes=4)
    config = pb.RecognizeCuesConfig(
        audio_format=F32, recognizer=recognizer, content=pb.AUDIO_CONTENT_SONG
    )
    responses = await answers(stub, requests(config, samples.tobytes()))
    expected = LIVE if recognizer == LIVE else pb.RECOGNIZER_SONG
    assert responses[-1].summary.recognizer == expected
    assert len({cue.shape for cue in cues_of(responses)}) >= 3


def _workers() -> set[int]:
    tasks = Path("/proc/self/task").iterdir()
    children = {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
    return {pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


async def test_a_worker_that_dies_takes_only_its_streams(
    tmp_path: Path, hello_clip: AudioClip
) -> None:
    others = _workers()
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s", metrics_address=None, workers=1, preload=False
    )
    config = pb.RecognizeCuesConfig(audio_format=S16, recognizer=LIVE)
    data = pcm16(hello_clip)[:64_000]
    async with serving(settings, build) as address, connect(address) as peer:
        stub = pb_grpc.LipsyncServiceStub(peer.channel)
        call = await _open(stub, config)
        await call.write(_chunk(data))
        await _until(call, 1.0)
        for pid in _workers() - others:
            os.kill(pid, signal.SIGKILL)
        await call.write(_chunk(data))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _rest(call)
        assert translate_rpc_error(caught.value).reason == "WORKER_DIED"
        _check_live_cover(cues_of(await answers(stub, requests(config, data))), 2.0)
