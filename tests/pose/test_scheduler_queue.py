"""The queue alone, at times that the tests choose."""

from __future__ import annotations

import pytest

from kuchipaku_contract.errors import ResourceExhaustedError
from kuchipaku_pose.scheduler import Dispatcher, Job, Kind, Share
from tests.pose.fakework import Steps
from tests.pose.simulation import CostUnit


def unit(max_batch: int = 4, *, on_device: bool = True) -> CostUnit:
    return CostUnit("stage", 0.01, 0.01, max_batch, on_device)


def job(due: float = 10.0, *, expires: float | None = None, arrived: float = 0.0) -> Job:
    return Job(Steps([]), Share(), due, expires, arrived)


def bulk(share: Share, due: float) -> Job:
    return Job(Steps([]), share, due, None, 0.0, kind=Kind.BULK)


def live(share: Share, due: float) -> Job:
    return Job(Steps([]), share, due, due + 1.0, 0.0)


def begun(times: int) -> Share:
    share = Share()
    for _ in range(times):
        share.add(0.0)
    return share


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


def taught(*seconds: float) -> tuple[Dispatcher, CostUnit]:
    """Return a queue that has seen jobs which took so long, the last one until 10.0."""
    queue, stage = Dispatcher(100), unit(max_batch=1)
    for i, taken_s in enumerate(seconds):
        end = 10.0 - (len(seconds) - 1 - i) * 0.01
        one = job(due=20.0, expires=20.0, arrived=end - taken_s)
        queue.put(one, stage, end - taken_s)
        assert taken(queue, end - taken_s) == [one]
        queue.finished(one, end)
    return queue, stage


def test_a_job_that_a_worker_is_free_for_is_begun_however_little_time_is_left() -> None:
    queue, stage = taught(0.04, 0.3, 0.3, 0.3, 0.3)
    one = job(due=10.11, expires=10.21, arrived=10.1)
    queue.put(one, stage, 10.1)
    batch = queue.take(10.101, device=True, host=True, idle_s=0.05)
    assert (batch.jobs, batch.expired) == ([one], [])


def test_a_job_for_which_even_the_fastest_is_too_slow_is_not_begun() -> None:
    queue, stage = taught(0.25, 0.3, 0.3, 0.3, 0.3)
    one = job(due=10.11, expires=10.21, arrived=10.1)
    queue.put(one, stage, 10.1)
    batch = queue.take(10.101, device=True, host=True, idle_s=0.05)
    assert (batch.jobs, batch.expired) == ([], [one])


@pytest.mark.parametrize("accidents", [1, 2])
def test_a_few_slow_jobs_are_not_what_jobs_take(accidents: int) -> None:
    queue, stage = taught(*[0.04] * 5, *[0.6] * accidents)
    one = job(due=10.0, expires=10.1)
    queue.put(one, stage, 9.9)
    # A worker that was busy until now: the job has waited for it.
    assert taken(queue, 10.0) == [one]


def test_what_jobs_took_before_a_pause_is_forgotten() -> None:
    queue, stage = taught(*[0.3] * 9)
    quick = job(due=12.0, expires=12.1, arrived=12.0)
    queue.put(quick, stage, 12.0)
    assert taken(queue, 12.0) == [quick]
    queue.finished(quick, 12.04)
    one = job(due=12.1, expires=12.15)
    queue.put(one, stage, 12.1)
    assert taken(queue, 12.1) == [one]


@pytest.mark.parametrize(("idle_s", "begun_late"), [(0.0, False), (0.03, False), (0.05, True)])
def test_what_was_shed_is_no_overload_where_a_worker_had_time_for_it(
    idle_s: float, begun_late: bool
) -> None:
    queue, stage = taught(*[0.04] * 5)
    hopeless = job(due=9.9, expires=10.0, arrived=9.8)
    queue.put(hopeless, stage, 9.8)
    assert queue.take(10.0, device=True, host=True).expired == [hopeless]
    assert queue.take(10.1, device=True, host=True, idle_s=idle_s).jobs == []
    late = job(due=10.22, expires=10.32, arrived=10.1)
    queue.put(late, stage, 10.1)
    assert (taken(queue, 10.2) == [late]) == begun_late


def test_while_there_are_too_many_a_job_may_wait_as_long_as_one_takes() -> None:
    queue, stage = taught(*[0.04] * 5)
    hopeless = job(due=9.9, expires=10.0, arrived=9.8)
    queue.put(hopeless, stage, 9.8)
    assert queue.take(10.0, device=True, host=True).expired == [hopeless]
    waited, patient = (job(due=10.03, expires=10.13, arrived=at) for at in (10.01, 9.98))
    queue.put(patient, stage, 9.98)
    queue.put(waited, stage, 10.01)
    batch = queue.take(10.04, device=True, host=True)
    assert (batch.jobs, batch.expired) == ([waited], [patient])


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


def test_an_overdue_frame_goes_before_a_live_one_of_a_lane_that_has_had_more() -> None:
    queue, stage = Dispatcher(100), unit(max_batch=1)
    frames = [live(begun(3), 10.1), bulk(begun(2), 9.0), live(begun(1), 10.2), bulk(begun(4), 8.0)]
    for one in frames:
        queue.put(one, stage, 0.0)
    order = [taken(queue, 10.0)[0] for _ in frames]
    assert [frames.index(one) for one in order] == [2, 1, 0, 3]


def test_a_frame_that_is_due_later_gives_way_to_live_ones_whatever_they_have_had() -> None:
    queue, stage = Dispatcher(100), unit(max_batch=1)
    later, first = bulk(begun(1), 11.0), live(begun(9), 10.1)
    for one in (later, first):
        queue.put(one, stage, 0.0)
    assert [taken(queue, 10.0), taken(queue, 10.0)] == [[first], [later]]


def test_lanes_contest_across_stages() -> None:
    queue, stages = Dispatcher(100), (unit(), unit())
    greedy, overdue = live(begun(3), 10.1), bulk(begun(2), 9.0)
    queue.put(greedy, stages[0], 0.0)
    queue.put(overdue, stages[1], 0.0)
    assert [taken(queue, 10.0), taken(queue, 10.0)] == [[overdue], [greedy]]


def test_a_live_frame_that_has_begun_comes_to_its_end_before_overdue_ones_begin() -> None:
    queue, stages = Dispatcher(100), (unit(max_batch=1), unit(max_batch=1))
    frame = live(begun(1), 10.1)
    queue.put(frame, stages[0], 0.0)
    assert taken(queue, 10.0) == [frame]
    overdue = bulk(Share(), 9.0)
    queue.put(overdue, stages[0], 10.0)
    queue.put(frame, stages[1], 10.0)
    assert [taken(queue, 10.0), taken(queue, 10.0)] == [[frame], [overdue]]


def test_calls_go_before_what_begins_and_count_as_no_frame() -> None:
    queue, stage = Dispatcher(100), unit(max_batch=1)
    one, other = Share(), Share()
    call = Job(Steps([]), one, 10.0, None, 10.0, kind=Kind.CALL)
    frames = [bulk(one, 9.0), bulk(other, 9.0)]
    for each in (*frames, call):
        queue.put(each, stage, 10.0)
    assert [taken(queue, 10.0) for _ in range(3)] == [[call], [frames[0]], [frames[1]]]
