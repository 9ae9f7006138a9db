"""Frames per second of pose models for each provider that this machine has, against a roofline.

Run from the root of the repository; nothing is fetched, and it ends within the minutes given::

    make bench-gpu          # or: python benchmarks/pose_gpu.py [--models FOLDER ...] [--minutes 10]

For every pack and provider and batches of 1 to 32: our engine (frames never seen, from the pose to
the picture), the engine's stages alone (values stay on the device), and plain onnxruntime (each
stage a `session.run` with numpy in and out). Where torch is installed, the talking-head-anime
networks in eager torch, with random weights, which cost the same as trained ones.

The roofline is what the same provider reaches here in a large product of matrices. Providers that
are not there are named and passed over; on a machine without a GPU the CPU is measured, which
shows that the script works.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_imagegen import illustrator
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions, FrameRequest, build_plan
from kuchipaku_pose.engine.sessions import open_sessions
from kuchipaku_pose.manifest import PoseInput
from kuchipaku_pose.pack import ModelPack, discover_packs, load_pack
from kuchipaku_pose.providers import (
    Provider,
    ProviderName,
    ProviderOptions,
    Row,
    StageSession,
    to_host,
)
from kuchipaku_pose.providers.rowgraphs import product_graph
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_pose.view import make_view

BATCHES: Final = (1, 2, 4, 8, 16, 32)
GFLOP_PER_FRAME: Final = {
    "starter": 1.08,
    "tha1": 330.96,
    "tha2": 326.31,
    "tha3 standard": 307.97,
    "tha3 separable": 38.35,
    "tha4": 645.90,
    "tha4-student": 37.89,
}
"""Convolutions and products of a frame with nothing remembered but the encoder's output."""
_SIDE_ON_GPU: Final = 4096
_SIDE_ON_CPU: Final = 1024


@dataclass
class Line:
    """One measurement."""

    model: str
    provider: str
    what: str
    batch: int
    frames_per_s: float
    gflop_per_s: float | None = None
    of_roofline: float | None = None


class Clock:
    """Time left, and how long one measurement may take."""

    def __init__(self, end: float, seconds: float) -> None:
        self._end = end
        self._seconds = seconds

    @classmethod
    def of(cls, minutes: float, seconds: float) -> Clock:
        return cls(time.monotonic() + minutes * 60, seconds)

    def part(self, parts: int) -> Clock:
        """Return a clock with this part of the time that is left."""
        now = time.monotonic()
        return Clock(now + max(0.0, self._end - now) / parts, self._seconds)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._end

    def rate(self, run: Callable[[], int]) -> float:
        """Return frames per second of ``run``, which returns how many it has made."""
        run()
        frames, started = 0, time.perf_counter()
        while True:
            frames += run()
            elapsed = time.perf_counter() - started
            if elapsed >= self._seconds or self.over:
                return frames / elapsed


class PackBench:
    """One pack with one provider."""

    def __init__(self, pack: ModelPack, provider: ProviderName, batch: int) -> None:
        self.pack, self.provider, self.batch = pack, provider, batch
        options = EngineOptions(provider=provider, max_batch=batch)
        memory = EngineMemory.of_mib(characters=0, stages=0, frames=0)
        self.engine = Engine(pack, options, memory)
        side = self.engine.canvas_side
        picture = illustrator.render(illustrator.random_attributes(1), size=side)
        self._character = self.engine.prepare("bench", picture)
        self._view = make_view(side)
        self._rng = np.random.default_rng(1)

    def engine_frames(self) -> int:
        requests = [FrameRequest(self._character, p, self._view) for p in self._poses()]
        return len(self.engine.render(requests))

    def stages(self, plain: bool) -> Callable[[], int]:
        """Return a run of all stages that depend on the pose, without memory and pictures."""
        plan = build_plan(self.pack.manifest)
        sessions: Mapping[str, PlainSession | StageSession]
        if plain:
            graphs = self.pack.graphs.items()
            sessions = {name: PlainSession(graph, self.provider) for name, graph in graphs}
        else:
            options = ProviderOptions(self.provider, max_batch=self.batch)
            sessions = open_sessions(self.pack, plan, Provider(options))
        known = dict(self._character.tensors)
        if plain:
            known = {name: to_host(value) for name, value in known.items()}

        def run() -> int:
            poses = self._poses()
            rows: list[dict[str, Any]] = [dict(known) for _ in poses]
            for stage in (planned.stage for planned in plan.stages):
                if set(stage.outputs.values()) <= set(known):
                    continue
                inputs: list[Row] = [
                    {
                        name: pose[None, slice(*source.pose)]
                        if isinstance(source, PoseInput)
                        else row[source.tensor]
                        for name, source in stage.inputs.items()
                    }
                    for pose, row in zip(poses, rows, strict=True)
                ]
                for row, outputs in zip(rows, sessions[stage.name].run(inputs), strict=True):
                    row |= {stage.outputs[name]: value for name, value in outputs.items()}
            return len(poses)

        return run

    def _poses(self) -> Sequence[NDArray[np.float32]]:
        space = self.engine.space
        weights = self._rng.random((self.batch, len(space)), dtype=np.float32)
        return list(space.minimum + weights * (space.maximum - space.minimum))


class PlainSession:
    """What a script without an engine does: numpy in, numpy out, rows stacked on the host."""

    def __init__(self, graph: bytes, provider: ProviderName) -> None:
        names = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
        providers = [names[provider]] if provider in names else []
        options = ort.SessionOptions()
        # As the engine does on a CPU: the comparison is between ways to run, not of threads.
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(
            graph, options, providers=[*providers, "CPUExecutionProvider"]
        )
        self._outputs = [value.name for value in self._session.get_outputs()]

    def run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        inputs = {name: np.concatenate([to_host(row[name]) for row in rows]) for name in rows[0]}
        values = self._session.run(self._outputs, inputs)
        named = zip(self._outputs, values, strict=True)
        outputs = dict(named)
        return [{n: v[i : i + 1] for n, v in outputs.items()} for i in range(len(rows))]


