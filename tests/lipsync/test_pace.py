"""A microphone is told from a recording by when its audio comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import count, takewhile
from random import Random

import pytest

from kuchipaku_lipsync.collecting import Reserved, collected_unless_live
from kuchipaku_lipsync.intake import AudioLayout, ByteBudget, RawAudio, intake_for
from kuchipaku_lipsync.live.arrivals import LATE, Arrivals, PatientReader, Piece
from kuchipaku_lipsync.live.pace import Pace, PaceMeter
from kuchipaku_media.pcm import PcmFormat

RATE = 16_000
LAYOUT = AudioLayout(PcmFormat.S16LE, RATE, 1)

Arrival = tuple[float, float]
"""When a piece comes, and how many seconds it lasts."""


def paced(piece_s: float, seconds: float, rate: float = 1.0, start: float = 0.0) -> list[Arrival]:
    """Pieces of the same length, so many times as fast as they play."""
    return [(start + n * piece_s / rate, piece_s) for n in range(round(seconds / piece_s))]


def backlog(seconds: float, piece_s: float = 0.02) -> list[Arrival]:
    """Audio that comes all at once."""
    return [(n * 1e-5, piece_s) for n in range(round(seconds / piece_s))]


def decided(arrivals: Iterable[Arrival], end: float | None = None) -> tuple[Pace, float | None]:
    """The verdict and when it is reached; ``end``: when the input ends, if it does."""
    meter = PaceMeter()
    seconds = now = 0.0
    for at, piece_s in arrivals:
        if meter.due is not None and meter.due < at:
            return meter.wait_is_over(), meter.due
        now = at
        seconds += piece_s
        if meter.take(round(piece_s * RATE) * 2, seconds, now) is not Pace.UNDECIDED:
            return meter.pace, now
    if meter.due is not None and (end is None or meter.due < end):
        due = meter.due
        return meter.wait_is_over(), due
    return meter.pace, None


@pytest.mark.parametrize("piece_s", [0.005, 0.02, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0, 1.05])
def test_a_microphone_is_heard_live_at_once(piece_s: float, rate: float) -> None:
    pace, at = decided(paced(piece_s, 5, rate))
    assert pace is Pace.REAL_TIME
    assert at is not None
    assert at <= max(0.25, piece_s / rate) + piece_s / rate + 1e-9


@pytest.mark.parametrize("backlog_s", [0.3, 0.6, 1.0, 2.0, 8.0, 25.0])
@pytest.mark.parametrize("piece_s", [0.02, 0.1, 0.25])
def test_a_backlog_makes_no_recording_of_a_microphone(backlog_s: float, piece_s: float) -> None:
    arrivals = [*backlog(backlog_s), *paced(piece_s, 10, start=piece_s)]
    pace, at = decided(arrivals)
    assert pace is Pace.REAL_TIME
    assert at is not None
    assert at <= 0.5 + 2 * piece_s


def test_so_does_a_first_piece_that_holds_what_was_gathered() -> None:
    assert decided([(0.0, 1.5), *paced(0.02, 5, start=0.02)])[0] is Pace.REAL_TIME


@pytest.mark.parametrize("seed", range(5))
def test_nor_does_an_uneven_network(seed: int) -> None:
    """Pieces of 20 ms behind a second of backlog, each held up by as much as 0.25 s."""
    random = Random(seed)
    late = 0.0
    arrivals = backlog(1.0)
    for played, piece_s in paced(0.02, 20, start=0.02):
        late = max(late - 0.02, random.uniform(0, 0.25) if random.random() < 0.05 else 0.0)
        arrivals.append((played + late, piece_s))
    pace, at = decided(arrivals)
    assert pace is Pace.REAL_TIME
    assert at is not None
    assert at < 5


def test_a_file_with_long_pages_is_live_with_the_first() -> None:
    """Ogg: bytes come all the time, and once a second a second of sound."""
    meter = PaceMeter()
    times = takewhile(lambda at: at < 1.05, count(0, 0.05))
    assert {meter.take(300, 0.0, 100.0 + at) for at in times} == {Pace.UNDECIDED}
    assert meter.take(300, 1.0, 101.05) is Pace.REAL_TIME


def test_a_pause_of_the_network_is_no_end_of_a_microphone() -> None:
    arrivals = [*backlog(1.0), *paced(0.02, 0.2, start=0.02), *paced(0.02, 5, start=1.0)]
    assert decided(arrivals)[0] is Pace.REAL_TIME


@pytest.mark.parametrize("rate", [1.5, 2.0, 4.0, 100.0])
@pytest.mark.parametrize("piece_s", [0.02, 0.1, 0.4])
def test_what_comes_faster_is_a_recording(rate: float, piece_s: float) -> None:
    arrivals = paced(piece_s, 9, rate)
    assert decided(arrivals, end=arrivals[-1][0] + 0.1) == (Pace.UNDECIDED, None)


def test_a_recording_that_is_held_up_stays_one() -> None:
    """A network's pause, and then all the rest at once."""
    late = [(0.8 + at, piece_s) for at, piece_s in backlog(6.0)]
    assert decided([*backlog(3.0), *late], end=1.0) == (Pace.UNDECIDED, None)
    header = (0.0, 0.0)
    assert decided([header, *late], end=1.0) == (Pace.UNDECIDED, None)
    assert decided([(0.0, 0.02), *late], end=1.0) == (Pace.UNDECIDED, None)


