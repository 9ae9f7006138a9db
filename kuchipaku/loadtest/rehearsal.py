"""A crowd's lines, spoken once before the run: recurring means that they have been heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import session_pb2

from .plan import LoadPlan
from .session import SessionSpec, line_requests, speak_config
from .speech import Line

_AT_A_TIME = 2


def repertoire(specs: Iterable[SessionSpec]) -> dict[str, list[Line]]:
    """What each character says, every line once."""
    lines: dict[str, dict[bytes, Line]] = {}
    for spec in specs:
        own = lines.setdefault(spec.character, {})
        own.update((line.samples, line) for line in spec.lines)
    return {character: list(own.values()) for character, own in lines.items()}


async def rehearse(plan: LoadPlan, parts: Mapping[str, Sequence[Line]]) -> None:
    """Have everything spoken, as fast as it goes. Raises `KuchipakuError`."""
    gate = asyncio.Semaphore(_AT_A_TIME)
    async with Client(plan.target, api_key=plan.api_key) as client:

        async def play(character: str, lines: Sequence[Line]) -> None:
            async with gate, aclosing(client.speak(_requests(plan, character, lines))) as answers:
                async for _ in answers:
                    pass

        async with asyncio.TaskGroup() as tasks:
            for character, lines in parts.items():
                tasks.create_task(play(character, lines))


async def _requests(
    plan: LoadPlan, character: str, lines: Sequence[Line]
) -> AsyncIterator[gateway.SpeakRequest]:
    config = speak_config(plan, character)
    config.pacing = session_pb2.PACING_FASTEST
    yield gateway.SpeakRequest(config=config)
    for number, line in enumerate(lines):
        for request in line_requests(plan, line, f"rehearsal-{number}"):
            yield request
