"""What lip sync is told about audio that is passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_gateway.characters import Character
from kuchipaku_gateway.feed import Feed, Room

from .company import Company, Listener, gateway_before, settings_beside

NAME = "characters/momo"


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_audio_says_how_long_it_has_waited() -> None:
    time = Time()
    feed = Feed(Room(1_000), time)
    for second in range(3):
        time.now = 100.0 + second
        feed.add_audio(b"sound")
    feed.end_audio()
    time.now = 103.5
    waited = []
    async for message in feed.speech():
        assert message.audio.data == b"sound"
        waited.append(message.waited.ToNanoseconds() / 1e9)
        time.now += 0.25
    assert waited == pytest.approx([3.5, 2.75, 2.0])


async def test_timings_do_not() -> None:
    feed = Feed(Room(1_000), Time())
    feed.add_speech(lipsync_pb.RecognizeCuesRequest(phones=cue_pb2.PhoneBatch()))
    feed.end_audio()
    assert [message.HasField("waited") async for message in feed.speech()] == [False]


class Recorder(Listener):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for: list[lipsync_pb.RecognizeCuesConfig] = []
        self.audio: list[lipsync_pb.RecognizeCuesRequest] = []

    async def RecognizeCues(  # noqa: N802 - the protocol's name
        self, requests: AsyncIterator[lipsync_pb.RecognizeCuesRequest], context: Any
    ) -> AsyncIterator[lipsync_pb.RecognizeCuesResponse]:
        """As usual."""

        async def kept() -> AsyncIterator[lipsync_pb.RecognizeCuesRequest]:
            async for request in requests:
                if request.HasField("config"):
                    self.asked_for.append(request.config)
                else:
                    self.audio.append(request)
                yield request

        async for response in super().RecognizeCues(kept(), context):
            yield response


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()  # type: ignore[abstract]


@pytest.fixture
async def client(recorder: Recorder, tmp_path: Path) -> AsyncIterator[Client]:
    company = Company()
    company.lipsync = recorder
    settings = settings_beside(tmp_path)
    character = Character("momo", "0" * 64)
    async with gateway_before(company, settings, character) as address, Client(address) as client:
        yield client


async def test_speech_may_be_live(client: Client, recorder: Recorder) -> None:
    async def requests() -> AsyncIterator[pb.SpeakRequest]:
        yield pb.SpeakRequest(config=pb.SpeakConfig(character=NAME, frames_disabled=True))
        for _ in range(2):
            yield pb.SpeakRequest(audio=audio_pb2.AudioChunk(data=b"sound"))

    _ = [answer async for answer in client.speak(requests())]
    assert not any(config.whole for config in recorder.asked_for)
    assert len(recorder.audio) == 2
    assert all(message.HasField("waited") for message in recorder.audio)


async def test_a_film_is_listened_to_as_a_whole_however_slow_the_upload(
    client: Client, recorder: Recorder
) -> None:
    film = pb.RenderVideoConfig(character=NAME)
    _ = [answer async for answer in client.render_video(film, b"sound")]
    assert [config.whole for config in recorder.asked_for] == [True]