def test_so_does_a_voice_that_is_made_sentence_by_sentence() -> None:
    arrivals = [(n + at, piece_s) for n in range(4) for at, piece_s in backlog(3.0)]
    assert decided(arrivals, end=3.5) == (Pace.UNDECIDED, None)


def test_a_recording_whose_end_never_comes_is_heard_when_it_would_be_over() -> None:
    pace, at = decided(backlog(6.5))
    assert pace is Pace.REAL_TIME
    assert at == pytest.approx(5.0)
    assert decided(backlog(0.3), end=0.9)[0] is Pace.UNDECIDED
    assert decided([(0.0, 0.3)])[1] == pytest.approx(1.0)


def test_far_ahead_is_a_recording_for_good() -> None:
    pace, at = decided([*backlog(31.0), *paced(0.02, 10, start=0.1)])
    assert pace is Pace.FASTER
    assert at is not None
    assert at < 0.2


def test_audio_that_was_held_up_on_its_way_is_judged_by_when_it_came() -> None:
    """1.4 s of a microphone wait for the service to be reached."""
    meter = PaceMeter()
    now, verdicts = 100.0, []
    for n in range(71):
        now += 1e-4
        verdicts.append(meter.take(640, (n + 1) * 0.02, now, waited_s=1.4 - n * 0.02))
    # What has waited may have its end right behind it. The first that has not tells.
    assert set(verdicts[:65]) == {Pace.UNDECIDED}
    assert verdicts[-1] is Pace.REAL_TIME


def test_a_recording_that_was_held_up_is_still_one() -> None:
    meter = PaceMeter()
    for n in range(300):
        meter.take(640, (n + 1) * 0.02, 100 + n * 1e-4, waited_s=1.4 if n < 250 else 0.0)
    assert meter.pace is Pace.UNDECIDED


async def _pieces(data: bytes, size: int) -> AsyncIterator[Piece]:
    for start in range(0, len(data), size):
        yield Piece(data[start : start + size])


async def test_a_recording_is_collected_and_gives_its_room_back() -> None:
    budget = ByteBudget(1 << 20)
    reserved = Reserved(budget)
    reader = PatientReader(_pieces(bytes(64_000), 640))
    audio = await collected_unless_live(
        reader, intake_for(LAYOUT, "audio"), reserved, Arrivals(LAYOUT)
    )
    assert isinstance(audio, RawAudio)
    assert len(audio.samples) == 32_000
    reserved.release()
    assert budget.used == 0


async def test_a_piece_that_is_late_is_not_lost() -> None:
    may_come = asyncio.Event()

    async def pieces() -> AsyncIterator[Piece]:
        yield Piece(b"early")
        await may_come.wait()
        yield Piece(b"late")

    reader = PatientReader(pieces())
    assert await reader.next() == Piece(b"early")
    assert await reader.next(0.01) is LATE
    may_come.set()
    assert [data async for data in reader.rest()] == [b"late"]


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def _paces(data: bytes, seconds: float, time: Time) -> list[Pace]:
    """Of a file that comes in pieces of 20 ms, evenly over so many seconds."""
    arrivals = Arrivals(AudioLayout(), time)
    size = max(1, round(len(data) / seconds * 0.02))
    starts = takewhile(lambda start: start < len(data), count(0, size))
    paces = []
    for start in starts:
        time.now += 0.02
        paces.append(await arrivals.take(Piece(data[start : start + size])))
        if paces[-1] is not Pace.UNDECIDED:
            assert arrivals.heard == data[: start + size]
            break
    arrivals.close()
    return paces


async def test_files_are_looked_into(hello_wav: bytes) -> None:
    assert len(await _paces(hello_wav, 6.38, Time())) <= 16
    fast = await _paces(hello_wav, 1.0, Time())
    assert set(fast) == {Pace.UNDECIDED}


async def test_what_is_no_audio_is_for_others_to_refuse() -> None:
    arrivals = Arrivals(AudioLayout(), Time())
    assert await arrivals.take(Piece(b"no audio at all " * 10)) is Pace.FASTER
    assert arrivals.kept == 0
