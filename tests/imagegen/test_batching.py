"""One device, one batch at a time, and only what is still wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import numpy as np
import pytest

from kuchipaku_contract.errors import UnavailableError
from kuchipaku_imagegen.backends import Drawing, Order
from kuchipaku_imagegen.backends.batching import Device, Job
from kuchipaku_imagegen.threads import StoppedError

_LIMIT_S = 10
Rgba = np.ndarray


class _Told:
    """Hears of progress, and may have enough of it."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.enough = threading.Event()

    def __call__(self, index: int, step: int, step_count: int, preview: Rgba | None = None) -> None:
        self.check()
        self.steps.append((index, step, step_count))

    def check(self) -> None:
        if self.enough.is_set():
            raise StoppedError


class _Easel:
    """Draws a picture whose colour is its seed, step by step, as the test lets it."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.started: SimpleQueue[list[int]] = SimpleQueue()
        self.may_step = threading.Semaphore(0)
        self.steps_done = 0

    def run(self, jobs: list[Job]) -> list[Rgba]:
        self.started.put([job.seed for job in jobs])
        for step in range(2):
            assert self.may_step.acquire(timeout=_LIMIT_S)
            self.device.progress(jobs, step + 1, 2, None)
            self.steps_done += 1
        return [np.full((2, 2, 4), job.seed, np.uint8) for job in jobs]


def _order(seed: int, count: int = 1) -> Order:
    return Order("girl", "", seed, count)


def _in_thread(drawings: Iterator[Drawing]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def collect() -> None:
        try:
            results.extend(drawings)
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=collect)
    thread.start()
    return thread, results


def test_pictures_of_equal_settings_share_a_batch() -> None:
    device = Device(batch_limit=3)
    easel, told = _Easel(device), _Told()
    first, _ = _in_thread(device.draw(_order(1), "other", easel.run, told))
    assert easel.started.get(timeout=_LIMIT_S) == [1]
    # While the device is busy, two callers ask for the same and one for something else.
    threads = [
        _in_thread(device.draw(_order(10, 2), "same", easel.run, _Told())),
        _in_thread(device.draw(_order(50), "else", easel.run, _Told())),
        _in_thread(device.draw(_order(20, 2), "same", easel.run, _Told())),
    ]
    while len(device.waiting) < 5:
        threads[0][0].join(0.01)
    for _ in range(20):
        easel.may_step.release()
    for thread in (first, *(thread for thread, _ in threads)):
        thread.join(_LIMIT_S)
    batches = [easel.started.get(timeout=_LIMIT_S) for _ in range(3)]
    same = [batch for batch in batches if 50 not in batch]
    assert [50] in batches
    assert sorted(len(batch) for batch in same) == [1, 3]
    drawn = [[one.seed for one in results] for _, results in threads]  # type: ignore[attr-defined]
    assert drawn == [[10, 11], [50], [20, 21]]
    device.close()


def test_pictures_are_those_of_their_seeds_and_steps_are_told() -> None:
    device = Device(batch_limit=2)
    easel, told = _Easel(device), _Told()
    for _ in range(4):
        easel.may_step.release()
    drawings = list(device.draw(_order(7, 3), "key", easel.run, told))
    assert [drawing.seed for drawing in drawings] == [7, 8, 9]
    assert [int(drawing.pixels[0, 0, 0]) for drawing in drawings] == [7, 8, 9]
    assert told.steps == [(0, 1, 2), (1, 1, 2), (0, 2, 2), (1, 2, 2), (2, 1, 2), (2, 2, 2)]
    device.close()


def test_a_batch_that_nobody_wants_ends_at_its_next_step() -> None:
    device = Device(batch_limit=4)
    easel, told = _Easel(device), _Told()
    thread, results = _in_thread(device.draw(_order(1, 2), "key", easel.run, told))
    assert easel.started.get(timeout=_LIMIT_S) == [1, 2]
    told.enough.set()
    thread.join(_LIMIT_S)
    assert isinstance(results[0], StoppedError)
    easel.may_step.release()
    for _ in range(2):
        easel.may_step.release()
    assert [one.seed for one in device.draw(_order(9), "key", easel.run, _Told())] == [9]
    # None of the steps of the first batch was completed.
    assert easel.steps_done == 2
    device.close()


def test_a_failure_reaches_who_waits_and_the_device_goes_on() -> None:
    device = Device(batch_limit=4)

    def fail(jobs: list[Job]) -> list[Rgba]:
        raise ValueError("no paint")

    with pytest.raises(ValueError, match="no paint"):
        list(device.draw(_order(1, 2), "key", fail, _Told()))
    easel = _Easel(device)
    for _ in range(2):
        easel.may_step.release()
    assert len(list(device.draw(_order(1), "key", easel.run, _Told()))) == 1
    device.close()


def test_a_closed_device_draws_no_more() -> None:
    device = Device(batch_limit=4)
    device.close()
    with pytest.raises(UnavailableError):
        list(device.draw(_order(1), "key", lambda jobs: [], _Told()))


def test_a_runner_that_loses_pictures_fails_its_callers_alone() -> None:
    device = Device(batch_limit=3)
    with pytest.raises(RuntimeError, match="0 pictures for 1"):
        list(device.draw(_order(1), "key", lambda jobs: [], _Told()))
    pictures = [np.zeros((2, 2, 4), np.uint8)]
    assert len(list(device.draw(_order(2), "key", lambda jobs: pictures, _Told()))) == 1
    device.close()
