"""How many runs side by side, on how many threads, in batches of which size: measured.

The choice is apart from the measuring, so that it can be tested without a clock.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.engine.selftest import probe_picture
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.view import make_view

_LOG = logging.getLogger(__name__)

GAIN = 1.2
"""A choice other than the plain one must be this much faster: measurements vary."""
BATCH_GAIN = 1.1
"""The same for a batch of twice the size."""
ROUNDS = 3
"""Measurements of each way at most, in turns. The best counts: what else runs only slows."""
MAX_BATCH = 32


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How a model is run."""

    workers: int
    """Runs side by side."""
    threads: int
    """Threads of one run."""
    max_batch: int
    """Most frames of one run."""


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
    """Measures a pack on this machine, every frame new, nothing remembered."""

    def __init__(self, pack: ModelPack, options: EngineOptions, seconds: float) -> None:
        """Make a meter that spends ``seconds`` on each way to run, and no less than one frame."""
        self._pack = pack
        self._options = options
        self._seconds = seconds
        self._engines: dict[tuple[int, int], Engine] = {}

    def __call__(self, way: Concurrency) -> float:
        """Return frames per second."""
        engine = self._engine(way)
        side = engine.canvas_side
        character = engine.prepare("", probe_picture(side))
        view = make_view(side)
        # Each thread has poses of its own: the engine never computes one pose twice at a time.
        counter = itertools.count()
        lock = threading.Lock()

        def requests() -> list[FrameRequest]:
            with lock:
                numbers = [next(counter) for _ in range(way.max_batch)]
            weights = np.random.default_rng(numbers).random((len(numbers), len(engine.space)))
            span = engine.space.maximum - engine.space.minimum
            poses = (engine.space.minimum + weights * span).astype(np.float32)
            return [FrameRequest(character, pose, view) for pose in poses]

        engine.render(requests())
        started = time.perf_counter()
        with ThreadPoolExecutor(way.workers) as pool:
            frames = sum(
                pool.map(
                    lambda _: _render_until(engine, requests, started + self._seconds),
                    range(way.workers),
                )
            )
        rate = frames / (time.perf_counter() - started)
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

    def _engine(self, way: Concurrency) -> Engine:
        key = way.threads, way.max_batch
        if key not in self._engines:
            # The two that are compared are kept: sessions of large models take a lot of memory.
            while len(self._engines) > 1:
                del self._engines[next(iter(self._engines))]
            options = replace(self._options, threads_per_run=way.threads, max_batch=way.max_batch)
            memory = EngineMemory.of_mib(characters=0, stages=0, frames=0)
            self._engines[key] = Engine(self._pack, options, memory)
        return self._engines[key]


def _render_until(engine: Engine, requests: Callable[[], list[FrameRequest]], end: float) -> int:
    frames = 0
    while True:
        frames += len(engine.render(requests()))
        if time.perf_counter() >= end:
            return frames
