"""Frames per CPU-second of a pose model, by what recurs.

Run from the root of the repository, on an otherwise idle machine::

    python benchmarks/pose.py [--model models/starter/pose] [--seconds 20] [--json FILE]

Everything runs on one thread through the engine that the service uses; CPU time is the
process's, so that other processes disturb the figures little. "cold" is content that was never
seen, "seen" recurs: the two are never mixed. Memory and allocator are those of the service's
settings.

"Plain onnxruntime" runs the same graphs in turn, with numpy arrays between them and one thread, and
turns the result into the same picture: what a script does that has no engine. Batches, threads
and runs side by side are in `pose_scaling.py`, GPUs in `pose_gpu.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku_animation import AnimationOptions, MouthCue, MouthShape, animate
from kuchipaku_animation.options import MotionMode
from kuchipaku_imagegen import illustrator
from kuchipaku_media.picture import decode_picture
from kuchipaku_pose.conventions import tensor_to_picture
from kuchipaku_pose.engine import (
    Character,
    EngineMemory,
    EngineOptions,
    FrameRequest,
    RenderedFrame,
)
from kuchipaku_pose.manifest import CANVAS, PoseInput
from kuchipaku_pose.models import PoseModel, open_model
from kuchipaku_pose.providers import to_host
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_pose.view import make_view
from kuchipaku_runtime.allocator import AllocatorOptions, tune_allocator

Picture = NDArray[np.uint8]
Poses = NDArray[np.float32]

FACE = (slice(32, 224), slice(160, 352))
"""Rows and columns of the face in the canvas."""
MOUTH, HEAD = slice(26, 32), slice(39, 45)
"""Mouth and head among the 45 parameters."""


@dataclass
class Row:
    """One line of the table."""

    what: str
    frames: int
    frames_per_cpu_s: float
    frame_hits: float
    """Share of frames that were not computed at all."""
    stage_hits: dict[str, float]
    """Share of each stage's uses that were remembered."""


class Bench:
    """A model with one prepared character."""

    def __init__(self, folder: Path, picture: Picture | None) -> None:
        self.folder = folder
        self.model = self._open()
        side = self.model.engine.canvas_side
        self.picture = picture if picture is not None else drawn_character(1, side)
        self.view = make_view(side)

    def _open(self) -> PoseModel:
        defaults = PoseSettings()
        memory = EngineMemory.of_mib(
            characters=defaults.character_memory_mib,
            stages=defaults.stage_memory_mib,
            frames=defaults.frame_memory_mib,
        )
        return open_model(self.folder, EngineOptions(), memory)

    def fresh(self) -> Character:
        """Forget everything and prepare the character anew."""
        memory = self.model.engine.memory
        for memo in (memory.characters, memory.stages, memory.frames, memory.pictures):
            memo.clear()
        return self.model.engine.prepare("bench", self.picture)

    def render(self, character: Character, poses: Poses) -> Iterator[RenderedFrame]:
        for pose in poses:
            yield self.model.engine.render([FrameRequest(character, pose, self.view)])[0]

    def measure(self, what: str, character: Character, poses: Poses) -> Row:
        """Render ``poses`` in order and return the line."""
        started = time.process_time()
        frames = list(self.render(character, poses))
        seconds = time.process_time() - started
        return Row(
            what,
            len(poses),
            len(poses) / seconds,
            sum(frame.cached for frame in frames) / len(frames),
            stage_hits(frames),
        )

    def fit(self, poses: Poses) -> Poses:
        return self.model.engine.space.quantise(self.model.fit(poses), 0.0)


def stage_hits(frames: Sequence[RenderedFrame]) -> dict[str, float]:
    uses: dict[str, list[bool]] = {}
    for frame in frames:
        for use in frame.uses:
            uses.setdefault(use.stage, []).append(use.hit)
    return {stage: sum(hits) / len(hits) for stage, hits in uses.items() if stage != "pixels"}


def drawn_character(seed: int, side: int) -> Picture:
    """Return a character of the illustrator."""
    return illustrator.render(illustrator.random_attributes(seed), size=side)


def speech(seconds: float, seed: int) -> list[MouthCue]:
    """Return cues that change as often as speech does, with pauses."""
    rng = np.random.default_rng(seed)
    shapes = list("ABCDEFGHX")
    weights = np.array([8, 30, 18, 9, 9, 8, 4, 3, 11], float)
    cues, at = [], 0.0
    while at < seconds:
        shape = MouthShape(rng.choice(shapes, p=weights / weights.sum()))
        length = float(rng.uniform(0.2, 0.5) if shape == "X" else rng.uniform(0.06, 0.2))
        cues.append(MouthCue(at, min(at + length, seconds), shape, float(rng.uniform(0.5, 1))))
        at += length
    return [cue for cue in cues if cue.end > cue.start]


