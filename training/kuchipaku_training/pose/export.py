"""Export of the trained networks as a pose model pack: ONNX stages, manifest, checks, speed."""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from torch import Tensor, nn

from kuchipaku_animation.poses import PARAMETER_NAMES
from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.pack import file_sha256, load_pack
from kuchipaku_training.pose.batches import to_tensor
from kuchipaku_training.pose.card import write_card
from kuchipaku_training.pose.dataset import open_data
from kuchipaku_training.pose.evaluate import load_networks
from kuchipaku_training.pose.layout import (
    CANVAS_SIZE,
    FACE_POSE,
    FACE_SIZE,
    HEAD_POSE,
    WINDOW_COLUMNS,
    WINDOW_LEFT,
    WINDOW_ROWS,
    WINDOW_SIZE,
    WINDOW_TOP,
)
from kuchipaku_training.pose.networks import FaceNetwork, RotatorNetwork
from kuchipaku_training.pose.stages import (
    ComposeStage,
    EncoderStage,
    FaceStage,
    FlowStage,
    render_frame,
)

OPSET = 19
_SIGNED = ("iris_rotation", "head_", "neck_", "body_")
_PARITY_LIMIT = 0.02
Array = NDArray[np.float32]


@dataclass(frozen=True)
class StageExport:
    """One stage to write: module, example inputs, and what its inputs and outputs are."""

    name: str
    module: nn.Module
    examples: dict[str, Tensor]
    inputs: dict[str, dict[str, Any]]
    outputs: list[str]


def build_stages(face: FaceNetwork, rotator: RotatorNetwork) -> list[StageExport]:
    """Return the stages in the order in which they run."""
    canvas = torch.rand(2, 4, CANVAS_SIZE, CANVAS_SIZE)
    face_pose, head_pose = torch.rand(2, 39), torch.rand(2, 6)
    encoder = EncoderStage(face, rotator)
    levels = range(len(face.config.decoder_widths))
    face_names = ["bare", *(f"face_features_{i}" for i in levels)]
    head_names = [f"head_features_{i}" for i in range(len(rotator.config.decoder_widths))]
    with torch.no_grad():
        features = list(encoder.eval()(canvas))
    face_features = dict(zip(face_names, features[: len(face_names)], strict=True))
    head_features = dict(zip(head_names, features[len(face_names) :], strict=True))
    morphed = torch.rand(2, 4, FACE_SIZE, FACE_SIZE)
    turned = {
        "turned": torch.rand(2, 4, CANVAS_SIZE, CANVAS_SIZE),
        "face_flow": torch.rand(2, 2, WINDOW_SIZE, WINDOW_SIZE),
        "keep": torch.rand(2, 1, WINDOW_SIZE, WINDOW_SIZE),
    }

    def reads(names: list[str]) -> dict[str, dict[str, Any]]:
        return {name: {"tensor": name} for name in ("canvas", *names)}

    return [
        StageExport("encoder", encoder, {"canvas": canvas}, reads([]), [*face_names, *head_names]),
        StageExport(
            "face",
            FaceStage(face),
            {"canvas": canvas, "pose": face_pose, **face_features},
            {**reads(face_names), "pose": {"pose": [FACE_POSE.start, FACE_POSE.stop]}},
            ["face_rgba"],
        ),
        StageExport(
            "flow",
            FlowStage(rotator),
            {"canvas": canvas, "pose": head_pose, **head_features},
            {**reads(head_names), "pose": {"pose": [HEAD_POSE.start, HEAD_POSE.stop]}},
            list(turned),
        ),
        StageExport(
            "compose",
            ComposeStage(),
            {"canvas": canvas, "face_rgba": morphed, **turned},
            reads(["face_rgba", *turned]),
            ["window"],
        ),
    ]


