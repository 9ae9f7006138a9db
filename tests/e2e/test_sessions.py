"""Live sessions: several utterances, interruption, resuming, credit, the caller's own cues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from PIL import Image

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import animation_pb2, audio_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import FailedPreconditionError, ResourceExhaustedError

from .sounds import tone, wav

Responses = list[gateway.SpeakResponse]


@pytest.fixture
def config(character: gateway.Character) -> gateway.SpeakConfig:
    return gateway.SpeakConfig(
        character=character.name,
        animation=animation_pb2.AnimationOptions(
            frames_per_second=10, motion=animation_pb2.MOTION_NONE, seed=1
        ),
        frame_format=frame_pb2.FrameFormat(
            encoding=frame_pb2.FRAME_ENCODING_PNG, width_px=128, height_px=128
        ),
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _cue(start: float, end: float, shape: cue_pb2.MouthShape.ValueType) -> gateway.SpeakRequest:
    cue = cue_pb2.MouthCue(start_offset=_duration(start), end_offset=_duration(end), shape=shape)
    return gateway.SpeakRequest(cues=cue_pb2.CueBatch(cues=[cue]))


def _utterance(name: str, **fields: object) -> gateway.SpeakRequest:
    spec = gateway.SpeakUtterance(
        utterance_id=name,
        timing=gateway.TIMING_SOURCE_CUES,
        **fields,  # type: ignore[arg-type]
    )
    return gateway.SpeakRequest(utterance=spec)


def _end(seconds: float) -> gateway.SpeakRequest:
    return gateway.SpeakRequest(utterance_end=session_pb2.UtteranceEnd(duration=_duration(seconds)))


async def _run(client: Client, requests: list[gateway.SpeakRequest]) -> Responses:
    async def stream() -> AsyncIterator[gateway.SpeakRequest]:
        for request in requests:
            yield request

    return [answer async for answer in client.speak(stream())]


def _offsets(answers: Responses, utterance: str) -> list[float]:
    return [
        round(frame.offset.ToTimedelta().total_seconds(), 6)
        for answer in answers
        for frame in answer.frames.frames
        if answer.frames.utterance_id == utterance
    ]


def _summaries(answers: Responses) -> dict[str, session_pb2.UtteranceSummary]:
    summaries = [a.utterance_summary.summary for a in answers if a.HasField("utterance_summary")]
    return {summary.utterance_id: summary for summary in summaries}


async def test_utterances_follow_each_other(client: Client, config: gateway.SpeakConfig) -> None:
    answers = await _run(
        client,
        [
            gateway.SpeakRequest(config=config),
            _utterance("one"),
            _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D),
            _end(0.5),
            _utterance("two"),
            _cue(0, 0.3, cue_pb2.MOUTH_SHAPE_F),
            _end(0.3),
        ],
    )
    assert answers[0].HasField("started")
    assert answers[0].started.config.pose_model
    assert answers[-1].HasField("statistics")
    assert _offsets(answers, "one") == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert _offsets(answers, "two") == [0.0, 0.1, 0.2]
    assert answers[-1].statistics.frame_count == 8
    epochs = {a.frames.utterance_id: a.frames.epoch for a in answers if a.HasField("frames")}
    assert epochs["one"] != epochs["two"]


async def test_the_simplest_client_sends_config_and_audio(
    client: Client, config: gateway.SpeakConfig
) -> None:
    audio = audio_pb2.AudioChunk(data=wav(tone(0.5)))
    answers = await _run(
        client, [gateway.SpeakRequest(config=config), gateway.SpeakRequest(audio=audio)]
    )
    assert len(_offsets(answers, "1")) == 5
    cues = [cue for answer in answers for cue in answer.cues.cues]
    assert cues[-1].end_offset.ToTimedelta().total_seconds() == pytest.approx(0.5, abs=0.02)


async def test_raw_samples_cut_anywhere_are_taken(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.audio_format.encoding = audio_pb2.AUDIO_ENCODING_PCM_S16LE
    config.audio_format.sample_rate_hertz = 8000
    samples = (tone(0.5, 8000) * 32767).astype("<i2").tobytes()
    parts = [samples[start : start + 777] for start in range(0, len(samples), 777)]
    requests = [gateway.SpeakRequest(config=config)]
    requests += [gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=part)) for part in parts]
    answers = await _run(client, requests)
    assert len(_offsets(answers, "1")) == 5


async def test_cues_only(client: Client, config: gateway.SpeakConfig) -> None:
    config.frames_disabled = True
    audio = audio_pb2.AudioChunk(data=wav(tone(0.5)))
    answers = await _run(
        client, [gateway.SpeakRequest(config=config), gateway.SpeakRequest(audio=audio)]
    )
    assert answers[0].HasField("started")
    assert not any(answer.HasField("frames") for answer in answers)
    assert [cue for answer in answers for cue in answer.cues.cues]
    assert set(_summaries(answers)) == {"1"}


async def test_resuming_leaves_out_the_frames_before(
    client: Client, config: gateway.SpeakConfig
) -> None:
    answers = await _run(
        client,
        [
            gateway.SpeakRequest(config=config),
            _utterance("one", resume_offset=_duration(0.35)),
            _cue(0, 0.6, cue_pb2.MOUTH_SHAPE_D),
            _end(0.6),
        ],
    )
    assert _offsets(answers, "one") == [0.4, 0.5]


async def test_the_config_is_answered_before_anything_is_said(
    client: Client, config: gateway.SpeakConfig
) -> None:
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    await talk.until(lambda answer: answer.HasField("started"))
    assert talk.answers[-1].started.config.pose_model == "starter"
    assert talk.answers[-1].started.HasField("look_ahead")
    talk.say(None)
    await talk.rest()
    assert [answer.WhichOneof("payload") for answer in talk.answers] == ["started", "statistics"]


async def test_what_one_utterance_overrides_does_not_stay(
    client: Client, config: gateway.SpeakConfig
) -> None:
    faster = animation_pb2.AnimationOptions(frames_per_second=20, motion=animation_pb2.MOTION_NONE)
    requests = [gateway.SpeakRequest(config=config)]
    requests += [
        _utterance("one", animation=faster),
        _cue(0, 0.2, cue_pb2.MOUTH_SHAPE_D),
        _end(0.2),
    ]
    requests += [_utterance("two"), _cue(0, 0.2, cue_pb2.MOUTH_SHAPE_D), _end(0.2)]
    answers = await _run(client, requests)
    assert _offsets(answers, "one") == [0.0, 0.05, 0.1, 0.15]
    assert _offsets(answers, "two") == [0.0, 0.1]


async def test_the_next_line_is_listened_to_while_one_is_spoken(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.initial_credit = 1
    audio = gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=wav(tone(0.5))))
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    for name in ("one", "two"):
        talk.say(gateway.SpeakRequest(utterance=gateway.SpeakUtterance(utterance_id=name)), audio)
        talk.say(gateway.SpeakRequest(utterance_end=session_pb2.UtteranceEnd()))
    # One frame of credit holds the first line up; the cues of the second one come all the same.
    await talk.until(lambda answer: answer.cues.utterance_id == "two")
    assert "one" not in _summaries(talk.answers)
    talk.say(gateway.SpeakRequest(credit=session_pb2.FrameCredit(frame_count=100)), None)
    await talk.rest()
    assert list(_summaries(talk.answers)) == ["one", "two"]


async def test_an_interrupt_may_name_its_utterance(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.initial_credit = 2
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    for name in ("one", "two", "three"):
        talk.say(_utterance(name), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5))
    await talk.until(lambda _: len(_offsets(talk.answers, "one")) == 2)
    for name in ("two", "over long ago"):
        interrupt = session_pb2.Interrupt(utterance_id=name)
        talk.say(gateway.SpeakRequest(interrupt=interrupt))
    talk.say(gateway.SpeakRequest(credit=session_pb2.FrameCredit(frame_count=100)), None)
    await talk.rest()
    interrupted = {name: one.interrupted for name, one in _summaries(talk.answers).items()}
    assert interrupted == {"one": False, "two": True, "three": False}


async def test_too_much_at_once_is_refused(client: Client, config: gateway.SpeakConfig) -> None:
    config.initial_credit = 0
    cues = [
        cue_pb2.MouthCue(start_offset=_duration(n), shape=cue_pb2.MOUTH_SHAPE_E)
        for n in range(1, 20_001)
    ]
    many = gateway.SpeakRequest(cues=cue_pb2.CueBatch(cues=cues * 10))
    requests = [gateway.SpeakRequest(config=config), _utterance("one")]
    requests += [many] * (80 * 2**20 // many.ByteSize())
    with pytest.raises(ResourceExhaustedError) as caught:
        await _run(client, requests)
    assert caught.value.reason == "SESSION_BACKLOG_FULL"


async def test_lines_in_real_time_follow_each_other_in_real_time(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.pacing = session_pb2.PACING_REAL_TIME
    config.max_lead.CopyFrom(_duration(0.4))
    requests = [gateway.SpeakRequest(config=config)]
    for name in ("one", "two", "three", "four"):
        requests += [_utterance(name), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5)]
    arrivals: dict[str, float] = {}

    async def stream() -> AsyncIterator[gateway.SpeakRequest]:
        for request in requests:
            yield request

    async for answer in client.speak(stream()):
        if answer.HasField("frames"):
            arrivals.setdefault(answer.frames.utterance_id, asyncio.get_running_loop().time())
    # Three lines of half a second lie before the fourth, whose first frame may lead by 0.4 s.
    assert arrivals["four"] - arrivals["one"] > 3 * 0.5 - 0.4 - 0.1, arrivals


async def test_expressions_change_the_face(client: Client, config: gateway.SpeakConfig) -> None:
    async def face(expression: str) -> bytes:
        config.animation.expression = expression
        requests = [gateway.SpeakRequest(config=config), _utterance("one")]
        requests += [_cue(0, 0.1, cue_pb2.MOUTH_SHAPE_X), _end(0.1)]
        answers = await _run(client, requests)
        return next(a for a in answers if a.HasField("frames")).frames.frames[0].data

    assert await face("neutral") != await face("angry")


class _Conversation:
    """A session whose requests depend on the answers."""

    def __init__(self, client: Client) -> None:
        self._requests: asyncio.Queue[gateway.SpeakRequest | None] = asyncio.Queue()
        self.answers: Responses = []
        self._stream = client.speak(self._outgoing())

    async def _outgoing(self) -> AsyncIterator[gateway.SpeakRequest]:
        while (request := await self._requests.get()) is not None:
            yield request

    def say(self, *requests: gateway.SpeakRequest | None) -> None:
        for request in requests:
            self._requests.put_nowait(request)

    async def until(self, found: Callable[[gateway.SpeakResponse], bool]) -> None:
        async for answer in self._stream:
            self.answers.append(answer)
            if found(answer):
                return
        pytest.fail("the session ended too early")

    async def rest(self) -> None:
        async for answer in self._stream:
            self.answers.append(answer)


async def test_an_interrupt_stops_the_utterance_at_once(
    client: Client, config: gateway.SpeakConfig
) -> None:
    # Paced, as five minutes of one held mouth would be through before an interrupt could arrive.
    config.pacing = session_pb2.PACING_REAL_TIME
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    talk.say(_utterance("long"), _cue(0, 300, cue_pb2.MOUTH_SHAPE_D), _end(300))
    await talk.until(lambda answer: answer.HasField("frames"))
    talk.say(gateway.SpeakRequest(interrupt=session_pb2.Interrupt()))
    talk.say(_utterance("next"), _cue(0, 0.2, cue_pb2.MOUTH_SHAPE_E), _end(0.2), None)
    await talk.rest()
    summaries = _summaries(talk.answers)
    assert summaries["long"].interrupted
    assert len(_offsets(talk.answers, "long")) < 300
    assert not summaries["next"].interrupted
    assert _offsets(talk.answers, "next") == [0.0, 0.1]


async def test_no_more_frames_than_credit(client: Client, config: gateway.SpeakConfig) -> None:
    def credit(count: int) -> gateway.SpeakRequest:
        return gateway.SpeakRequest(credit=session_pb2.FrameCredit(frame_count=count))

    talk = _Conversation(client)
    config.initial_credit = 3
    talk.say(gateway.SpeakRequest(config=config))
    talk.say(_utterance("one"), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5))
    talk.say(_utterance("two"), _cue(0, 0.3, cue_pb2.MOUTH_SHAPE_D), _end(0.3))
    await talk.until(lambda _: len(_offsets(talk.answers, "one")) == 3)
    more = asyncio.ensure_future(talk.until(lambda answer: answer.HasField("frames")))
    done, _ = await asyncio.wait({more}, timeout=1.0)
    assert not done
    talk.say(credit(1))
    await more
    assert len(_offsets(talk.answers, "one")) == 4
    # One frame of credit is left over for the second utterance.
    talk.say(credit(2))
    await talk.until(lambda _: len(_offsets(talk.answers, "two")) == 1)
    talk.say(credit(2), None)
    await talk.rest()
    assert len(_offsets(talk.answers, "one")) == 5
    assert len(_offsets(talk.answers, "two")) == 3


@pytest.mark.parametrize("initial", [0, 3, 5, 6])
async def test_half_close_with_too_little_credit_ends_the_session(
    client: Client, config: gateway.SpeakConfig, initial: int
) -> None:
    config.initial_credit = initial
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    talk.say(_utterance("one"), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5))
    talk.say(_utterance("two"), _cue(0, 0.3, cue_pb2.MOUTH_SHAPE_D), _end(0.3), None)
    with pytest.raises(FailedPreconditionError) as caught:
        await talk.rest()
    assert (caught.value.reason, caught.value.field) == ("CREDIT_EXHAUSTED", "credit")
    sent = [len(_offsets(talk.answers, name)) for name in ("one", "two")]
    assert sent == [min(initial, 5), max(0, initial - 5)]
    assert list(_summaries(talk.answers)) == (["one"] if initial >= 5 else [])


async def test_credit_that_just_suffices_does_so_without_more_to_come(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.initial_credit = 8
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    talk.say(_utterance("one"), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5))
    talk.say(_utterance("two"), _cue(0, 0.3, cue_pb2.MOUTH_SHAPE_D), _end(0.3), None)
    await talk.rest()
    assert list(_summaries(talk.answers)) == ["one", "two"]


async def test_half_close_while_credit_is_waited_for_ends_the_session(
    client: Client, config: gateway.SpeakConfig
) -> None:
    config.initial_credit = 2
    talk = _Conversation(client)
    talk.say(gateway.SpeakRequest(config=config))
    talk.say(_utterance("one"), _cue(0, 0.5, cue_pb2.MOUTH_SHAPE_D), _end(0.5))
    await talk.until(lambda _: len(_offsets(talk.answers, "one")) == 2)
    talk.say(None)
    with pytest.raises(FailedPreconditionError) as caught:
        await talk.rest()
    assert caught.value.reason == "CREDIT_EXHAUSTED"
    assert len(_offsets(talk.answers, "one")) == 2


async def test_mouth_shapes_look_different(client: Client, config: gateway.SpeakConfig) -> None:
    config.frame_format.crop.CopyFrom(
        frame_pb2.Crop(left_px=224, top_px=156, width_px=64, height_px=64)
    )
    pictures = {}
    for shape in ("A", "B", "C", "D", "E", "F"):
        requests = [gateway.SpeakRequest(config=config), _utterance("one")]
        requests += [_cue(0, 0.5, cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape}")), _end(0.5)]
        answers = await _run(client, requests)
        frames = [f for a in answers for f in a.frames.frames if f.WhichOneof("content") == "data"]
        pictures[shape] = np.asarray(Image.open(BytesIO(frames[-1].data)), int)
    for (one, first), (two, second) in combinations(pictures.items(), 2):
        assert np.abs(first - second).max() > 40, (one, two)
