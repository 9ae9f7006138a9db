"""Export of the head-box networks as ONNX files that say what their outputs are."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from kuchipaku_training.checkpoints import put_averaged
from kuchipaku_training.headbox.card import write_card
from kuchipaku_training.headbox.networks import (
    EXAMINER_OUTPUTS,
    EXAMINER_SIZE,
    EXAMINER_VIEW,
    FINDER_OUTPUTS,
    FINDER_SIZE,
    FINDER_STRIDE,
    ExaminerNetwork,
)
from kuchipaku_training.headbox.task import TASKS, examiner_batch
from kuchipaku_training.matting.dataset import FigureData, open_data
from kuchipaku_training.matting.export import add_metadata, check_parity, milliseconds
from kuchipaku_training.pose.export import StageExport, write_stage

_CALIBRATION_SEED: Final = 5_000_000
_CALIBRATION_CROPS: Final = 256
_LEAST_SLOPE: Final = 0.05
#: As in the evaluation: what counts as facing the viewer, and as turned.
_FRONTAL: Final = 0.3
_TURNED: Final = 0.7

_MEANING: dict[str, dict[str, Any]] = {
    "finder": {"side": FINDER_SIZE, "stride": FINDER_STRIDE, "outputs": FINDER_OUTPUTS},
    "examiner": {"side": EXAMINER_SIZE, "view": EXAMINER_VIEW, "outputs": EXAMINER_OUTPUTS},
}


def load_network(work: Path, name: str) -> tuple[nn.Module, int]:
    """Return the averaged network `name` of the training in `work`, and its steps.

    Raises FailedPreconditionError if there is no checkpoint.
    """
    network = TASKS[name].build()
    state = put_averaged(network, work / "runs" / f"{name}.pt")
    return network.eval(), int(state["step"])


def calibrate(network: ExaminerNetwork, data: FigureData) -> None:
    """Correct what the examiner's measures are off by on average, in its last layer.

    Turn and nod come out too small where training was short: they are stretched to the reach of
    the truth. The box's measures lose their mean error. `data` is the training set.
    """
    batch = examiner_batch(data, np.random.default_rng(_CALIBRATION_SEED), _CALIBRATION_CROPS)
    with torch.inference_mode():
        output = network(batch.picture).numpy()
    truth, seen = batch.target.numpy(), batch.weight.numpy()[:, 4] > 0
    with torch.no_grad():
        for index, name in enumerate(EXAMINER_OUTPUTS[4:], 4):
            slope, offset = 1.0, float(np.mean(output[seen, index] - truth[seen, index]))
            if name in ("turn", "nod"):
                offset = float(np.polyfit(truth[seen, index], output[seen, index], 1)[1])
                slope = _telling_slope(output[seen, index] - offset, truth[seen, index])
            network.out.weight[index] /= slope
            network.out.bias[index] = (network.out.bias[index] - offset) / slope


def _telling_slope(output: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """The slope by which output over 1/2 tells best who is turned from who is not."""
    clear = (np.abs(truth) < _FRONTAL) | (np.abs(truth) >= _TURNED)
    turned = np.abs(truth[clear]) >= _TURNED
    slopes = np.geomspace(_LEAST_SLOPE, 1.5, 60)

    def errors(slope: float) -> float:
        told = np.abs(output[clear] / slope) > 0.5
        # Both kinds of error count alike, however rare turned heads are.
        return float(np.mean(told[~turned]) + np.mean(~told[turned])) if turned.any() else 1.0

    return float(min(slopes, key=errors))


def write_networks(
    work: Path, train: FigureData, held: FigureData, folder: Path
) -> dict[str, dict[str, float]]:
    """Write `finder.onnx` and `examiner.onnx` to `folder`; return figures of each."""
    figures = {}
    for name, task in TASKS.items():
        network, steps = load_network(work, name)
        if isinstance(network, ExaminerNetwork):
            calibrate(network, train)
        example = task.batch(held, np.random.default_rng(0), 2).picture
        path = folder / f"{name}.onnx"
        write_stage(StageExport(name, network, {"picture": example}, {}, ["output"]), path)
        add_metadata(
            path,
            license="Apache-2.0",
            version=f"1.{steps}",
            kuchipaku=json.dumps(_MEANING[name]),
        )
        figures[name] = {
            "parity": check_parity(path, network, example),
            "milliseconds": milliseconds(path, (1, *example.shape[1:])),
            "bytes": float(path.stat().st_size),
            "steps": float(steps),
        }
    return figures


def export_model(work: Path, data: Path, folder: Path, console: Console, note: str = "") -> None:
    """Write the networks and their card to `folder`, checked and measured.

    The files there are replaced only when everything has succeeded. Raises
    FailedPreconditionError if a checkpoint, the held-out set or the evaluation is missing.
    """
    train, held = open_data(data / "train"), open_data(data / "held")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        draft = Path(name)
        figures = write_networks(work, train, held, draft)
        reports = work / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "export.json").write_text(json.dumps(figures, indent=2), "utf-8")
        write_card(work, draft, data, note)
        folder.mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(folder / file.name)
    size = sum(one["bytes"] for one in figures.values())
    speed = ", ".join(f"{key} {one['milliseconds']:.1f} ms" for key, one in figures.items())
    console.print(f"wrote {folder}: {size / 1e6:.2f} MB, {speed}", highlight=False)
