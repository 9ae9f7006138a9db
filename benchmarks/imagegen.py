"""Seconds per picture by backend, seconds per cut-out and fit, and how well pictures are fitted.

Usage: python benchmarks/imagegen.py [--json FILE] [--diffusers FOLDER ...] [--gan FILE ...]
                                     [--data FOLDER] [--pictures 200]

`--data` names the folder of the drawn data of the starter networks (see `python -m
kuchipaku_training.headbox render`); without it, and without torch, how well pictures are fitted is
not measured. Times are CPU seconds of this process, which a busy machine does not change.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kuchipaku_imagegen.backends import IllustratorBackend, ImageBackend, Order
from kuchipaku_imagegen.backends.batching import Device
from kuchipaku_imagegen.backends.diffusion import (
    DiffusionBackend,
    DiffusionOptions,
    DiffusionSpec,
)
from kuchipaku_imagegen.backends.gan import GanBackend
from kuchipaku_imagegen.cutout import open_matting_models, remove_background
from kuchipaku_imagegen.fitting import Fitter
from kuchipaku_imagegen.framing import open_heads
from kuchipaku_imagegen.illustrator import random_attributes, render
from kuchipaku_imagegen.modelcache import ModelCache
from kuchipaku_imagegen.settings import default_models_folder

Row = dict[str, Any]


class _Nobody:
    """Hears of progress and says nothing."""

    def __call__(self, index: int, step: int, step_count: int, preview: Any = None) -> None:
        """Ignore it."""

    def check(self) -> None:
        """Always go on."""


def timed(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median CPU and wall seconds of `work`, after one run that is not counted."""
    work()
    cpu, wall = [], []
    for _ in range(runs):
        started = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return float(np.median(cpu)), float(np.median(wall))


def backend_rows(options: argparse.Namespace) -> list[Row]:
    """Seconds per picture of every backend."""
    cache, device = ModelCache(64 << 30), Device(options.batch)
    backends: list[ImageBackend] = [IllustratorBackend()]
    for folder in options.diffusers:
        spec = DiffusionSpec(folder.name, str(folder))
        choice = DiffusionOptions(options.device)
        backends.append(DiffusionBackend(spec, choice, cache, device))
    backends += [GanBackend(file.stem, file) for file in options.gan]
    rows = []
    for backend in backends:
        facts = backend.capabilities
        side = facts.fixed_size_px or facts.default_size_px
        order = Order(
            "girl, silver hair",
            "",
            1,
            options.batch,
            side,
            side,
            step_count=facts.step_count,
            guidance_scale=facts.guidance_scale,
        )
        cpu, wall = timed(partial(_drawn, backend, order), options.runs)
        rows.append(
            {
                "what": f"{facts.name}, {side} px, {facts.step_count} steps",
                "cpu_s": round(cpu / options.batch, 4),
                "wall_s": round(wall / options.batch, 4),
            }
        )
    device.close()
    return rows


def _drawn(backend: ImageBackend, order: Order) -> int:
    return len(list(backend.draw(order, _Nobody())))


def _on_background(side: int) -> np.ndarray:
    """A character over a soft gradient."""
    figure = render(random_attributes(400_000), size=side).astype(np.float32)
    y, x = np.mgrid[:side, :side] / side
    ground = np.stack([120 + 90 * x, 150 + 60 * y, 190 - 60 * x], -1)
    share = figure[..., 3:] / 255
    colour = figure[..., :3] * share + ground * (1 - share)
    return np.dstack([np.rint(colour), np.full((side, side), 255)]).astype(np.uint8)


def picture_rows(options: argparse.Namespace) -> list[Row]:
    """Seconds per cut-out and per fit."""
    folder = options.models
    matting = open_matting_models(folder / "matting", rembg_folder=options.rembg)
    fitter = Fitter(open_heads(folder / "headbox"), matting)
    rows = []
    for side in (512, 1024, 2048):
        picture = _on_background(side)
        for name in matting:
            model = matting.get(name)
            cpu, wall = timed(partial(remove_background, picture, model), options.runs)
            rows.append(_row(f"cut-out by {name}, {side} px", cpu, wall))
        cpu, wall = timed(partial(fitter.fit, picture), options.runs)
        rows.append(_row(f"fit with cut-out, {side} px", cpu, wall))
    canvas = render(random_attributes(400_000))
    cpu, wall = timed(lambda: fitter.fit(canvas), options.runs)
    rows.append(_row("fit of a canvas", cpu, wall))
    return rows


def _row(what: str, cpu: float, wall: float) -> Row:
    return {"what": what, "cpu_s": round(cpu, 4), "wall_s": round(wall, 4)}


def fit_figures(options: argparse.Namespace) -> dict[str, object] | None:
    """Head boxes and verdicts on held-out illustrated characters; None without data or torch."""
    if options.data is None:
        return None
    evaluation = import_module("kuchipaku_training.headbox.evaluate")
    dataset = import_module("kuchipaku_training.matting.dataset")

    heads = open_heads(options.models / "headbox")
    if heads is None:
        return None
    figures = evaluation.measure(heads, dataset.open_data(options.data / "held"), options.pictures)
    result: dict[str, object] = figures.as_dict()
    return result


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--models", type=Path, default=default_models_folder())
    parser.add_argument("--rembg", type=Path, help="folder of rembg's models")
    parser.add_argument("--diffusers", type=Path, nargs="*", default=[], help="diffusers folders")
    parser.add_argument("--gan", type=Path, nargs="*", default=[], help="generators (ONNX)")
    parser.add_argument("--device", default="auto", help="where diffusion models run")
    parser.add_argument("--batch", type=int, default=4, help="pictures of one order")
    parser.add_argument("--data", type=Path, help="folder of the drawn data")
    parser.add_argument("--pictures", type=int, default=200, help="pictures that are fitted")
    parser.add_argument("--runs", type=int, default=5, help="runs that are timed")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse()
    rows = backend_rows(options) + picture_rows(options)
    print(
        f"| what | CPU s | wall s |\n|---|---:|---:|  {platform.processor() or platform.machine()}"
    )
    for row in rows:
        print(f"| {row['what']} | {row['cpu_s']:.3f} | {row['wall_s']:.3f} |", flush=True)
    fit = fit_figures(options)
    if fit is not None:
        print(json.dumps(fit, indent=2))
    if options.json is not None:
        report = {"seconds": rows, "fit": fit}
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
