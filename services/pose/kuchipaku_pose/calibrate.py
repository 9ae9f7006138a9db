"""How many runs side by side, on how many threads, in batches of which size: measured.

The choice is apart from the measuring, so that it can be tested without a clock.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.engine.selftest import probe_picture
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.scheduler import Scheduler
from kuchipaku_pose.view import make_view

_LOG = logging.getLogger(__name__)

GAIN = 1.2
"""A choice other than the plain one must be this much faster: measurements vary."""
BATCH_GAIN = 1.1
"""The same for a batch of twice the size."""
ROUNDS = 3
"""Measurements of each way at most, in turns. The best counts: what else runs only slows."""
MAX_BATCH = 32
BATCHES = 8
"""Batches that a measurement on a device has at least: its frames come by the batch."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How a model is run."""

    workers: int
    """Runs side by side."""
    threads: int
    """Threads of one run."""
    max_batch: int
    """Most frames of one run."""

    def applied_to(self, options: EngineOptions) -> EngineOptions:
        """Return ``options`` for engines that are run this way."""
        return replace(
            options,
            workers=self.workers,
            threads_per_run=self.threads,
            max_batch=self.max_batch,
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is given; None is to be found out."""

    workers: int | None = None
    threads: int | None = None
    max_batch: int | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to find out."""
        return None not in {self.workers, self.threads, self.max_batch}


Measure = Callable[[Concurrency], float]
"""Frames per second of a way to run."""


def plain(wishes: Wishes, cpus: int) -> Concurrency:
    """Return what is chosen without measuring: one thread a run, a run for each CPU."""
    threads = wishes.threads or 1
    return Concurrency(wishes.workers or max(1, cpus // threads), threads, wishes.max_batch or 1)


def choose(wishes: Wishes, cpus: int, measure: Measure) -> Concurrency:
    """Return the fastest way to run within ``wishes``; the plain one unless another beats it.

    Sizes of batches are tried by doubling, as long as that gains something.
    """
    best = plain(wishes, cpus)
    ways = [best, *(way for way in _ways(wishes, cpus) if way != best)]
    if len(ways) > 1:
        rates = _rates(ways, measure)
        fastest = max(ways, key=rates.__getitem__)
        best = fastest if rates[fastest] > rates[best] * GAIN else best
    if wishes.max_batch is None:
        best = _with_batches(best, measure)
    return best


def _rates(ways: Sequence[Concurrency], measure: Measure) -> dict[Concurrency, float]:
    """Return the best rate of each way; not measured again once the first is ahead of all."""
    rates = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for way in ways:
            rates[way] = max(rates[way], measure(way))
        if rates[ways[0]] == max(rates.values()):
            break
    return rates


def _ways(wishes: Wishes, cpus: int) -> Iterator[Concurrency]:
    threads = 1
    while threads <= cpus:
        workers = max(1, cpus // threads)
        if wishes.threads in {None, threads} and wishes.workers in {None, workers}:
            yield Concurrency(workers, threads, wishes.max_batch or 1)
        threads *= 2


def _with_batches(best: Concurrency, measure: Measure) -> Concurrency:
    while best.max_batch < MAX_BATCH:
        larger = replace(best, max_batch=2 * best.max_batch)
        rates = _rates([best, larger], measure)
        if rates[larger] <= rates[best] * BATCH_GAIN:
            return best
        best = larger
    return best


class Meter:
    """Measures a pack on this machine, every frame new, nothing remembered.

    Frames go through the scheduler of a service, which has as many of them as it can use: what a
    device's own threads do, what the others do, and what waits for what is as it will be.
    """

    def __init__(
        self,
        pack: ModelPack,
        options: EngineOptions,
        seconds: float,
        *,
        device_workers: int = 0,
        max_delay_s: float = 0.0,
    ) -> None:
        """Make a meter that spends ``seconds`` on each way to run, and a few frames' time at least.

        Args:
            pack: whose frames are made.
            options: how, but for what is measured.
            seconds: of one measurement.
            device_workers: threads that feed the device; 0: it is the processor.
            max_delay_s: how long a frame may wait for others to share its batches.
        """
        self._pack = pack
        self._options = options
        self._seconds = seconds
        self._device_workers = device_workers
        self._max_delay_s = max_delay_s
        self._engines: dict[Concurrency, Engine] = {}

    def __call__(self, way: Concurrency) -> float:
        """Return frames per second; not from a thread that runs an event loop."""
        rate = asyncio.run(self._measured(way))
        _LOG.info(
            "calibrated",
            extra={
                "workers": way.workers,
                "threads": way.threads,
                "batch": way.max_batch,
                "frames_per_s": round(rate, 2),
            },
        )
        return rate

    async def _measured(self, way: Concurrency) -> float:
        engine = self._engine(way)
        requests = _requests(engine)
        # A batch on its way in each thread, one that gathers, and pictures that are being made.
        under_way = ((self._device_workers or way.workers) + 1) * way.max_batch + way.workers
        scheduler = Scheduler(
            workers=way.workers,
            device_workers=self._device_workers,
            max_queued=2 * under_way,
            max_delay_s=self._max_delay_s,
        )
        scheduler.start()
        try:
            return await self._rate(scheduler, engine, requests, under_way, way)
        finally:
            await scheduler.close()

    async def _rate(
        self,
        scheduler: Scheduler,
        engine: Engine,
        requests: Iterator[FrameRequest],
        under_way: int,
        way: Concurrency,
    ) -> float:
        lane = scheduler.lane()
        # From frame to frame: the first ones find nothing at work, and the last ones leave as much
        # half done as was half done when the measurement began. On a processor a frame may take
        # seconds; to a device they come by the batch.
        least = (BATCHES if self._device_workers else way.workers) * way.max_batch
        skipped = under_way if self._device_workers else least
        finished, begun = 0, time.perf_counter()
        pending = {lane.render(engine, next(requests)) for _ in range(under_way)}
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for frame in done:
                frame.result()
            now, before, finished = time.perf_counter(), finished, finished + len(done)
            if before < skipped <= finished:
                skipped, begun = finished, now
            elif finished >= skipped + least and now >= begun + self._seconds:
                lane.cancel_all()
                return (finished - skipped) / (now - begun)
            pending |= {lane.render(engine, next(requests)) for _ in done}

    def _engine(self, way: Concurrency) -> Engine:
        if way not in self._engines:
            # The two that are compared are kept: sessions of large models take a lot of memory.
            while len(self._engines) > 1:
                del self._engines[next(iter(self._engines))]
            memory = EngineMemory.of_mib(characters=0, stages=0, frames=0)
            self._engines[way] = Engine(self._pack, way.applied_to(self._options), memory)
        return self._engines[way]


def _requests(engine: Engine) -> Iterator[FrameRequest]:
    """Yield frames of which no two are alike."""
    side = engine.canvas_side
    character, view = engine.prepare("", probe_picture(side)), make_view(side)
    span = engine.space.maximum - engine.space.minimum
    for number in itertools.count():
        weights = np.random.default_rng(number).random(len(engine.space))
        pose = (engine.space.minimum + weights * span).astype(np.float32)
        yield FrameRequest(character, pose, view)