def talk(seconds: float, motion: MotionMode, quantum: float, seed: int = 5) -> Poses:
    options = AnimationOptions(motion=motion, seed=7, quantum=quantum)
    return animate(speech(seconds, seed), duration_s=seconds, options=options).poses


def throughput(bench: Bench, seconds: float, quantum: float) -> Iterator[Row]:
    space = bench.model.engine.space
    rng = np.random.default_rng(3)

    def random_poses(count: int) -> Poses:
        weights = rng.random((count, len(space)), dtype=np.float32)
        return space.minimum + weights * (space.maximum - space.minimum)

    # As in a service that has run for a while: its memory has been full before, so that values
    # take the place of older ones and not of pages that the system has yet to give.
    list(bench.render(bench.fresh(), random_poses(120)))
    character = bench.fresh()
    yield bench.measure("cold: every parameter new in every frame", character, random_poses(50))
    list(bench.render(character, space.neutral[None]))
    mouth = np.tile(space.neutral, (50, 1))
    mouth[:, MOUTH] = random_poses(50)[:, MOUTH] / 6
    yield bench.measure("cold: new mouth, head still", character, mouth)
    head = np.tile(space.neutral, (50, 1))
    head[:, HEAD] = random_poses(50)[:, HEAD]
    yield bench.measure("cold: new head, face still", character, head)
    motions: tuple[MotionMode, ...] = ("none", "head", "full")
    for motion in motions:
        for step in (0.0, quantum):
            character = bench.fresh()
            poses = bench.fit(talk(seconds, motion, step))
            name = f"speech, motion {motion}, quantum {step:g}"
            yield bench.measure(name, character, poses)
            if step:
                other = bench.fit(talk(seconds, motion, step, seed=6))
                yield bench.measure("  another line after it", character, other)
                yield bench.measure("  the same line again (seen)", character, poses)


def first_frames(bench: Bench) -> float:
    """Return CPU milliseconds from a decoded canvas to the first frame of a new character."""
    pose = bench.model.engine.space.neutral[None]
    list(bench.render(bench.fresh(), pose))
    started = time.process_time()
    for _ in range(5):
        list(bench.render(bench.fresh(), pose))
    return (time.process_time() - started) / 5 * 1e3


class Plain:
    """The pack's graphs without an engine."""

    def __init__(self, bench: Bench) -> None:
        self._manifest = bench.model.engine.pack.manifest
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._sessions = {
            name: ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            for name, graph in bench.model.engine.pack.graphs.items()
        }

    def render(self, known: dict[str, Any], pose: NDArray[np.float32]) -> Picture:
        """Run every stage whose outputs are not ``known``; return the picture."""
        tensors = dict(known)
        for stage in self._manifest.stages:
            if not set(stage.outputs.values()) <= set(known):
                inputs = {
                    name: pose[None, slice(*source.pose)]
                    if isinstance(source, PoseInput)
                    else tensors[source.tensor]
                    for name, source in stage.inputs.items()
                }
                values = self._sessions[stage.name].run(list(stage.outputs), inputs)
                tensors |= dict(zip(stage.outputs.values(), values, strict=True))
        output = self._manifest.output
        frame = tensors[output.tensor][0]
        if output.patch is not None:
            frame = frame.copy()
            frame[:, output.patch.rows, output.patch.columns] = tensors[output.patch.tensor][0]
        return tensor_to_picture(frame, output.convention)


