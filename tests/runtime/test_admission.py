from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_contract import ResourceExhaustedError
from kuchipaku_runtime import Admission, Metrics


async def hold(admission: Admission, release: asyncio.Event, log: list[str], name: str) -> None:
    async with admission.slot():
        log.append(name)
        await release.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_finds_no_slot_and_no_place_is_refused_at_once():
    admission = Admission("sessions", capacity=1, queue_limit=1, retry_after_s=3)
    log: list[str] = []
    release = asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, release, log, name)) for name in "ab"]
    await settle()

    assert (admission.used, admission.queued) == (1, 1)
    with pytest.raises(ResourceExhaustedError) as caught:
        async with admission.slot():
            pass
    assert caught.value.reason == "QUEUE_FULL"
    assert caught.value.retry_after_s == 6.0
    assert caught.value.metadata["capacity"] == "1"
    release.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "b"]
    assert (admission.used, admission.queued) == (0, 0)


async def test_slots_go_by_order_of_arrival():
    admission = Admission("sessions", capacity=1, queue_limit=10)
    log: list[str] = []
    release = asyncio.Event()
    release.set()
    async with admission.slot():
        tasks = [asyncio.create_task(hold(admission, release, log, name)) for name in "abcdef"]
        await settle()
    await asyncio.gather(*tasks)

    assert log == list("abcdef")


async def test_waiting_too_long_is_refused():
    admission = Admission("sessions", capacity=1, queue_limit=1, max_wait_s=0.01)
    async with admission.slot():
        with pytest.raises(ResourceExhaustedError) as caught:
            async with admission.slot():
                pass
        assert caught.value.reason == "QUEUE_TIMEOUT"
    assert (admission.used, admission.queued) == (0, 0)


@settings(deadline=None)
@given(
    capacity=st.integers(1, 3),
    queue_limit=st.integers(0, 4),
    steps=st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel"]), st.integers(0, 9))),
)
def test_no_slot_is_ever_lost_or_doubled(capacity, queue_limit, steps):
    async def play() -> None:
        admission = Admission("sessions", capacity, queue_limit)
        inside: dict[asyncio.Task[None], asyncio.Event] = {}
        tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = []

        async def guest(release: asyncio.Event) -> None:
            async with admission.slot():
                me = asyncio.current_task()
                assert me is not None
                inside[me] = release
                try:
                    await release.wait()
                finally:
                    del inside[me]

        for step, which in steps:
            if step == "enter":
                release = asyncio.Event()
                tasks.append((asyncio.create_task(guest(release)), release))
            elif tasks:
                task, release = tasks[which % len(tasks)]
                if step == "leave":
                    release.set()
                else:
                    task.cancel()
            if which % 2:
                await settle()
                assert admission.used == len(inside) <= capacity
                assert admission.queued <= queue_limit
        for _, release in tasks:
            release.set()
        results = await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        allowed = (ResourceExhaustedError, asyncio.CancelledError)
        assert all(result is None or isinstance(result, allowed) for result in results)
        assert (admission.used, admission.queued) == (0, 0)

    asyncio.run(play())


async def test_admissions_are_measured_apart_by_name():
    metrics = Metrics("test")
    first = Admission("first", 2, metrics=metrics)
    second = Admission("second", 1, metrics=metrics)
    value = metrics.registry.get_sample_value
    async with first.slot(), second.slot():
        assert value("kuchipaku_test_admission_used", {"admission": "first"}) == 1
        with pytest.raises(ResourceExhaustedError):
            async with second.slot():
                pass
    assert value("kuchipaku_test_admission_capacity", {"admission": "first"}) == 2
    assert value("kuchipaku_test_admission_used", {"admission": "first"}) == 0
    assert value("kuchipaku_test_admission_admitted_total", {"admission": "second"}) == 1
    assert (
        value(
            "kuchipaku_test_admission_refused_total",
            {"admission": "second", "reason": "QUEUE_FULL"},
        )
        == 1
    )


@pytest.mark.parametrize(("capacity", "queue_limit"), [(0, 0), (1, -1)])
def test_sizes_are_checked(capacity, queue_limit):
    with pytest.raises(ValueError, match="capacity"):
        Admission("x", capacity, queue_limit)
