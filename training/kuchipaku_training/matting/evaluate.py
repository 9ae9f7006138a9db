"""Held-out figures and a sheet of the matting network, measured as the service runs it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from torch import Tensor

from kuchipaku_imagegen.cutout import MattingModel, open_matting_models, remove_background
from kuchipaku_training.matting import task
from kuchipaku_training.matting.compose import Composed
from kuchipaku_training.matting.dataset import FigureData, open_data

PICTURE_SIZE: Final = 512
_SHEET_ROWS: Final = 12
_SALT: Final = 8_000_000


#: Kinds of held-out pictures: as the illustrator drew the character, and with the changes of style
#: that training makes.
KINDS: Final = {"plain": task.draw_plain, "restyled": task.draw_single}


def held_pictures(data: FigureData, kind: str, count: int) -> Iterator[Composed]:
    """Compose `count` pictures of one held-out character each; equal ones in every run."""
    for index in range(count):
        yield KINDS[kind](data, PICTURE_SIZE, np.random.default_rng((_SALT, index)))


def _pixels(one: Composed) -> NDArray[np.uint8]:
    values = one.picture.permute(1, 2, 0).numpy()
    colour = np.asarray(np.rint(values * 255.0), np.uint8)
    return np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)])


def _alpha(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(picture[..., 3].astype(np.float32) / 255.0)[None, None]


def evaluate(work: Path, console: Console, pictures: int = 120) -> dict[str, Any]:
    """Measure the trained network; write `reports/held_out.json` and `reports/cutouts.png`.

    Raises FailedPreconditionError if the checkpoint or the held-out set is missing.
    """
    from kuchipaku_training.matting.export import write_network  # noqa: PLC0415 - needs the card

    held = open_data(work / "data" / "held")
    report: dict[str, Any] = {"pictures": pictures, "characters": held.spec.characters}
    sheet: list[NDArray[np.uint8]] = []
    with tempfile.TemporaryDirectory() as name:
        write_network(work, held, Path(name))
        model = open_matting_models(Path(name), rembg_folder=None).get("")
        for kind in KINDS:
            rows = []
            for index, one in enumerate(held_pictures(held, kind, pictures)):
                cut, row = _cut_out(one, model)
                rows.append(row)
                if index < _SHEET_ROWS // len(KINDS):
                    sheet.append(_strip(_pixels(one), cut, one.alpha[None]))
            report[kind] = _summary(np.array(rows))
    reports = work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "held_out.json").write_text(json.dumps(report, indent=2), "utf-8")
    half = len(sheet) // 2
    both = np.concatenate([np.concatenate(sheet[:half]), np.concatenate(sheet[half : 2 * half])], 1)
    sheet_file = Image.fromarray(both).quantize(128, dither=Image.Dither.NONE)
    sheet_file.save(reports / "cutouts.png", optimize=True)
    console.print(report)
    return report


def _cut_out(one: Composed, model: MattingModel) -> tuple[NDArray[np.uint8], list[float]]:
    """The cut-out picture and its figures, in the order that `_summary` takes."""
    truth, picture = one.alpha[None], _pixels(one)
    cut = remove_background(picture, model).picture
    coarse = torch.from_numpy(model.mask(picture[..., :3]))[None, None]
    coarse = torch.nn.functional.interpolate(coarse, truth.shape[2:], mode="bilinear")
    return cut, [
        float(task.iou(_alpha(cut), truth)[0]),
        float(task.iou(coarse, truth)[0]),
        float((_alpha(cut) - truth).abs().mean()),
        float(task.edge_error(_alpha(cut), truth)[0]),
        float((truth > 0.5).float().mean()),
    ]


def _summary(values: NDArray[np.float64]) -> dict[str, float]:
    figures = {
        "iou": values[:, 0].mean(),
        "iou_median": np.median(values[:, 0]),
        "iou_worst_tenth": np.quantile(values[:, 0], 0.1),
        "iou_network_alone": values[:, 1].mean(),
        "mean_absolute_error": values[:, 2].mean(),
        "edge_error": values[:, 3].mean(),
        "iou_doing_nothing": values[:, 4].mean(),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _strip(picture: NDArray[np.uint8], cut: NDArray[np.uint8], truth: Tensor) -> NDArray[np.uint8]:
    """Picture, cut-out over green, true foreground, side by side."""
    green = Image.new("RGBA", (PICTURE_SIZE, PICTURE_SIZE), (90, 170, 120, 255))
    green.alpha_composite(Image.fromarray(cut))
    mask = np.asarray(np.rint(truth[0, 0].numpy() * 255), np.uint8)
    parts = [picture[..., :3], np.asarray(green.convert("RGB")), np.dstack([mask] * 3)]
    small = [np.asarray(Image.fromarray(part).resize((160, 160))) for part in parts]
    return np.concatenate(small, 1)
