"""One device, one job at a time: pictures of equal settings are drawn together.

Callers hand in pictures and hear of each; a thread of its own draws batch after batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import UnavailableError

from .base import Drawing, Order, Progress

Rgba = NDArray[np.uint8]
_POLL_S: Final = 0.1


class AbandonedError(Exception):
    """Nobody waits for the batch any more."""


@dataclass(frozen=True, slots=True)
class _Step:
    step: int
    step_count: int
    preview: Rgba | None


@dataclass(frozen=True, slots=True)
class _Done:
    pixels: Rgba | None
    error: BaseException | None = None


@dataclass(eq=False)
class Job:
    """One picture to draw."""

    key: Hashable
    """Jobs of one key can share a batch."""
    order: Order
    index: int
    events: SimpleQueue[tuple[Job, _Step | _Done]]
    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def seed(self) -> int:
        """The seed of this picture."""
        return self.order.seed + self.index

    def report(self, step: int, step_count: int, preview: Rgba | None = None) -> None:
        """Tell the caller of a step."""
        self.events.put((self, _Step(step, step_count, preview)))


Runner = Callable[[list[Job]], list[Rgba]]
"""Draws a batch; calls `Device.progress` at every step."""


class Device:
    """A thread that draws batches, one at a time."""

    def __init__(self, batch_limit: int) -> None:
        """`batch_limit`: pictures in a batch at most."""
        self._limit = batch_limit
        self._waiting: deque[tuple[Job, Runner]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.batches: list[int] = []
        """Sizes of the batches drawn so far, for tests and statistics; the last hundred."""

    @property
    def waiting(self) -> list[int]:
        """Seeds of the pictures that wait for a batch."""
        with self._changed:
            return [job.seed for job, _ in self._waiting]

    def draw(
        self, order: Order, key: Hashable, run: Runner, on_progress: Progress
    ) -> Iterator[Drawing]:
        """Yield the pictures of `order` as they are done. What `on_progress` raises ends it."""
        events: SimpleQueue[tuple[Job, _Step | _Done]] = SimpleQueue()
        jobs = [Job(key, order, index, events) for index in range(order.image_count)]
        self._submit(jobs, run)
        left = len(jobs)
        try:
            while left:
                on_progress.check()
                try:
                    job, event = events.get(timeout=_POLL_S)
                except Empty:
                    continue
                if isinstance(event, _Step):
                    on_progress(job.index, event.step, event.step_count, event.preview)
                elif event.pixels is None:
                    raise event.error or RuntimeError("a picture without pixels or an error")
                else:
                    left -= 1
                    yield Drawing(event.pixels, job.seed, index=job.index)
        finally:
            for job in jobs:
                job.abandoned.set()

    def progress(
        self, jobs: list[Job], step: int, step_count: int, previews: list[Rgba] | None
    ) -> None:
        """Tell the callers of a batch of a step. Raises `AbandonedError` when none is left."""
        if all(job.abandoned.is_set() for job in jobs):
            raise AbandonedError
        for index, job in enumerate(jobs):
            job.report(step, step_count, previews[index] if previews else None)

    def close(self) -> None:
        """Draw no more: waiting jobs fail, the running batch is waited for."""
        with self._changed:
            self._closed = True
            for job, _ in self._waiting:
                job.events.put((job, _Done(None, _closing())))
            self._waiting.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _submit(self, jobs: list[Job], run: Runner) -> None:
        with self._changed:
            if self._closed:
                raise _closing()
            self._waiting.extend((job, run) for job in jobs)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="images", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            jobs, run = batch
            self.batches = [*self.batches[-99:], len(jobs)]
            try:
                pictures = run(jobs)
                if len(pictures) != len(jobs):
                    raise RuntimeError(f"{len(pictures)} pictures for {len(jobs)} orders")
                results = [_Done(pixels) for pixels in pictures]
            except AbandonedError:
                continue
            except BaseException as error:  # goes to whoever waits for it
                results = [_Done(None, error)] * len(jobs)
            for job, result in zip(jobs, results, strict=True):
                job.events.put((job, result))

    def _next(self) -> tuple[list[Job], Runner] | None:
        """The next batch: the first job that waits, and others of its key."""
        with self._changed:
            while True:
                self._waiting = deque(
                    (job, run) for job, run in self._waiting if not job.abandoned.is_set()
                )
                if self._waiting:
                    break
                if self._closed:
                    return None
                self._changed.wait()
            key, run = self._waiting[0][0].key, self._waiting[0][1]
            chosen = [job for job, _ in self._waiting if job.key == key][: self._limit]
            taken = set(map(id, chosen))
            self._waiting = deque(pair for pair in self._waiting if id(pair[0]) not in taken)
            return chosen, run


def _closing() -> UnavailableError:
    return UnavailableError("The service is stopping.", reason="SERVICE_STOPPING")
