"""Who speaks what, and when."""

from __future__ import annotations

import asyncio
import random
import statistics
import wave
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen_pb
from kuchipaku.loadtest.cast import (
    CROWD_CHARACTERS,
    CROWD_LINES_EACH,
    begin_times,
    characters_for,
    make_lines,
    roles,
)
from kuchipaku.loadtest.plan import LoadPlan, Mix
from kuchipaku.loadtest.record import Role
from kuchipaku.loadtest.speech import RATE_HERTZ, Line, RecordedSpeech, sentence, speech_for
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_runtime import ServiceSettings, serving
from tests.gateway.painters import Painter

ROOT = Path(__file__).resolve().parents[2]


class Moody(Painter):
    """Paints no boys."""

    async def GenerateImage(  # noqa: N802 - the protocol's name
        self, request: imagegen_pb.GenerateImageRequest, context: Any
    ) -> AsyncIterator[imagegen_pb.GenerateImageResponse]:
        if "boy" in request.prompt:
            raise InvalidArgumentError("No boys.", reason="PROMPT_BLOCKED", field="prompt")
        async for answer in super().GenerateImage(request, context):
            yield answer


class Numbers:
    """Lines of two seconds that can be told apart."""

    def line(self, number: int) -> Line:
        return Line(number.to_bytes(4, "little") * RATE_HERTZ, f"line {number}")


def test_distinct_sessions_share_no_line() -> None:
    plan = LoadPlan("", sessions=5, duration_s=10, mix=Mix.DISTINCT)
    lines = make_lines(plan, Numbers(), 5)
    texts = [line.text for own in lines for line in own]
    assert len(texts) == len(set(texts))
    later = make_lines(replace(plan, round=1), Numbers(), 5)
    assert not set(texts) & {line.text for own in later for line in own}
    # Enough that no session has to repeat itself.
    assert all(sum(line.duration_s + plan.pause_s for line in own) >= 10 for own in lines)
    assert all(line.seed is None for own in lines for line in own)


def test_a_crowd_says_the_same_lines_in_different_orders() -> None:
    sessions = 5 * CROWD_CHARACTERS
    lines = make_lines(LoadPlan("", mix=Mix.CROWD), Numbers(), sessions)
    sets = [frozenset(line.text for line in own) for own in lines]
    # Who plays the same character has the same lines.
    assert sets[0] == sets[CROWD_CHARACTERS]
    assert len(set(sets)) == CROWD_CHARACTERS
    assert len({tuple(own) for own in lines[::CROWD_CHARACTERS]}) > 1
    # A line that comes again has the idle motion that it had.
    different = {(line.text, line.seed) for own in lines for line in own}
    assert len(different) == CROWD_CHARACTERS * CROWD_LINES_EACH


def test_a_fixed_number_of_sessions_is_there_all_the_time() -> None:
    times = begin_times(LoadPlan("", sessions=6, duration_s=20))
    assert len(times) == 6
    assert all(0 <= begin <= 1 and end == 20 for begin, end in times)
    assert len({begin for begin, _ in times}) == 6


def test_arrivals_are_a_poisson_process() -> None:
    plan = LoadPlan("", arrivals_per_s=5.0, duration_s=400, session_s=4.0)
    times = begin_times(plan)
    gaps = [b - a for (a, _), (b, _) in pairwise(times)]
    assert statistics.mean(gaps) == pytest.approx(0.2, rel=0.1)
    # Exponential: the deviation is the mean.
    assert statistics.stdev(gaps) == pytest.approx(0.2, rel=0.15)
    lengths = [end - begin for begin, end in times if end < 400]
    assert statistics.mean(lengths) == pytest.approx(4.0, rel=0.15)
    assert begin_times(plan) == times


def test_roles_come_in_their_proportions() -> None:
    chosen = roles(LoadPlan("", slow_readers=0.25), 8)
    assert (chosen.count(Role.SLOW_READER), chosen.count(Role.PLAIN)) == (2, 6)
    assert roles(LoadPlan("", interrupters=0.5), 8).count(Role.INTERRUPTER) == 4
    assert set(roles(LoadPlan(""), 8)) == {Role.PLAIN}


async def test_where_one_character_fails_the_others_are_removed(tmp_path: Path) -> None:
    painter = Moody()
    painter.may_paint.clear()
    imagegen = ServiceSettings(address=f"unix:{tmp_path}/imagegen.sock")
    async with serving(imagegen, painter.build) as imagegen_address:
        settings = GatewaySettings(
            address=f"unix:{tmp_path}/gateway.sock",
            imagegen_address=imagegen_address,
            store_url=f"file://{tmp_path}/store",
        )
        async with serving(settings, build) as address, Client(address) as client:

            async def prepare() -> None:
                async with characters_for(LoadPlan(address, mix=Mix.CROWD), 2):
                    raise AssertionError("one character failed")

            preparing = asyncio.create_task(prepare())
            # The boy is refused at once, the girl is still being painted.
            done, _ = await asyncio.wait({preparing}, timeout=0.5)
            assert not done
            painter.may_paint.set()
            with pytest.raises(InvalidArgumentError, match="boys"):
                await preparing
            request = gateway.ListCharactersRequest()
            assert not [character async for character in client.list_characters(request)]


def test_recordings_come_with_their_text_and_again_at_other_speeds(tmp_path: Path) -> None:
    _record(tmp_path / "short.wav", 2.0, rate=8000)
    (tmp_path / "short.txt").write_text("Hello.\n", encoding="utf-8")
    _record(tmp_path / "zlong.wav", 10.0, rate=16000)
    speech = RecordedSpeech.of([tmp_path])

    assert (speech.line(0).text, speech.line(1).text) == ("Hello.", "")
    assert speech.line(0).duration_s == pytest.approx(2.0, abs=0.01)
    assert speech.line(1).duration_s == pytest.approx(4.0, abs=0.01)
    assert speech.line(5) == speech.line(5)
    seen = {speech.line(n).samples for n in range(0, 40, 4)}
    assert len(seen) == 10


def test_the_example_is_speech_enough() -> None:
    line = speech_for(1, [ROOT / "examples"]).line(0)
    assert line.text.startswith("Hello!")
    assert line.duration_s == pytest.approx(6.38, abs=0.01)


def test_without_recordings_and_synthesiser_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no recordings"):
        speech_for(1, [tmp_path])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="espeak-ng"):
        speech_for(1, [])


def test_sentences_are_sentences() -> None:
    said = {sentence(random.Random(n)) for n in range(50)}
    assert len(said) > 45
    assert all(text[0].isupper() and text.endswith(".") for text in said)


def _record(path: Path, seconds: float, rate: int) -> None:
    chance = random.Random(str(path.name))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(chance.randbytes(2 * int(seconds * rate)))
