"""Who speaks, what, and when: the sessions of a plan, with their characters on the gateway."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku_contract.errors import KuchipakuError

from .plan import LoadPlan, Mix
from .record import Role
from .session import SessionSpec
from .speech import Line, Speech

CROWD_CHARACTERS = 8
CROWD_LINES_EACH = 3
"""Lines that a character of the crowd has, as voiced by one actor."""
_CREATIONS_AT_A_TIME = 2
_LINES_IN_A_ROUND = 100_000
_LEAD_IN_S = 3.0
"""For the generator's processes to start."""
_LOOKS = (
    "girl, silver hair, red eyes", "boy, messy black hair, green eyes", "girl, pink twin tails",
    "girl, cat ears, brown hair", "boy, short blue hair, glasses", "girl, long blonde hair",
    "girl, green bob hair, hair ribbon", "boy, white hair, hoodie",
)  # fmt: skip


def make_lines(plan: LoadPlan, speech: Speech, sessions: int) -> list[list[Line]]:
    """The lines of each session: all different, or its character's few in an order of its own."""
    if plan.mix is Mix.CROWD:
        lines = [
            replace(speech.line(n), seed=n + 1) for n in range(CROWD_CHARACTERS * CROWD_LINES_EACH)
        ]
        crowd = [lines[n::CROWD_CHARACTERS] for n in range(CROWD_CHARACTERS)]
        turns = [random.Random(f"{plan.seed}/{n}") for n in range(sessions)]  # noqa: S311
        return [
            turn.sample(crowd[n % CROWD_CHARACTERS], CROWD_LINES_EACH)
            for n, turn in enumerate(turns)
        ]
    need_s = plan.duration_s + plan.line_latency_s
    # Services that have been up for a while may know the lines of an earlier run.
    numbers = itertools.count(plan.round * _LINES_IN_A_ROUND)
    all_lines: list[list[Line]] = []
    for _ in range(sessions):
        own: list[Line] = []
        while sum(line.duration_s + plan.pause_s for line in own) < need_s:
            own.append(speech.line(next(numbers)))
        all_lines.append(own)
    return all_lines


def begin_times(plan: LoadPlan) -> list[tuple[float, float]]:
    """Begin and end of each session, in seconds from the start of the run.

    A fixed number of sessions begins spread over the first second, so that their lines do not
    come in step; arrivals are a Poisson process, and the sessions' lengths are exponential.
    """
    chance = random.Random(plan.seed)  # noqa: S311 - not for secrets
    if plan.arrivals_per_s is None:
        spread = min(1.0, plan.duration_s / 4)
        begins = sorted(chance.uniform(0, spread) for _ in range(plan.sessions))
        return [(begin, plan.duration_s) for begin in begins]
    times: list[tuple[float, float]] = []
    at = chance.expovariate(plan.arrivals_per_s)
    while at < plan.duration_s:
        length = chance.expovariate(1 / plan.mean_session_s())
        times.append((at, min(plan.duration_s, at + length)))
        at += chance.expovariate(plan.arrivals_per_s)
    return times


def roles(plan: LoadPlan, count: int) -> list[Role]:
    """Roles in the plan's proportions, spread evenly."""
    chosen = []
    for number in range(count):
        if _steps(plan.slow_readers, number):
            chosen.append(Role.SLOW_READER)
        elif _steps(plan.interrupters, number):
            chosen.append(Role.INTERRUPTER)
        else:
            chosen.append(Role.PLAIN)
    return chosen


def make_specs(
    plan: LoadPlan, lines: Sequence[Sequence[Line]], characters: Sequence[str]
) -> list[SessionSpec]:
    """The sessions, beginning a few seconds from now."""
    start = time.monotonic() + _LEAD_IN_S
    times = begin_times(plan)
    return [
        SessionSpec(
            number,
            role,
            characters[number % len(characters)],
            lines[number % len(lines)],
            start + begin,
            start + end,
        )
        for number, ((begin, end), role) in enumerate(
            zip(times, roles(plan, len(times)), strict=True)
        )
    ]


@asynccontextmanager
async def characters_for(plan: LoadPlan, count: int) -> AsyncIterator[list[str]]:
    """Names of the characters that the sessions have; removed afterwards."""
    many = count if plan.mix is Mix.DISTINCT else min(CROWD_CHARACTERS, count)
    gate = asyncio.Semaphore(_CREATIONS_AT_A_TIME)
    names: list[str] = []
    async with Client(plan.target, api_key=plan.api_key) as client:
        try:
            making = [_create(client, gate, plan, number) for number in range(many)]
            made = await asyncio.gather(*making, return_exceptions=True)
            # Those made are removed, should one fail.
            names += [name for name in made if isinstance(name, str)]
            for failure in made:
                if isinstance(failure, BaseException):
                    raise failure
            # A fixed order, so that a session's number tells its character.
            yield sorted(names)
        finally:
            for name in names:
                with suppress(KuchipakuError):
                    await client.delete_character(name)


async def _create(client: Client, gate: asyncio.Semaphore, plan: LoadPlan, number: int) -> str:
    look, seed = _LOOKS[number % len(_LOOKS)], number + 1
    if plan.mix is Mix.DISTINCT:
        # Nobody, the run before included, has had this picture.
        seed = (plan.seed * 100_003 + number * 31 + time.time_ns() // 1_000_000) % 2**31
    prompt = gateway.PromptSource(prompt=look, seed=seed)
    request = gateway.CreateCharacterRequest(
        prompt=prompt, display_name="load test", labels={"purpose": "loadtest"}
    )
    async with gate:
        result = await client.create_character(request)
    return result.character.name


def _steps(fraction: float, number: int) -> bool:
    before, now = ((number + n) * fraction for n in (0, 1))
    return int(now + 1e-9) > int(before + 1e-9)
