"""Timings in place of audio, and texts in other languages, as clients of the service see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.lipsync.lipsyncclient import answers, check_cover, cues_of, refusal, requests

CONFIG = pb.RecognizeCuesRequest(config=pb.RecognizeCuesConfig())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[pb_grpc.LipsyncServiceAsyncStub]:
    socket = tmp_path_factory.mktemp("lipsync") / "socket"
    settings = LipsyncSettings(
        address=f"unix:{socket}", metrics_address=None, workers=1, preload=False
    )
    async with serving(settings, build) as address, connect(address) as peer:
        yield pb_grpc.LipsyncServiceStub(peer.channel)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _phones(*phones: tuple[float, float, str]) -> pb.RecognizeCuesRequest:
    return pb.RecognizeCuesRequest(
        phones=cue_pb2.PhoneBatch(
            phones=[
                cue_pb2.Phone(
                    start_offset=_duration(start), end_offset=_duration(end), symbol=symbol
                )
                for start, end, symbol in phones
            ]
        )
    )


def _visemes(
    viseme_set: cue_pb2.VisemeSet.ValueType, *visemes: tuple[float, int]
) -> pb.RecognizeCuesRequest:
    return pb.RecognizeCuesRequest(
        visemes=cue_pb2.VisemeBatch(
            set=viseme_set,
            visemes=[
                cue_pb2.Viseme(start_offset=_duration(time), viseme_id=viseme_id)
                for time, viseme_id in visemes
            ],
        )
    )


async def test_phones_become_cues(stub: pb_grpc.LipsyncServiceAsyncStub) -> None:
    responses = await answers(
        stub, [CONFIG, _phones((0.1, 0.3, "M")), _phones((0.3, 0.6, "AA"), (0.6, 0.9, "UW"))]
    )
    check_cover(cues_of(responses), 0.9)
    shapes = [cue.shape for cue in cues_of(responses)]
    assert shapes[:3] == [
        cue_pb2.MOUTH_SHAPE_X,
        cue_pb2.MOUTH_SHAPE_A,
        cue_pb2.MOUTH_SHAPE_D,
    ]
    summary = responses[-1].summary
    assert summary.recognizer == pb.RECOGNIZER_UNSPECIFIED
    assert summary.duration.ToMilliseconds() == 900


async def test_cues_of_phones_come_while_others_are_still_to_be_sent(
    stub: pb_grpc.LipsyncServiceAsyncStub,
) -> None:
    call = stub.RecognizeCues()
    await call.write(CONFIG)
    await call.write(_phones((0.1, 0.3, "M"), (0.3, 0.6, "AA"), (1.5, 1.6, "M")))
    started, cues = await call.read(), await call.read()
    assert isinstance(started, pb.RecognizeCuesResponse)
    assert isinstance(cues, pb.RecognizeCuesResponse)
    assert started.HasField("started")
    assert cues.cues.cues[-1].end_offset.ToMilliseconds() <= 600
    call.cancel()


@pytest.mark.parametrize("viseme_set", [cue_pb2.VISEME_SET_OVR_15, cue_pb2.VISEME_SET_AZURE_22])
async def test_visemes_become_cues(
    stub: pb_grpc.LipsyncServiceAsyncStub, viseme_set: cue_pb2.VisemeSet.ValueType
) -> None:
    closed = {cue_pb2.VISEME_SET_OVR_15: 1, cue_pb2.VISEME_SET_AZURE_22: 21}[viseme_set]
    messages = [CONFIG, _visemes(viseme_set, (0.2, closed), (0.4, 4), (0.7, 0))]
    responses = await answers(stub, messages)
    check_cover(cues_of(responses), 0.7)
    assert cue_pb2.MOUTH_SHAPE_A in {cue.shape for cue in cues_of(responses)}


@pytest.mark.parametrize(
    ("messages", "code", "reason", "field"),
    [
        (
            [_phones((0.1, 0.2, "XX"))],
            "INVALID_ARGUMENT",
            "PHONE_UNKNOWN",
            "phones.phones[0].symbol",
        ),
        (
            [_phones((0.1, 0.3, "M")), _phones((0.2, 0.4, "AA"))],
            "INVALID_ARGUMENT",
            "TIMING_OVERLAP",
            "phones.phones[0].start_offset",
        ),
        (
            [_phones((0.3, 0.3, "M"))],
            "INVALID_ARGUMENT",
            "TIMING_INVALID",
            "phones.phones[0].end_offset",
        ),
        (
            [_phones((0.3, 700.0, "M"))],
            "INVALID_ARGUMENT",
            "TIMING_INVALID",
            "phones.phones[0].end_offset",
        ),
        (
            [_visemes(cue_pb2.VISEME_SET_UNSPECIFIED, (0.0, 1))],
            "INVALID_ARGUMENT",
            "VISEME_SET_UNKNOWN",
            "visemes.set",
        ),
        (
            [_visemes(cue_pb2.VISEME_SET_OVR_15, (0.0, 15))],
            "INVALID_ARGUMENT",
            "VISEME_UNKNOWN",
            "visemes.visemes[0].viseme_id",
        ),
        (
            [
                _visemes(cue_pb2.VISEME_SET_OVR_15, (0.0, 1)),
                _visemes(cue_pb2.VISEME_SET_AZURE_22, (0.2, 1)),
            ],
            "FAILED_PRECONDITION",
            "VISEME_SET_CHANGED",
            "visemes.set",
        ),
        (
            [_phones((0.1, 0.2, "M")), _visemes(cue_pb2.VISEME_SET_OVR_15, (0.3, 1))],
            "FAILED_PRECONDITION",
            "TIMING_SOURCE_MISMATCH",
            "visemes",
        ),
        (
            [_phones((0.1, 0.2, "M")), *requests(None, bytes(100))],
            "FAILED_PRECONDITION",
            "TIMING_SOURCE_MISMATCH",
            "audio",
        ),
        ([_phones((0.1, 0.2, "M")), CONFIG], "FAILED_PRECONDITION", "CONFIG_TWICE", None),
    ],
)
async def test_bad_timings_are_refused(
    stub: pb_grpc.LipsyncServiceAsyncStub,
    messages: list[pb.RecognizeCuesRequest],
    code: str,
    reason: str,
    field: str | None,
) -> None:
    error = await refusal(stub, [CONFIG, *messages])
    assert (error.code, error.reason) == (code, reason)
    if field is not None:
        assert error.field == field


async def test_phones_after_audio_are_refused(stub: pb_grpc.LipsyncServiceAsyncStub) -> None:
    error = await refusal(
        stub, [*requests(pb.RecognizeCuesConfig(), bytes(100)), _phones((0.1, 0.2, "M"))]
    )
    assert error.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")


async def test_kanji_that_nobody_can_read_are_told(
    stub: pb_grpc.LipsyncServiceAsyncStub, hello_wav: bytes
) -> None:
    config = pb.RecognizeCuesConfig(text="𠮷へようこそ")
    responses = await answers(stub, requests(config, hello_wav))
    summary = responses[-1].summary
    assert summary.recognizer == pb.RECOGNIZER_PHONETIC
    assert [warning.reason for warning in summary.warnings] == ["TEXT_NEEDS_READING"]
    assert cues_of(responses)


@pytest.mark.parametrize(
    ("text", "language", "reason", "field"),
    [
        ("𠮷へようこそ", "", "TEXT_NEEDS_READING", "text"),
        ("Bonjour", "fr", "LANGUAGE_NOT_ALIGNED", "text"),
        ("Hello", "not a tag", "LANGUAGE_INVALID", "language"),
    ],
)
async def test_align_text_refuses_what_it_cannot_read(
    stub: pb_grpc.LipsyncServiceAsyncStub,
    hello_wav: bytes,
    text: str,
    language: str,
    reason: str,
    field: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AlignText(pb.AlignTextRequest(audio=hello_wav, text=text, language=language))
    error = translate_rpc_error(caught.value)
    assert (error.code, error.reason, error.field) == ("INVALID_ARGUMENT", reason, field)


async def test_a_bad_language_tag_is_refused(stub: pb_grpc.LipsyncServiceAsyncStub) -> None:
    error = await refusal(stub, requests(pb.RecognizeCuesConfig(language="!")))
    assert (error.reason, error.field) == ("LANGUAGE_INVALID", "config.language")
