"""The processes that run the sessions."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from .plan import LoadPlan
from .record import GeneratorRecord
from .session import LoadSession, SessionSpec

_TICK_S = 0.02


async def generate(plan: LoadPlan, specs: Sequence[SessionSpec]) -> GeneratorRecord:
    """Run the sessions in as many processes as the plan says; the records together."""
    shares = [specs[start :: plan.processes] for start in range(plan.processes)]
    loop = asyncio.get_running_loop()
    # Not forked: gRPC's threads do not survive that.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(plan.processes, mp_context=spawn) as pool:
        running = [loop.run_in_executor(pool, run_share, plan, share) for share in shares if share]
        parts = await asyncio.gather(*running)
    whole = GeneratorRecord()
    for part in parts:
        whole.sessions += part.sessions
        whole.loop_lag_s += part.loop_lag_s
        whole.cpu_s += part.cpu_s
    whole.sessions.sort(key=lambda session: session.number)
    return whole


def run_share(plan: LoadPlan, specs: Sequence[SessionSpec]) -> GeneratorRecord:
    """Run some sessions in this process."""
    begun = time.process_time()
    record = asyncio.run(_run(plan, specs))
    record.cpu_s = time.process_time() - begun
    return record


async def _run(plan: LoadPlan, specs: Sequence[SessionSpec]) -> GeneratorRecord:
    record = GeneratorRecord()
    watching = asyncio.create_task(_watch(record))
    try:
        sessions = (LoadSession(plan, spec).run() for spec in specs)
        record.sessions = list(await asyncio.gather(*sessions))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return record


async def _watch(record: GeneratorRecord) -> None:
    while True:
        wanted = time.monotonic() + _TICK_S
        await asyncio.sleep(_TICK_S)
        record.loop_lag_s.append(max(0.0, time.monotonic() - wanted))
