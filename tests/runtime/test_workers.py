from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract import (
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
)
from kuchipaku_runtime import Metrics, WorkerPool
from kuchipaku_runtime.request import request_id_var
from tests.runtime import jobs


@pytest.fixture
def herald(tmp_path: Path) -> Path:
    """Return a pipe through which a worker tells its process id."""
    path = tmp_path / "herald"
    os.mkfifo(path)
    return path


@pytest.fixture(params=[False, True], ids=["thread", "brief"])
def brief(request: pytest.FixtureRequest) -> bool:
    """Tell how jobs are handed over; nothing else depends on it."""
    return bool(request.param)


async def told(herald: Path) -> int:
    return int(await asyncio.to_thread(herald.read_text))


async def ends(process_id: int) -> None:
    """Wait until a process is gone."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process_id)
        try:
            await asyncio.to_thread(select.select, [handle], [], [])
        finally:
            os.close(handle)


async def collect(items: AsyncIterator[int], into: list[int]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401 - what came before an error counts


async def test_jobs_run_in_processes_of_their_own():
    async with WorkerPool("p", 2, initializer=jobs.set_up, initargs=("hello",)) as pool:
        numbers: set[int] = set()
        while len(numbers) < 2:  # the second starts while the first works already
            numbers |= set(await asyncio.gather(*(pool.run(jobs.process_id) for _ in range(2))))

        assert os.getpid() not in numbers
        # A session of their own: Ctrl-C in a terminal reaches the server alone.
        assert all(os.getsid(number) == number for number in numbers)
        assert await pool.run(jobs.word) == "hello"
        values = np.arange(2_000_000, dtype=np.float32)
        assert np.array_equal(await pool.run(jobs.double, values), values * 2)
    for number in numbers:
        await ends(number)


async def test_a_pool_closes_quietly_while_its_other_workers_start(caplog):
    async with WorkerPool("p", 3) as pool:
        await pool.run(jobs.process_id)

    assert not caplog.records


async def test_a_jobs_own_error_arrives_as_it_is_and_the_worker_lives_on(brief):
    async with WorkerPool("p", 1) as pool:
        before = await pool.run(jobs.process_id, brief=brief)
        with pytest.raises(InvalidArgumentError, match="Not so") as caught:
            await pool.run(jobs.refuse, brief=brief)
        assert (caught.value.reason, caught.value.field) == ("NOT_SO", "audio")
        assert caught.value.metadata == {"limit": "3"}
        for wrong in (jobs.crash, jobs.unpicklable):
            with pytest.raises(InternalError) as failed:
                await pool.run(wrong, brief=brief)
            assert failed.value.reason == "WORKER_JOB_FAILED"
            assert "secret" not in failed.value.message
            assert "Traceback" in str(failed.value.__cause__)
        with pytest.raises((AttributeError, TypeError)):
            await pool.run(jobs.double, threading.Lock(), brief=brief)
        assert await pool.run(jobs.process_id, brief=brief) == before


async def test_a_dead_worker_fails_its_own_job_alone_and_is_replaced(herald, brief):
    metrics = Metrics("test")
    async with WorkerPool("p", 2, queue_limit=2, metrics=metrics) as pool:
        hanging = asyncio.create_task(pool.run(jobs.announce_and_hang, herald, brief=brief))
        bystander = await told(herald)
        with pytest.raises(InternalError) as caught:
            await pool.run(jobs.die, brief=brief)
        assert caught.value.reason == "WORKER_DIED"
        successor = await pool.run(jobs.process_id, brief=brief)

        assert not hanging.done()
        os.kill(bystander, 0)
        assert successor != bystander
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    lost = metrics.registry.get_sample_value
    for cause in ("died", "cancelled"):
        labels = {"pool": "p", "cause": cause}
        assert lost("kuchipaku_test_workers_lost_total", labels) == 1


async def test_cancelling_kills_the_worker_in_the_midst_of_its_job(herald, brief):
    async with WorkerPool("p", 1) as pool:
        job = asyncio.create_task(pool.run(jobs.announce_and_hang, herald, brief=brief))
        number = await told(herald)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await ends(number)

        assert await pool.run(jobs.process_id, brief=brief) != number


async def test_a_job_over_its_time_limit_is_ended(brief):
    async with WorkerPool("p", 1, time_limit_s=60) as pool:
        before = await pool.run(jobs.process_id, brief=brief)
        with pytest.raises(DeadlineExceededError) as caught:
            await pool.run(jobs.hang, time_limit_s=0.05, brief=brief)
        assert caught.value.reason == "JOB_TIME_LIMIT"

        assert await pool.run(jobs.process_id, brief=brief) != before


async def test_the_queue_is_bounded(herald):
    async with WorkerPool("p", 1, queue_limit=1) as pool:
        running = asyncio.create_task(pool.run(jobs.announce_and_hang, herald))
        await told(herald)
        waiting = asyncio.create_task(pool.run(jobs.process_id))
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhaustedError) as caught:
            await pool.run(jobs.process_id)
        assert caught.value.reason == "QUEUE_FULL"
        running.cancel()

        assert await waiting


async def test_a_stream_shows_progress():
    async with WorkerPool("p", 1) as pool:
        before = await pool.run(jobs.process_id)
        assert [item async for item in pool.stream(jobs.count, 1000)] == list(range(1000))
        assert [item async for item in pool.stream(jobs.count, 0)] == []
        items: list[int] = []
        with pytest.raises(InvalidArgumentError):
            await collect(pool.stream(jobs.count_and_refuse, 3), items)
        assert items == [0, 1, 2]
        assert await pool.run(jobs.process_id) == before


async def test_a_worker_that_dies_in_a_stream_delivers_what_it_had_sent():
    async with WorkerPool("p", 1) as pool:
        items: list[int] = []
        with pytest.raises(InternalError):
            await collect(pool.stream(jobs.count_and_die, 3), items)
        assert items == [0, 1, 2]
        assert await pool.run(jobs.process_id)


async def test_leaving_a_stream_kills_its_worker():
    async with WorkerPool("p", 1) as pool:
        async with aclosing(pool.stream(jobs.count_forever)) as items:
            number = await anext(items)
            assert [await anext(items) for _ in range(3)] == [0, 1, 2]
        await ends(number)

        assert await pool.run(jobs.process_id) != number


async def test_a_worker_that_cannot_start_is_an_error_at_once():
    with pytest.raises(InternalError) as caught:
        async with WorkerPool("p", 2, initializer=jobs.fail_to_set_up):
            pass
    assert caught.value.reason == "WORKER_NOT_STARTED"
    assert "no such model" in str(caught.value.__cause__)


async def test_a_replacement_that_fails_is_tried_again_by_the_next_job(tmp_path):
    obstacle = tmp_path / "obstacle"
    async with WorkerPool("p", 1, initializer=jobs.set_up_unless, initargs=(obstacle,)) as pool:
        obstacle.touch()
        with pytest.raises(InternalError, match="died"):
            await pool.run(jobs.die)
        with pytest.raises(InternalError) as caught:
            await pool.run(jobs.process_id)
        assert caught.value.reason == "WORKER_NOT_STARTED"
        obstacle.unlink()

        assert await pool.run(jobs.process_id)


async def test_closing_ends_running_jobs_and_refuses_new_ones(herald):
    pool = WorkerPool("p", 1)
    async with pool:
        job = asyncio.create_task(pool.run(jobs.announce_and_hang, herald))
        number = await told(herald)
    with pytest.raises(InternalError):
        await job
    await ends(number)
    with pytest.raises(UnavailableError):
        await pool.run(jobs.process_id)


async def test_a_job_knows_the_request_that_it_serves():
    async with WorkerPool("p", 1) as pool:
        token = request_id_var.set("line-42")
        assert await pool.run(jobs.request_id) == "line-42"
        request_id_var.reset(token)


PROGRAM = """
import asyncio, os, sys
from kuchipaku_runtime import LogOptions, WorkerPool, configure_logging
from tests.runtime import jobs

async def serve():
    configure_logging(LogOptions("probe"))
    async with WorkerPool("p", 1) as pool:
        await pool.run(jobs.log, "from the worker")
        print(await pool.run(jobs.process_id), flush=True)
        await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(serve())
"""


def test_workers_log_as_the_server_and_end_with_it(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, file],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        number = int(server.stdout.readline())
        entry = json.loads(server.stderr.readline())
        server.kill()
        asyncio.run(ends(number))

    assert entry["message"] == "from the worker"
    assert entry["service"] == "probe"