def roofline(provider: ProviderName, clock: Clock) -> float | None:
    """Return GFLOP per second of a large product, None where it cannot be measured."""
    if provider is ProviderName.OPENVINO:
        return None
    session = Provider(ProviderOptions(provider, io_binding=True))
    side = _SIDE_ON_GPU if provider.is_gpu else _SIDE_ON_CPU
    product = session.open("product", product_graph(side))
    matrix = session.upload(np.ones((1, side, side), np.float32))
    rate = clock.rate(lambda: len(product.run([{"x": matrix, "y": matrix}])))
    return rate * 2 * side**3 / 1e9


def family_of(pack: ModelPack) -> str:
    """Return the key of a pack in `GFLOP_PER_FRAME`."""
    family = pack.manifest.family
    if family == "tha3":
        return "tha3 separable" if "separable" in pack.name else "tha3 standard"
    return family


def pack_lines(
    folder: Path, provider: ProviderName, top: float | None, clock: Clock
) -> Iterator[Line]:
    """Measure one pack with one provider."""
    pack = load_pack(folder)
    gflop = GFLOP_PER_FRAME.get(family_of(pack))
    for batch in BATCHES:
        if clock.over:
            return
        bench = PackBench(pack, provider, batch)
        ways: dict[str, Callable[[], int]] = {
            "engine": bench.engine_frames,
            "stages": bench.stages(plain=False),
        }
        if provider is not ProviderName.OPENVINO:
            ways["plain onnxruntime"] = bench.stages(plain=True)
        for what, run in ways.items():
            rate = clock.rate(run)
            speed = rate * gflop if gflop else None
            share = speed / top if speed and top else None
            yield Line(pack.name, provider, what, batch, rate, speed, share)


def torch_lines(clock: Clock) -> Iterator[Line]:
    """Measure the talking-head-anime networks in eager torch, on the GPU if there is one."""
    if importlib.util.find_spec("torch") is None:
        print("torch: not installed")
        return
    torch: Any = importlib.import_module("torch")
    networks_of: Any = importlib.import_module("kuchipaku_pose.tha.networks")
    chains: Any = importlib.import_module("kuchipaku_pose.tha.chains")
    catalogue: Any = importlib.import_module("kuchipaku_pose.tha.catalogue")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    variant = catalogue.Variant.SEPARABLE_FLOAT
    chosen = {
        "tha3 separable": (catalogue.Family.THA3, variant),
        "tha4-student": (catalogue.Family.THA4_STUDENT, None),
    }
    for name, (family, kind) in chosen.items():
        networks = {
            key: net.to(device) for key, net in networks_of.build_networks(family, kind).items()
        }
        for batch in BATCHES if device == "cuda" else BATCHES[:2]:
            if clock.over:
                return
            image = torch.rand(batch, 4, 512, 512, device=device)
            pose = torch.rand(batch, 45, device=device)

            chain = partial(chains.run_chain, family, networks, image, pose)
            rate = clock.rate(partial(_run_in_torch, torch, chain, batch))
            speed = rate * GFLOP_PER_FRAME[name]
            yield Line(name, f"torch {device}", "eager torch", batch, rate, speed)


def _run_in_torch(torch: Any, chain: Callable[[], Any], frames: int) -> int:
    with torch.inference_mode():
        chain()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return frames


def available() -> Iterator[ProviderName]:
    """Yield the providers that really work here, and say what is wrong with the others."""
    for provider in ProviderName:
        try:
            Provider(ProviderOptions(provider)).open("product", product_graph(_SIDE_ON_CPU))
        except KuchipakuError as error:
            print(f"{provider}: {error.message}")
        else:
            yield provider


def show(line: Line) -> None:
    """Print one line of the table."""
    speed = f"{line.gflop_per_s:>10.0f}" if line.gflop_per_s else " " * 10
    share = f"{line.of_roofline:>9.1%}" if line.of_roofline else " " * 9
    print(
        f"{line.model:<24}{line.provider:<12}{line.what:<20}{line.batch:>5}"
        f"{line.frames_per_s:>11.1f}{speed}{share}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, nargs="*", help="packs, or folders of packs")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each figure")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    # The last measurement and the opening of sessions take their time too.
    clock = Clock.of(options.minutes * 0.85, options.seconds)
    print(f"{platform.machine()}, onnxruntime {ort.__version__}")
    packs = discover_packs(options.models or PoseSettings().models)
    header = f"{'model':<24}{'provider':<12}{'what':<20}{'batch':>5}"
    lines: list[Line] = []
    providers = list(available())
    for done, provider in enumerate(providers):
        part = clock.part(len(providers) + 1 - done)
        top = roofline(provider, part)
        shown = f"{top:.0f} GFLOP/s" if top else "not measured"
        print(f"\n{provider}: product of matrices {shown}")
        print(f"{header}{'frames/s':>11}{'GFLOP/s':>10}{'roofline':>9}")
        for folder in packs.values():
            for line in pack_lines(folder, provider, top, part):
                lines.append(line)
                show(line)
    print()
    for line in torch_lines(clock):
        lines.append(line)
        show(line)
    if clock.over:
        print("The time was over before everything was measured; --minutes gives it more.")
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2))


if __name__ == "__main__":
    main()
