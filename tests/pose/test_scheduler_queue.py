"""The queue alone, at times that the tests choose."""

from __future__ import annotations

import pytest

from kuchipaku_contract.errors import ResourceExhaustedError
from kuchipaku_pose.scheduler import Dispatcher, Job, Share
from tests.pose.fakework import Steps
from tests.pose.simulation import CostUnit


def unit(max_batch: int = 4, *, on_device: bool = True) -> CostUnit:
    return CostUnit("stage", 0.01, 0.01, max_batch, on_device)


def job(due: float = 10.0, *, expires: float | None = None, arrived: float = 0.0) -> Job:
    return Job(Steps([]), Share(), due, expires, arrived)


def taken(queue: Dispatcher, now: float) -> list[Job]:
    return queue.take(now, device=True, host=True).jobs


def test_a_batch_waits_for_company_no_longer_than_allowed() -> None:
    queue, stage = Dispatcher(100, max_delay_s=0.5), unit()
    first = job()
    queue.put(first, stage, 0.0)
    waiting = queue.take(0.1, device=True, host=True)
    assert (waiting.jobs, waiting.wait_until) == ([], 0.5)
    second = job(arrived=0.3)
    queue.put(second, stage, 0.3)
    assert taken(queue, 0.4) == []
    assert taken(queue, 0.5) == [first, second]


def test_a_full_batch_leaves_at_once() -> None:
    queue, stage = Dispatcher(100, max_delay_s=0.5), unit(max_batch=2)
    jobs = [job() for _ in range(3)]
    for one in jobs:
        queue.put(one, stage, 0.0)
    assert taken(queue, 0.0) == jobs[:2]
    assert taken(queue, 0.0) == []


def test_no_batch_waits_beyond_the_time_one_of_its_jobs_is_due() -> None:
    queue, stage = Dispatcher(100, max_delay_s=0.5), unit()
    queue.put(job(due=9.0), stage, 0.0)
    assert taken(queue, 0.1) == []
    urgent = job(due=0.2)
    queue.put(urgent, stage, 0.1)
    assert urgent in taken(queue, 0.2)


def test_while_one_stage_waits_for_company_another_one_runs() -> None:
    queue, held, ready = Dispatcher(100, max_delay_s=0.5), unit(), unit(max_batch=1)
    queue.put(job(due=1.0), held, 0.0)
    other = job(due=5.0)
    queue.put(other, ready, 0.0)
    assert taken(queue, 0.0) == [other]


def test_waiting_counts_from_the_first_stage() -> None:
    queue, stages = Dispatcher(100, max_delay_s=0.5), (unit(), unit())
    one = job()
    queue.put(one, stages[0], 0.0)
    assert taken(queue, 0.5) == [one]
    queue.put(one, stages[1], 0.6)
    assert taken(queue, 0.6) == [one]
    assert one.waited == pytest.approx(0.5)


def test_a_thousand_withdrawn_jobs_leave_nothing_behind() -> None:
    queue, stage = Dispatcher(2000), unit()
    jobs = [job(due=float(i)) for i in range(1000)]
    for one in jobs:
        queue.put(one, stage, 0.0)
    stays = job(due=500.5)
    queue.put(stays, stage, 0.0)
    assert all(queue.withdraw(one) for one in jobs)
    assert queue.size == 1
    assert queue.waiting() == [stays]
    assert not queue.withdraw(jobs[0])
    assert taken(queue, 0.0) == [stays]


def test_a_full_queue_refuses_new_jobs_and_not_further_stages() -> None:
    queue, stage = Dispatcher(max_queued=1), unit()
    one = job()
    queue.put(one, stage, 0.0)
    with pytest.raises(ResourceExhaustedError):
        queue.check_room()
    running = job()
    queue.put(running, stage, 0.0)
    assert queue.size == 2


def test_what_cannot_be_finished_in_time_is_not_begun() -> None:
    queue, stage = Dispatcher(100), unit(max_batch=1)
    known = job(due=1.0, expires=2.0)
    queue.put(known, stage, 0.0)
    assert taken(queue, 0.0) == [known]
    queue.finished(known, 0.4)
    hopeless, fine = job(due=0.5, expires=0.7), job(due=0.95, expires=1.1)
    for one in (hopeless, fine):
        queue.put(one, stage, 0.4)
    batch = queue.take(0.45, device=True, host=True)
    assert (batch.expired, batch.jobs) == ([hopeless], [fine])


def test_a_device_found_slow_once_is_tried_again() -> None:
    queue, stage = Dispatcher(100), unit(max_batch=1)
    slow = job(due=1.0, expires=9.0)
    queue.put(slow, stage, 0.0)
    assert taken(queue, 0.0) == [slow]
    queue.finished(slow, 5.0)
    refused, tried = job(due=5.3, expires=5.4), job(due=7.0, expires=7.1)
    queue.put(refused, stage, 5.2)
    assert taken(queue, 5.2) == []
    queue.put(tried, stage, 6.9)
    assert taken(queue, 6.9) == [tried]


def test_once_begun_a_job_goes_on_until_it_expires() -> None:
    queue, stages = Dispatcher(100), (unit(), unit())
    one, two = (job(due=1.0, expires=2.0) for _ in range(2))
    for each in (one, two):
        queue.put(each, stages[0], 0.0)
    assert taken(queue, 0.0) == [one, two]
    queue.put(one, stages[1], 1.5)
    assert taken(queue, 1.5) == [one]
    queue.put(two, stages[1], 2.5)
    batch = queue.take(2.5, device=True, host=True)
    assert (batch.jobs, batch.expired) == ([], [two])


def test_workers_take_only_what_is_theirs() -> None:
    queue, device, host = Dispatcher(100), unit(), unit(on_device=False)
    one, two = job(), job()
    queue.put(one, device, 0.0)
    queue.put(two, host, 0.0)
    assert queue.take(0.0, device=False, host=True).jobs == [two]
    assert queue.take(0.0, device=False, host=True).jobs == []
    assert queue.take(0.0, device=True, host=False).jobs == [one]
