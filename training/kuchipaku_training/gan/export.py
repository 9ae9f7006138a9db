"""Export of a trained generator as the ONNX file that the image service loads."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.backends.gan import latent
from kuchipaku_imagegen.onnxmodel import OnnxModel
from kuchipaku_training.gan.card import SHEETS, write_card
from kuchipaku_training.gan.graph import build_graph
from kuchipaku_training.gan.recipe import Recipe

#: Largest difference between ONNX and TensorFlow on the same latents, of pictures -1..1; the
#: file's weights are rounded to float16.
_TOLERANCE: Final = 0.05
_CHECKED: Final = 8
_TIMED: Final = 10


def write_model(recipe: Recipe, path: Path, properties: dict[str, str]) -> dict[str, float]:
    """Write a generator and check it. Returns figures: bytes, parity, milliseconds, steps.

    Raises FailedPreconditionError if the file's pictures are not TensorFlow's.
    """
    model = build_graph(recipe.layers, recipe.latent_size, recipe.weights(), properties)
    onnx.save(model, str(path))
    network = OnnxModel(path)
    values = np.stack([latent(seed, recipe.latent_size) for seed in range(_CHECKED)])
    expected = recipe.generate(values)
    found = network(values).transpose(0, 2, 3, 1)
    difference = np.abs(found - expected)
    if found.shape != expected.shape or float(difference.max()) > _TOLERANCE:
        raise FailedPreconditionError(
            f"the ONNX file's pictures differ from TensorFlow's by {float(difference.max()):.3f}",
            reason="EXPORT_DIFFERS",
        )
    started = time.process_time()
    for _ in range(_TIMED):
        network(values[:1])
    return {
        "bytes": float(path.stat().st_size),
        "parity_max": float(difference.max()),
        "parity_mean": float(difference.mean()),
        "milliseconds": (time.process_time() - started) * 1000.0 / _TIMED,
    }


def export_model(
    recipe: Recipe, about: dict[str, Any], reports: Path, folder: Path
) -> dict[str, float]:
    """Write `generator.onnx`, `MODEL_CARD.md` and the evaluation's sheets to `folder`.

    What is there is replaced last.

    about: architecture, licence, steps and samples of the training. Raises
    FailedPreconditionError if the export differs from TensorFlow or was not evaluated yet.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        draft = Path(name)
        properties = {
            "license": str(about["license"]),
            "architecture": str(about["architecture"]),
            "version": f"1.{about['steps']}",
        }
        figures = write_model(recipe, draft / "generator.onnx", properties)
        report = reports / f"{about['architecture']}-export.json"
        reports.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps({**about, **figures}, indent=2), "utf-8")
        write_card(reports, str(about["architecture"]), draft / "MODEL_CARD.md")
        for sheet in SHEETS:
            shutil.copyfile(reports / f"{about['architecture']}-{sheet}", draft / sheet)
        folder.mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(folder / file.name)
    return figures
