"""Sessions and films, with the services behind played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import (
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
)
from kuchipaku_gateway.characters import Character
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_gateway.store import CharacterStore, Creation
from kuchipaku_runtime import ServiceSettings, serving

from .company import Company, gateway_before, settings_beside

NAME = "characters/momo"


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return settings_beside(tmp_path, backlog_mib=1, sessions=8)


@pytest.fixture
async def client(company: Company, settings: GatewaySettings) -> AsyncIterator[Client]:
    character = Character("momo", "0" * 64)
    async with gateway_before(company, settings, character) as address, Client(address) as client:
        yield client


class Talk:
    """A session whose client decides what to say next."""

    def __init__(self, client: Client, **config: object) -> None:
        self._said: asyncio.Queue[pb.SpeakRequest | None] = asyncio.Queue()
        self._answers = client.speak(self._requests())
        self.say(config=pb.SpeakConfig(character=NAME, **config))  # type: ignore[arg-type]

    def say(self, **payload: object) -> None:
        self._said.put_nowait(pb.SpeakRequest(**payload))  # type: ignore[arg-type]

    def begin(self, name: str, timing: pb.TimingSource.ValueType = pb.TIMING_SOURCE_CUES) -> None:
        self.say(utterance=pb.SpeakUtterance(utterance_id=name, timing=timing))

    def shapes(self, count: int) -> None:
        cues = [cue_pb2.MouthCue(shape=cue_pb2.MOUTH_SHAPE_D) for _ in range(count)]
        self.say(cues=cue_pb2.CueBatch(cues=cues))

    async def until(self, kind: str) -> pb.SpeakResponse:
        async with asyncio.timeout(20):
            async for answer in self._answers:
                if answer.WhichOneof("payload") == kind:
                    return answer
        raise AssertionError(f"no {kind} came")

    async def end(self) -> list[pb.SpeakResponse]:
        self._said.put_nowait(None)
        async with asyncio.timeout(20), aclosing(self._answers) as answers:
            return [answer async for answer in answers]

    async def _requests(self) -> AsyncGenerator[pb.SpeakRequest]:
        while (request := await self._said.get()) is not None:
            yield request


def _interrupted(answers: list[pb.SpeakResponse]) -> dict[str, bool]:
    summaries = [a.utterance_summary.summary for a in answers if a.HasField("utterance_summary")]
    return {summary.utterance_id: summary.interrupted for summary in summaries}


async def test_frames_that_an_interrupt_keeps_back_cost_no_credit(
    client: Client, company: Company
) -> None:
    talk = Talk(client, initial_credit=5)
    talk.begin("one")
    talk.shapes(3)
    await talk.until("frames")
    talk.say(interrupt=session_pb2.Interrupt())
    talk.begin("two")
    talk.shapes(2)
    # Half-close would let pose try one more, to see whether the credit is enough.
    await talk.until("frames")
    answers = await talk.end()
    assert _interrupted(answers) == {"two": False}
    assert [config.initial_credit for config in company.pose.configs] == [5, 2]


async def test_nothing_follows_an_interrupt_into_the_utterance(
    client: Client, company: Company
) -> None:
    company.pose.may_stop.clear()
    talk = Talk(client)
    talk.begin("one")
    talk.shapes(1)
    await talk.until("frames")
    talk.say(interrupt=session_pb2.Interrupt())
    # In time with the interrupt, as a client does that has not yet decided to stop.
    talk.shapes(1)
    talk.say(expressions=animation_pb2.ExpressionBatch())
    talk.begin("two", pb.TIMING_SOURCE_AUDIO)
    talk.say(audio=audio_pb2.AudioChunk(data=b"sound"))
    async with asyncio.timeout(20):
        await company.lipsync.listening.wait()
    company.pose.may_stop.set()
    assert _interrupted(await talk.end()) == {"one": True, "two": False}
    assert company.pose.heard[0] == ["utterance", "cues", "interrupt"]


async def test_a_second_interrupt_hits_the_next_line(client: Client, company: Company) -> None:
    company.pose.may_stop.clear()
    talk = Talk(client)
    talk.begin("one")
    talk.shapes(1)
    talk.begin("two", pb.TIMING_SOURCE_AUDIO)
    talk.say(audio=audio_pb2.AudioChunk(data=b"sound"))
    await talk.until("frames")
    async with asyncio.timeout(20):
        await company.lipsync.listening.wait()
    talk.say(interrupt=session_pb2.Interrupt())
    talk.say(interrupt=session_pb2.Interrupt())
    async with asyncio.timeout(20):
        await company.lipsync.given_up.wait()
    company.pose.may_stop.set()
    assert _interrupted(await talk.end()) == {"one": True, "two": True}


async def test_what_waiting_lines_say_of_themselves_is_bounded(
    client: Client, company: Company
) -> None:
    company.pose.may_stop.clear()
    talk = Talk(client)
    talk.begin("one")
    talk.shapes(1)
    await talk.until("frames")
    talk.say(interrupt=session_pb2.Interrupt())
    for number in range(100):
        spec = pb.SpeakUtterance(
            utterance_id=str(number), text="x" * 19_000, timing=pb.TIMING_SOURCE_CUES
        )
        talk.say(utterance=spec)
    with pytest.raises(ResourceExhaustedError) as caught:
        await talk.until("statistics")
    assert caught.value.reason == "SESSION_BACKLOG_FULL"


async def test_a_language_has_a_short_name(client: Client) -> None:
    talk = Talk(client)
    talk.say(utterance=pb.SpeakUtterance(language="x" * 100_000))
    with pytest.raises(InvalidArgumentError) as caught:
        await talk.end()
    assert caught.value.reason == "LANGUAGE_INVALID"
    assert caught.value.field == "utterance.language"


async def test_without_frames_there_is_no_credit_to_wait_for(client: Client) -> None:
    talk = Talk(client, frames_disabled=True, initial_credit=0)
    talk.say(audio=audio_pb2.AudioChunk(data=b"sound"))
    answers = await talk.end()
    assert _interrupted(answers) == {"1": False}


@pytest.mark.parametrize("credit", [-1, 100_001])
async def test_credit_is_checked_at_the_start(client: Client, credit: int) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await Talk(client, initial_credit=credit).until("started")
    assert caught.value.reason == "CREDIT_OUT_OF_RANGE"
    assert caught.value.field == "config.initial_credit"


async def test_what_lip_sync_refuses_is_refused_at_the_start(
    client: Client, company: Company
) -> None:
    company.lipsync.refused = InvalidArgumentError(
        "No.", reason="ENUM_VALUE_UNKNOWN", field="config.content"
    )
    with pytest.raises(InvalidArgumentError) as caught:
        await Talk(client).until("started")
    assert caught.value.field == "config.content"


@pytest.mark.parametrize(
    ("asked", "theirs", "ours"),
    [
        ({"pose_model": "foo"}, "config.model", "config.pose_model"),
        # The character's own: the caller has named no model.
        ({}, "config.model", "config.character"),
        ({}, "config.canvas_sha256", "config.character"),
        ({}, "config.frame_format.width_px", "config.frame_format.width_px"),
        ({}, "config.animation.expression", "config.animation.expression"),
    ],
)
async def test_what_pose_refuses_is_named_as_the_caller_knows_it(
    client: Client, company: Company, asked: dict[str, str], theirs: str, ours: str
) -> None:
    company.pose.refused_animation = NotFoundError("No.", reason="WRONG", field=theirs)
    with pytest.raises(NotFoundError) as caught:
        await Talk(client, **asked).until("started")
    assert caught.value.field == ours
    film = pb.RenderVideoConfig(character=NAME, **asked)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError) as caught:
        _ = [answer async for answer in client.render_video(film, b"sound")]
    assert caught.value.field == ours.replace("frame_format.", "")


async def test_what_pose_refuses_of_a_line_is_the_lines(client: Client, company: Company) -> None:
    talk = Talk(client)
    await talk.until("started")
    company.pose.refused_animation = InvalidArgumentError(
        "No.", reason="WRONG", field="config.animation.expression"
    )
    options = animation_pb2.AnimationOptions(expression="bamboozled")
    talk.say(utterance=pb.SpeakUtterance(animation=options))
    with pytest.raises(InvalidArgumentError) as caught:
        await talk.end()
    assert caught.value.field == "utterance.animation.expression"


async def test_a_film_tells_the_size_that_its_file_has(client: Client) -> None:
    film = pb.RenderVideoConfig(character=NAME, width_px=255)
    answers = [answer async for answer in client.render_video(film, b"sound")]
    [started] = [answer.started for answer in answers if answer.HasField("started")]
    assert (started.config.width_px, started.config.height_px) == (256, 256)


async def test_in_a_rush_sessions_open_a_few_at_a_time(
    client: Client, company: Company, settings: GatewaySettings
) -> None:
    company.lipsync.may_start.clear()
    latencies = [Duration(nanos=(100 + n) * 1_000_000) for n in range(settings.sessions)]
    talks = [Talk(client, live_latency=latency) for latency in latencies]
    started = [asyncio.create_task(talk.until("started")) for talk in talks]
    for _ in range(settings.openings):
        await company.lipsync.asked.acquire()

    # Whoever is one too many need not wait for those that open.
    with pytest.raises(ResourceExhaustedError) as caught:
        await Talk(client).until("started")
    assert caught.value.reason == "QUEUE_FULL"
    company.lipsync.may_start.set()
    await asyncio.gather(*started)
    assert company.lipsync.most_asking == settings.openings
    for talk in talks:
        await talk.end()


async def test_what_was_accepted_a_moment_ago_is_not_asked_again(
    client: Client, company: Company
) -> None:
    first = (await Talk(client, initial_credit=3).until("started")).started
    again = (await Talk(client, initial_credit=5).until("started")).started
    assert company.lipsync.calls == 1
    assert again.config.initial_credit == 5
    again.config.initial_credit = 3
    assert again == first

    await Talk(client, recognizer=lipsync_pb.RECOGNIZER_LIVE).until("started")
    assert company.lipsync.calls == 2


async def test_what_was_refused_is_asked_again(client: Client, company: Company) -> None:
    company.lipsync.refused = InvalidArgumentError(
        "No.", reason="ENUM_VALUE_UNKNOWN", field="config.content"
    )
    with pytest.raises(InvalidArgumentError):
        await Talk(client).until("started")
    company.lipsync.refused = None
    assert (await Talk(client).until("started")).HasField("started")


async def test_lines_with_cues_do_without_lip_sync(
    tmp_path: Path, company: Company, settings: GatewaySettings
) -> None:
    alone = settings.model_copy(update={"lipsync_address": f"unix:{tmp_path}/nobody.sock"})
    await CharacterStore(settings.store_url).create(Creation(Character("momo", "0" * 64)), b"png")
    behind = ServiceSettings(address=f"unix:{tmp_path}/company.sock")
    async with (
        serving(behind, company.build),
        serving(alone, build) as address,
        Client(address) as client,
    ):
        talk = Talk(client)
        talk.begin("one")
        talk.shapes(1)
        assert _interrupted(await talk.end()) == {"one": False}


@pytest.mark.parametrize("draws", [True, False], ids=["frames", "cues only"])
async def test_a_line_with_frames_ends_after_ten_minutes(
    client: Client, company: Company, draws: bool
) -> None:
    company.lipsync.cues = [cue_pb2.MouthCue(end_offset=Duration(seconds=600, nanos=1))]
    talk = Talk(client, frames_disabled=not draws)
    talk.say(audio=audio_pb2.AudioChunk(data=b"sound"))
    if draws:
        with pytest.raises(InvalidArgumentError) as caught:
            await talk.end()
        assert (caught.value.reason, caught.value.field) == ("AUDIO_TOO_LONG", "audio")
    else:
        assert _interrupted(await talk.end()) == {"1": False}


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({}, (400, 200)),
        ({"width_px": 200}, (200, 100)),
        ({"height_px": 150}, (300, 150)),
        ({"width_px": 160, "height_px": 320}, (160, 320)),
    ],
    ids=["neither", "width", "height", "both"],
)
async def test_a_films_other_side_follows_from_the_crop(
    client: Client, company: Company, asked: dict[str, int], made: tuple[int, int]
) -> None:
    config = pb.RenderVideoConfig(
        character=NAME,
        crop=frame_pb2.Crop(width_px=400, height_px=200),
        **asked,  # type: ignore[arg-type]
    )
    _ = [answer async for answer in client.render_video(config, b"sound")]
    told = company.compositor.configs[0].frame_format
    assert (told.width_px, told.height_px) == made
    drawn = company.pose.configs[0].frame_format
    assert (drawn.width_px, drawn.height_px) == made


@pytest.mark.parametrize("side", [2**31 - 1, -(2**31)])
async def test_a_films_size_is_refused_by_its_own_name(
    client: Client, company: Company, side: int
) -> None:
    company.compositor.refused = InvalidArgumentError(
        "Too large.", reason="FRAME_SIZE_OUT_OF_RANGE", field="config.frame_format.width_px"
    )
    config = pb.RenderVideoConfig(character=NAME, width_px=side)
    config.crop.CopyFrom(frame_pb2.Crop(width_px=1, height_px=512))
    with pytest.raises(InvalidArgumentError) as caught:
        _ = [answer async for answer in client.render_video(config, b"sound")]
    assert caught.value.field == "config.width_px"