def write_stage(stage: StageExport, path: Path) -> None:
    """Export one stage with a dynamic batch axis; weights are stored as float16."""
    stage.module.eval()
    axes = {name: {0: "n"} for name in (*stage.examples, *stage.outputs)}
    with warnings.catch_warnings():
        # The tracing exporter writes the smaller graph here, and says that it is the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            stage.module,
            tuple(stage.examples.values()),
            str(path),
            input_names=list(stage.examples),
            output_names=stage.outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    _store_half(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _store_half(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16 with a cast, which the runtime folds at load."""
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 512 or weight.name.endswith("grid"):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def write_manifest(folder: Path, stages: list[StageExport], version: str) -> None:
    """Write `manifest.json` for the ONNX files in `folder`."""
    parameters = [
        {
            "name": name,
            "minimum": -1.0 if name.startswith(_SIGNED) else 0.0,
            "maximum": 1.0,
            "neutral": 0.0,
        }
        for name in PARAMETER_NAMES
    ]
    manifest = {
        "format": 1,
        "name": "starter",
        "version": version,
        "family": "starter",
        "licence": "Apache-2.0",
        "attribution": "The Kuchipaku authors; trained on characters drawn by the illustrator.",
        "canvas": {"size": CANVAS_SIZE, "convention": "premultiplied_srgb"},
        "parameters": parameters,
        "mouth_map": None,
        "output": {
            "tensor": "turned",
            "convention": "premultiplied_srgb",
            "patch": {
                "tensor": "window",
                "left": WINDOW_LEFT,
                "top": WINDOW_TOP,
                "width": WINDOW_SIZE,
                "height": WINDOW_SIZE,
            },
        },
        "stages": [
            {
                "name": stage.name,
                "file": f"{stage.name}.onnx",
                "sha256": file_sha256(folder / f"{stage.name}.onnx"),
                "inputs": {name: stage.inputs[name] for name in stage.examples},
                "outputs": {name: name for name in stage.outputs},
            }
            for stage in stages
        ],
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, "utf-8")


class PackRunner:
    """Runs the stages of a pack with onnxruntime on one thread, timing each."""

    def __init__(self, folder: Path) -> None:
        self.pack = load_pack(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.sessions = {
            name: onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
            for name, graph in self.pack.graphs.items()
        }

    def run(
        self, canvas: Array, pose: Array, seconds: dict[str, list[float]] | None = None
    ) -> Array:
        """Render frames (n, 4, 512, 512) of one canvas (1, 4, 512, 512) and poses (n, 45)."""
        tensors = {"canvas": np.repeat(canvas, len(pose), 0)}
        for stage in self.pack.manifest.stages:
            feed = {}
            for name, source in stage.inputs.items():
                wanted = source.model_dump()
                span = wanted.get("pose")
                feed[name] = pose[:, span[0] : span[1]] if span else tensors[wanted["tensor"]]
            names = list(stage.outputs)
            started = time.process_time()
            values = self.sessions[stage.name].run(names, feed)
            if seconds is not None:
                seconds.setdefault(stage.name, []).append(time.process_time() - started)
            tensors.update(zip((stage.outputs[name] for name in names), values, strict=True))
        frames = np.array(tensors["turned"], np.float32)
        frames[:, :, WINDOW_ROWS, WINDOW_COLUMNS] = tensors["window"]
        return frames

    def milliseconds(self, canvas: Array, poses: Array) -> dict[str, float]:
        """Return the median CPU milliseconds of each stage, one frame at a time."""
        seconds: dict[str, list[float]] = {}
        for pose in poses:
            self.run(canvas, pose[None], seconds)
        return {name: 1000.0 * float(np.median(values)) for name, values in seconds.items()}


def check_parity(
    runner: PackRunner, face: FaceNetwork, rotator: RotatorNetwork, canvas: Array, poses: Array
) -> float:
    """Return the largest difference between torch and onnxruntime on a real picture.

    Raises FailedPreconditionError if it is above 0.02 (float16 weights allow a few 0.001).
    """
    with torch.inference_mode():
        truth = render_frame(face, rotator, torch.from_numpy(canvas), torch.from_numpy(poses))
    worst = float(np.abs(runner.run(canvas, poses) - truth.numpy()).max())
    if worst > _PARITY_LIMIT:
        raise FailedPreconditionError(
            f"the exported stages differ from the networks by {worst:.4f}", reason="EXPORT_DIFFERS"
        )
    return worst


def export_pack(work: Path, folder: Path, console: Console, note: str = "") -> None:
    """Write the pack of the trained networks in `work` to `folder`, checked and measured.

    The files there are replaced only when everything has succeeded. `note` goes into the model
    card.

    Raises FailedPreconditionError if a checkpoint or the held-out set is missing, or the export
    does not compute what the networks do.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        draft = Path(name)
        figures = _write_pack(work, draft)
        _write_report(work, figures)
        write_card(work, draft, note)
        folder.mkdir(exist_ok=True)
        for path in draft.iterdir():
            path.replace(folder / path.name)
    speed = ", ".join(f"{stage} {value:.1f} ms" for stage, value in figures.milliseconds.items())
    console.print(
        f"wrote {folder}: {figures.bytes / 1e6:.1f} MB, parity {figures.parity:.1e}, {speed}",
        highlight=False,
    )


@dataclass(frozen=True)
class _Figures:
    parity: float
    milliseconds: dict[str, float]
    bytes: int


def _write_pack(work: Path, folder: Path) -> _Figures:
    face, rotator, seen = load_networks(work)
    stages = build_stages(face, rotator)
    for stage in stages:
        write_stage(stage, folder / f"{stage.name}.onnx")
    write_manifest(folder, stages, f"1.{sum(seen.values())}")
    held = open_data(work / "data" / "held")
    runner = PackRunner(folder)
    canvas = to_tensor(np.asarray(held["neutral"][:1])).contiguous().numpy()
    poses = np.concatenate([held["face_pose"][0, : held.spec.turns], held["head_pose"][0]], 1)
    poses = np.repeat(np.asarray(poses, np.float32), 3, 0)
    worst = check_parity(runner, face, rotator, canvas, poses[::3])
    speed = runner.milliseconds(canvas, poses)
    return _Figures(worst, speed, sum(path.stat().st_size for path in folder.glob("*.onnx")))


def _write_report(work: Path, figures: _Figures) -> None:
    reports = work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "export.json").write_text(json.dumps(asdict(figures), indent=2), "utf-8")
