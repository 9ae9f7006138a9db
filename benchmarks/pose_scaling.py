"""How a pose model scales with batches, threads and runs side by side, and what memory it takes.

Run from the root of the repository, on an otherwise idle machine::

    python benchmarks/pose_scaling.py [--model models/starter/pose] [--provider cpu] [--json FILE]

Every frame is new and nothing is remembered. Frames per wall-second tell what a machine gives,
CPU time per frame what that costs. "Side by side" are independent sessions, each with one thread,
as the service runs them; their throughput is given against that of one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import platform
import resource
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kuchipaku_imagegen import illustrator
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.settings import cpu_count
from kuchipaku_pose.view import make_view

BATCHES = (1, 2, 4, 8, 16, 32)


@dataclass
class Line:
    """One way to run."""

    batch: int
    threads: int
    side_by_side: int
    frames_per_s: float
    cpu_ms_per_frame: float
    peak_memory_mib: float
    times_one: float = 1.0
    """Throughput against a batch of one on one thread."""


class Bench:
    """Runs a pack in given ways."""

    def __init__(self, folder: Path, provider: str, frames: int) -> None:
        self._pack = load_pack(folder)
        self._provider = provider
        self._frames = frames

    def measure(self, *, batch: int = 1, threads: int = 1, side_by_side: int = 1) -> Line:
        """Render new frames in this way."""
        engines = [self._open(batch, threads) for _ in range(side_by_side)]
        poses = Poses(engines[0])
        work = [poses.requests(engine, batch) for engine in engines]
        for engine, requests in zip(engines, work, strict=True):
            engine.render(requests)
        rounds = max(2, self._frames // batch)
        barrier = threading.Barrier(side_by_side + 1)

        def run(engine: Engine) -> None:
            barrier.wait()
            for _ in range(rounds):
                engine.render(poses.requests(engine, batch))

        with ThreadPoolExecutor(side_by_side) as pool:
            running = [pool.submit(run, engine) for engine in engines]
            barrier.wait()
            started, cpu_started = time.perf_counter(), time.process_time()
            for each in running:
                each.result()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        frames = rounds * batch * side_by_side
        return Line(batch, threads, side_by_side, frames / wall, cpu / frames * 1e3, peak_mib())

    def _open(self, batch: int, threads: int) -> Engine:
        options = EngineOptions(provider=self._provider, threads_per_run=threads, max_batch=batch)
        memory = EngineMemory.of_mib(characters=0, stages=0, frames=0)
        return Engine(self._pack, options, memory)


class Poses:
    """Requests that never repeat."""

    def __init__(self, engine: Engine) -> None:
        side = engine.canvas_side
        self._picture = illustrator.render(illustrator.random_attributes(1), size=side)
        self._view = make_view(side)
        self._characters = {id(engine): engine.prepare("bench", self._picture)}
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def requests(self, engine: Engine, count: int) -> list[FrameRequest]:
        with self._lock:
            seed = next(self._numbers)
            if id(engine) not in self._characters:
                self._characters[id(engine)] = engine.prepare("bench", self._picture)
        space = engine.space
        weights = np.random.default_rng(seed).random((count, len(space)), dtype=np.float32)
        character = self._characters[id(engine)]
        return [
            FrameRequest(character, pose, self._view)
            for pose in space.minimum + weights * (space.maximum - space.minimum)
        ]


def in_own_process(folder: Path, provider: str, frames: int, way: dict[str, int]) -> Line:
    """Measure one way to run in a process of its own: memory is not given back within one."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, folder, provider, frames, way).result()


def measure(folder: Path, provider: str, frames: int, way: dict[str, int]) -> Line:
    """Measure one way to run in this process."""
    return Bench(folder, provider, frames).measure(**way)


def peak_mib() -> float:
    """Return the most memory that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(line: Line) -> None:
    """Print one line of the table."""
    print(
        f"{line.batch:>5}{line.threads:>9}{line.side_by_side:>14}{line.frames_per_s:>10.1f}"
        f"{line.cpu_ms_per_frame:>15.1f}{line.times_one:>11.2f}{line.peak_memory_mib:>10.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/starter/pose"))
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--frames", type=int, default=48, help="frames of each measurement")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    cpus = cpu_count()
    name = load_pack(options.model).name
    print(f"model {name}, {options.provider}, {platform.machine()}, {cpus} CPUs\n")
    print(
        f"{'batch':>5}{'threads':>9}{'side by side':>14}{'frames/s':>10}{'CPU-ms/frame':>15}"
        f"{'times one':>11}{'peak MiB':>10}"
    )
    ways = [{"batch": size} for size in BATCHES]
    ways += [{"threads": count} for count in range(2, cpus + 1)]
    ways += [{"side_by_side": count} for count in range(2, cpus + 1)]
    lines: list[Line] = []
    for way in ways:
        line = in_own_process(options.model, options.provider, options.frames, way)
        line.times_one = line.frames_per_s / (lines[0] if lines else line).frames_per_s
        lines.append(line)
        show(line)
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2))


if __name__ == "__main__":
    main()
