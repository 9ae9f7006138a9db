from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import audio_pb2, session_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_gateway.clock import SessionClock
from kuchipaku_gateway.feed import Feed, Room
from kuchipaku_gateway.utterance import Utterance

SECOND = 32_000
"""Bytes of a second of 16-bit samples at 16 kHz."""


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def duration(seconds: float) -> Duration:
    made = Duration()
    made.FromNanoseconds(round(seconds * 1e9))
    return made


def session(time: Time, **fields: Any) -> SessionClock:
    values: dict[str, Any] = {
        "pacing": session_pb2.PACING_REAL_TIME,
        "audio_format": audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=16_000
        ),
    }
    return SessionClock(pb.SpeakConfig(**(values | fields)), time)


async def utterance(**fields: Any) -> Utterance:
    return Utterance(pb.SpeakUtterance(utterance_id="u", **fields), Feed(Room(1000)))


def told(clock: SessionClock, line: Utterance) -> float | None:
    """How far away offset 0 is, as the pose service is told."""
    message = clock.tell(line)
    return None if message is None else message.clock.start_delay.ToNanoseconds() / 1e9


async def test_a_line_is_due_so_long_after_its_audio_as_the_client_says() -> None:
    time = Time()
    clock, line = session(time, playback_delay=duration(0.5)), await utterance()
    assert told(clock, line) is None
    clock.heard(line, SECOND)
    time.now += 0.2
    assert told(clock, line) == pytest.approx(0.3)
    assert told(clock, line) is None


async def test_what_is_late_already_is_told_as_such() -> None:
    time = Time()
    clock, line = session(time, playback_delay=duration(0.5)), await utterance()
    clock.heard(line, SECOND)
    time.now += 2.0
    assert told(clock, line) == pytest.approx(-1.5)


async def test_a_line_waits_for_the_one_before() -> None:
    time = Time()
    clock = session(time, playback_delay=duration(0.5))
    first, second = await utterance(), await utterance()
    clock.heard(first, SECOND)
    clock.heard(second, SECOND)
    assert told(clock, first) == pytest.approx(0.5)
    clock.ended(first, time.now + 0.1, 3.0)
    assert told(clock, second) == pytest.approx(3.5)


async def test_after_an_interrupt_nothing_has_to_be_waited_for() -> None:
    time = Time()
    clock = session(time, playback_delay=duration(0.5))
    first, second = await utterance(), await utterance()
    clock.heard(first, SECOND)
    told(clock, first)
    first.feed.interrupt()
    clock.ended(first, time.now, 3.0)
    clock.heard(second, SECOND)
    assert told(clock, second) == pytest.approx(0.5)


async def test_live_speech_is_due_after_what_recognition_and_animation_take() -> None:
    time = Time()
    clock, line = session(time), await utterance()
    clock.heard(line, SECOND // 10)
    assert told(clock, line) is None
    time.now += 0.1
    clock.listening_live(line, 0.32)
    assert told(clock, line) == pytest.approx(0.22)


async def test_the_clock_goes_along_with_speech_that_pauses() -> None:
    time = Time()
    clock, line = session(time), await utterance()
    clock.listening_live(line, 0.3)
    clock.heard(line, SECOND // 10)
    assert told(clock, line) == pytest.approx(0.3)
    time.now += 0.1 + 0.02
    clock.heard(line, SECOND // 10)
    assert told(clock, line) is None, "that is the network's jitter"
    time.now += 2.1
    clock.heard(line, SECOND // 10)
    # 0.2 s have been spoken: their frames are over, and what comes now is due as ever.
    assert told(clock, line) == pytest.approx(0.3 - 0.2)


async def test_a_whole_line_has_one_clock_however_its_pieces_come() -> None:
    time = Time()
    clock, line = session(time, playback_delay=duration(0.5)), await utterance()
    clock.heard(line, SECOND)
    told(clock, line)
    time.now += 0.3
    clock.heard(line, SECOND)
    assert told(clock, line) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"pacing": session_pb2.PACING_FASTEST, "playback_delay": duration(0.5)},
        {"audio_format": audio_pb2.AudioFormat()},
        {},
    ],
    ids=["not in real time", "live, but coded", "nothing said"],
)
async def test_without_a_known_time_the_first_frame_starts_the_clock(
    fields: dict[str, Any],
) -> None:
    clock, line = session(Time(), **fields), await utterance()
    if "audio_format" in fields:
        clock.listening_live(line, 0.3)
    clock.heard(line, SECOND)
    assert told(clock, line) is None


async def test_a_line_that_is_taken_up_again_is_due_at_once() -> None:
    clock = session(Time(), playback_delay=duration(0.5))
    line = await utterance(resume_offset=duration(1.0))
    clock.heard(line, SECOND)
    assert told(clock, line) is None


async def test_the_line_behind_one_taken_up_again_follows_what_is_left_of_it() -> None:
    time = Time()
    clock = session(time, playback_delay=duration(0.5))
    first, second = await utterance(resume_offset=duration(4.0)), await utterance()
    clock.heard(first, SECOND)
    clock.heard(second, SECOND)
    # Five seconds long, its last second begins now.
    clock.ended(first, time.now, 5.0)
    assert told(clock, second) == pytest.approx(1.0)


async def test_a_line_without_frames_takes_no_time() -> None:
    time = Time()
    clock = session(time, playback_delay=duration(0.5))
    first, second, third = [await utterance() for _ in range(3)]
    clock.heard(first, SECOND)
    told(clock, first)
    clock.ended(first, time.now, 3.0)
    clock.ended(second, 0.0, 2.0)
    clock.heard(third, SECOND)
    assert told(clock, third) == pytest.approx(3.5)


@pytest.mark.parametrize("timing", [pb.TIMING_SOURCE_PHONES, pb.TIMING_SOURCE_VISEMES])
async def test_timings_in_batches_leave_the_clock_alone(
    timing: pb.TimingSource.ValueType,
) -> None:
    time = Time()
    clock = session(time, playback_delay=duration(0.5))
    line = await utterance(timing=timing)
    clock.heard(line, 0)
    clock.listening_live(line, 0.3)
    told(clock, line)
    time.now += 1.0
    clock.heard(line, 0)
    assert told(clock, line) is None


async def test_an_ended_line_is_not_live() -> None:
    clock, line = session(Time()), await utterance()
    clock.heard(line, SECOND)
    line.end(session_pb2.UtteranceEnd())
    clock.listening_live(line, 0.3)
    assert told(clock, line) is None


@pytest.mark.parametrize("delay", [-0.1, 10.5])
async def test_a_delay_out_of_range_is_refused(delay: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        session(Time(), playback_delay=duration(delay))
    assert caught.value.reason == "PLAYBACK_DELAY_OUT_OF_RANGE"
    assert caught.value.field == "config.playback_delay"
