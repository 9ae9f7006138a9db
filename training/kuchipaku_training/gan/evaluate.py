"""Measures a generator's ONNX file beside real faces, and draws sheets to look at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.table import Table

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.backends.gan import latent
from kuchipaku_imagegen.onnxmodel import OnnxModel
from kuchipaku_training.gan import metrics
from kuchipaku_training.gan.metrics import Extractor, Pixels, Scale, frechet_distance
from kuchipaku_training.gan.pictures import FACE_SIZE, Faces, save_sheet

EXTRACTOR: Final = "channel means of the head-box examiner's residual blocks"
_FIRST_SEED: Final = 1_000_000
_BATCH: Final = 16
_LEAST: Final = 8


@dataclass(frozen=True)
class Figures:
    """Distances are Frechet distances to faces that were learned from, of features that have
    deviation 1 on these.

    Of each set `pictures` faces are taken. real: held-out faces; blurred, noisy: the same,
    damaged; noise: no faces at all. ordered: whether real < blurred < noise and real < noisy <
    noise, without which the distance says nothing.
    diversity and edges: of generated faces, where real ones have 1. nearest: median distance of
    generated faces to the nearest one learned from, root mean square of 0..255; nearest_held:
    that of held-out faces. copies: share of generated faces that are nearer than all but 1 % of
    the held-out ones.
    """

    pictures: int
    extractor: str
    distance: float
    real: float
    blurred: float
    noisy: float
    noise: float
    ordered: bool
    diversity: float
    edges: float
    nearest: float
    nearest_held: float
    copies: float


def generated_faces(model: OnnxModel, seeds: range) -> Pixels:
    """Faces (n, 128, 128, 3) uint8 of seeds, as the service draws them.

    Raises FailedPreconditionError if the network is no generator of such faces.
    """
    size = model.input_shape[-1]
    if len(model.input_shape) != 2 or not isinstance(size, int):
        raise _other(model)
    parts = []
    for start in range(seeds.start, seeds.stop, _BATCH):
        chosen = range(start, min(start + _BATCH, seeds.stop))
        output = model(np.stack([latent(seed, size) for seed in chosen]))
        if output.shape[1:] != (3, FACE_SIZE, FACE_SIZE):
            raise _other(model)
        levels = np.clip(output.transpose(0, 2, 3, 1) * 127.5 + 127.5, 0.0, 255.0)
        parts.append(np.rint(levels).astype(np.uint8))
    return np.concatenate(parts)


def _other(model: OnnxModel) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{model.path.name} does not generate faces of (3, {FACE_SIZE}, {FACE_SIZE})",
        reason="MODEL_FILE_DAMAGED",
        field="model",
    )


def measure(generated: Pixels, faces: Faces, extractor: Extractor) -> Figures:
    """Compare generated faces (n, 128, 128, 3) with real ones.

    Raises FailedPreconditionError if fewer than 8 faces are held out.
    """
    count = min(len(generated), len(faces.held), len(faces.train))
    if count < _LEAST:
        raise FailedPreconditionError(
            f"{count} faces are too few to compare", reason="TOO_FEW_FACES", field="work"
        )
    generated, held = generated[:count], faces.held[:count]
    learned = extractor(faces.train[:: max(1, len(faces.train) // (4 * count))])
    scale = Scale.of(learned)
    learned = scale(learned)
    features, of_held = scale(extractor(generated)), scale(extractor(held))
    distances = {
        "distance": frechet_distance(features, learned),
        "real": frechet_distance(of_held, learned),
        "blurred": frechet_distance(scale(extractor(metrics.blurred(held))), learned),
        "noisy": frechet_distance(scale(extractor(metrics.noisy(held))), learned),
        "noise": frechet_distance(scale(extractor(metrics.noise(count))), learned),
    }
    damaged = distances["blurred"], distances["noisy"]
    near = metrics.nearest(generated, faces.train).distance
    near_held = metrics.nearest(held, faces.train).distance
    return Figures(
        pictures=count,
        extractor=EXTRACTOR,
        **{name: round(value, 4) for name, value in distances.items()},
        ordered=distances["real"] < min(damaged) and max(damaged) < distances["noise"],
        diversity=round(metrics.diversity(features) / metrics.diversity(of_held), 4),
        edges=round(metrics.edge_energy(generated) / metrics.edge_energy(held), 4),
        nearest=round(float(np.median(near)), 3),
        nearest_held=round(float(np.median(near_held)), 3),
        copies=round(float((near < np.quantile(near_held, 0.01)).mean()), 4),
    )


def evaluate(model: Path, faces: Faces, examiner: Path, report: Path, count: int) -> Figures:
    """Measure a generator's file; write `report` (JSON) and sheets of the same name beside it.

    `<name>-samples.jpg`: real faces above, generated ones below; `<name>-nearest.jpg`: generated
    faces, each above the nearest face that was learned from.
    """
    network = OnnxModel(model)
    pictures = generated_faces(network, range(_FIRST_SEED, _FIRST_SEED + count))
    figures = measure(pictures, faces, Extractor(examiner))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(asdict(figures), indent=2), "utf-8")
    rows = 3 * 12
    save_sheet(
        np.concatenate([_padded(faces.held[:rows], rows), pictures[:rows]]),
        12,
        report.with_name(f"{report.stem}-samples.jpg"),
    )
    shown = pictures[:24]
    found = faces.train[metrics.nearest(shown, faces.train).index]
    pairs = np.concatenate([shown, found], axis=1)
    save_sheet(pairs, 12, report.with_name(f"{report.stem}-nearest.jpg"))
    return figures


def _padded(faces: Pixels, count: int) -> Pixels:
    blank = np.full((max(0, count - len(faces)), *faces.shape[1:]), 255, np.uint8)
    return np.concatenate([faces, blank])


def figure_table(figures: Figures) -> Table:
    """The figures for people."""
    table = Table("figure", "generated", "real", "blurred", "noisy", "noise")
    row = (figures.distance, figures.real, figures.blurred, figures.noisy, figures.noise)
    table.add_row("Fréchet distance", *(f"{value:.2f}" for value in row))
    table.add_row("diversity", f"{figures.diversity:.3f}", "1")
    table.add_row("edge energy", f"{figures.edges:.3f}", "1")
    near, held = f"{figures.nearest:.1f}", f"{figures.nearest_held:.1f}"
    table.add_row("nearest learned face", near, held)
    table.add_row("near copies", f"{figures.copies:.1%}", "1.0%")
    return table
