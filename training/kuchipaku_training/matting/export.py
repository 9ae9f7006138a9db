"""Export of the matting network: one ONNX file that rembg's custom session loads as well."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from rich.console import Console
from torch import Tensor, nn

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_training.checkpoints import put_averaged
from kuchipaku_training.matting import task
from kuchipaku_training.matting.card import write_card
from kuchipaku_training.matting.dataset import FigureData, open_data
from kuchipaku_training.matting.network import INPUT_SIZE, MattingNetwork, normalised
from kuchipaku_training.pose.export import StageExport, write_stage

FILE: Final = "matting.onnx"
_PARITY_LIMIT: Final = 0.03
_RUNS: Final = 20


class MattingExport(nn.Module):
    """The network with its probabilities as output."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return torch.sigmoid(self.network(picture))


def load_network(work: Path) -> tuple[MattingNetwork, int]:
    """Return the averaged network of the training in `work` and its steps.

    Raises FailedPreconditionError if there is no checkpoint.
    """
    network = MattingNetwork()
    state = put_averaged(network, work / "runs" / "matting.pt")
    return network.eval(), int(state["step"])


def add_metadata(path: Path, **entries: str) -> None:
    """Write metadata into an ONNX file."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, entries)
    onnx.save(model, path)


def check_parity(path: Path, module: nn.Module, example: Tensor) -> float:
    """Return the largest difference between onnxruntime and torch on `example`.

    Raises FailedPreconditionError if it is above 0.03: float16 weights allow some 0.001.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    values = np.asarray(session.run(None, {name: example.numpy()})[0])
    with torch.inference_mode():
        truth = module.eval()(example).numpy()
    worst = float(np.abs(values - truth).max() / max(1.0, float(np.abs(truth).max())))
    if worst > _PARITY_LIMIT:
        raise FailedPreconditionError(
            f"{path.name} differs from the network by {worst:.4f}", reason="EXPORT_DIFFERS"
        )
    return worst


def milliseconds(path: Path, shape: tuple[int, ...]) -> float:
    """Return the median CPU milliseconds of one run on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    values = np.zeros(shape, np.float32)
    name = session.get_inputs()[0].name
    seconds = []
    for _ in range(_RUNS):
        started = time.process_time()
        session.run(None, {name: values})
        seconds.append(time.process_time() - started)
    return 1000.0 * float(np.median(seconds))


def write_network(work: Path, held: FigureData, folder: Path) -> dict[str, float]:
    """Write `matting.onnx` to `folder`, checked; return its figures."""
    network, steps = load_network(work)
    module = MattingExport(network)
    picture = task.draw_single(held, INPUT_SIZE, np.random.default_rng(0)).picture[None]
    example = normalised(picture)
    path = folder / FILE
    inputs = {"picture": example.repeat(2, 1, 1, 1)}
    write_stage(StageExport("matting", module, inputs, {}, ["alpha"]), path)
    add_metadata(path, license="Apache-2.0", version=f"1.{steps}")
    return {
        "parity": check_parity(path, module, example),
        "milliseconds": milliseconds(path, tuple(example.shape)),
        "bytes": path.stat().st_size,
        "steps": steps,
    }


def export_model(work: Path, folder: Path, console: Console, note: str = "") -> None:
    """Write `matting.onnx` and its card to `folder`, checked and measured.

    The files there are replaced only when everything has succeeded. Raises
    FailedPreconditionError if the checkpoint, the held-out set or the evaluation is missing.
    """
    held = open_data(work / "data" / "held")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        draft = Path(name)
        figures = write_network(work, held, draft)
        reports = work / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "export.json").write_text(json.dumps(figures, indent=2), "utf-8")
        write_card(work, draft, note)
        folder.mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(folder / file.name)
    console.print(
        f"wrote {folder}: {figures['bytes'] / 1e6:.2f} MB, parity {figures['parity']:.1e}, "
        f"{figures['milliseconds']:.0f} ms",
        highlight=False,
    )