def against_plain(bench: Bench, frames: int = 20) -> dict[str, float]:
    """Return CPU milliseconds per frame, median, of ours and of plain runs, in turns."""
    plain, character = Plain(bench), bench.fresh()
    tensors = {name: to_host(value) for name, value in character.tensors.items()}
    canvas = {CANVAS: tensors[CANVAS]}
    space, rng = bench.model.engine.space, np.random.default_rng(9)
    poses = space.minimum + rng.random((frames, len(space)), dtype=np.float32) * (
        space.maximum - space.minimum
    )
    mouths = np.tile(space.neutral, (frames, 1))
    mouths[:, MOUTH] = rng.random((frames, MOUTH.stop - MOUTH.start), dtype=np.float32) / 6
    ways: dict[str, Callable[[int], object]] = {
        "ours, everything new": lambda i: list(bench.render(character, poses[i : i + 1])),
        "ours, mouth new": lambda i: list(bench.render(character, mouths[i : i + 1])),
        "ours, seen": lambda i: list(bench.render(character, poses[i : i + 1])),
        "plain, character prepared": lambda i: plain.render(tensors, poses[i]),
        "plain, every stage": lambda i: plain.render(canvas, poses[i]),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(frames):
        for name, run in ways.items():
            started = time.process_time()
            run(i)
            spent[name].append((time.process_time() - started) * 1e3)
    # The first ones open memory and prepare the still head.
    return {name: float(np.median(values[2:])) for name, values in spent.items()}


def stage_times(bench: Bench) -> dict[str, float]:
    """Return milliseconds per run of each stage so far."""
    stages = bench.model.engine.statistics().stages
    return {name: t.seconds / t.runs * 1e3 for name, t in stages.items() if t.runs}


def encoding_costs(bench: Bench, quantum: float) -> dict[str, dict[str, float]]:
    """Return CPU milliseconds and bytes per frame of two seconds of speech, by encoding."""
    character = bench.fresh()
    frames = list(bench.render(character, bench.fit(talk(2.0, "full", quantum))))
    costs = {}
    for encoding in FrameEncoding:
        encoder = FrameEncoder(encoding, bench.view.width, bench.view.height)
        started = time.process_time()
        size = sum(encoder.encode(frame.pixels, frame.key).size_bytes for frame in frames)
        seconds = time.process_time() - started
        costs[str(encoding)] = {
            "ms": seconds / len(frames) * 1e3,
            "bytes": size / len(frames),
        }
    return costs


def quantum_errors(bench: Bench, quanta: Sequence[float]) -> dict[float, float]:
    """Return the PSNR in dB over the face, rounded against exact poses, on grey."""
    errors = {}
    exact = bench.fit(talk(4.0, "full", 0.0))[::3]
    reference = [on_grey(frame) for frame in bench.render(bench.fresh(), exact)]
    for quantum in quanta:
        rounded = bench.fit(talk(4.0, "full", quantum))[::3]
        frames = bench.render(bench.fresh(), rounded)
        squares = [np.mean((on_grey(f) - r) ** 2) for f, r in zip(frames, reference, strict=True)]
        errors[quantum] = float(-10 * np.log10(max(np.mean(squares), 1e-12)))
    return errors


def on_grey(frame: RenderedFrame) -> NDArray[np.float64]:
    crop = frame.pixels[FACE] / 255
    return np.asarray(crop[..., :3] * crop[..., 3:] + 0.5 * (1 - crop[..., 3:]))


def report(result: dict[str, Any]) -> None:
    print(f"model {result['model']}, {result['machine']}, one thread\n")
    print(f"{'what':<48}{'frames/CPU-s':>13}{'frame hits':>11}  stage hits")
    for row in result["rows"]:
        hits = ", ".join(f"{name} {share:.0%}" for name, share in row["stage_hits"].items())
        print(
            f"{row['what']:<48}{row['frames_per_cpu_s']:>13.1f}{row['frame_hits']:>11.0%}  {hits}"
        )
    print("\nCPU-ms per frame, median of runs in turns")
    for name, value in result["against_plain_ms"].items():
        print(f"  {name:<28}{value:>8.2f}")
    print(f"\nfirst frame of a new character: {result['first_frame_ms']:.1f} CPU-ms")
    print("ms per run: " + ", ".join(f"{k} {v:.2f}" for k, v in result["stage_ms"].items()))
    for name, cost in result["encoding"].items():
        print(f"{name}: {cost['ms']:.2f} CPU-ms, {cost['bytes'] / 1024:.1f} KiB per frame")
    errors = ", ".join(f"{q:g}: {db:.1f} dB" for q, db in result["quantum_psnr_db"].items())
    print(f"face of rounded against exact poses, by quantum: {errors}")
    print(f"peak memory: {result['peak_memory_mib']:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/starter/pose"))
    parser.add_argument("--canvas", type=Path, help="PNG to animate; default: a drawn character")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the speech")
    parser.add_argument("--quantum", type=float, default=1 / 128)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    defaults = PoseSettings()
    tune_allocator(
        AllocatorOptions(
            defaults.malloc_mmap_threshold_mib,
            defaults.malloc_trim_threshold_mib,
            defaults.malloc_top_pad_mib,
            defaults.malloc_arenas,
        )
    )
    picture: Picture | None = None
    if options.canvas:
        picture = decode_picture(options.canvas.read_bytes())
    bench = Bench(options.model, picture)
    rows = [asdict(row) for row in throughput(bench, options.seconds, options.quantum)]
    result = {
        "model": bench.model.name,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "rows": rows,
        "stage_ms": stage_times(bench),
        "against_plain_ms": against_plain(bench),
        "first_frame_ms": first_frames(bench),
        "encoding": encoding_costs(bench, options.quantum),
        "quantum_psnr_db": quantum_errors(bench, [1 / 256, 1 / 128, 1 / 64, 1 / 32]),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    report(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
