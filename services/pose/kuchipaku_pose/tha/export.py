"""Stages to ONNX files with a dynamic batch axis."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from kuchipaku_pose.manifest import CANVAS
from kuchipaku_pose.tha.stages import StageDraft

OPSET = 18
POSE_INPUT = "pose"
"""Name of the graph input that takes pose parameters."""
_SMALL = 512
"""Fewest values of a weight that is worth storing in half the bytes."""


def export_stages(
    stages: Sequence[StageDraft], folder: Path, canvas_side: int, pose_size: int
) -> Iterator[StageDraft]:
    """Write ``<stage>.onnx`` for each stage into ``folder`` and yield the stage that is written."""
    tensors = {CANVAS: torch.rand(2, 4, canvas_side, canvas_side) * 2 - 1}
    pose = torch.rand(2, pose_size)
    for stage in stages:
        inputs = {name: tensors[name] for name in stage.reads}
        if stage.pose is not None:
            inputs[POSE_INPUT] = pose[:, stage.pose]
        with torch.no_grad():
            outputs = stage.module(*inputs.values())
            write_stage(stage, inputs, folder / f"{stage.name}.onnx")
        tensors |= dict(zip(stage.writes, outputs, strict=True))
        yield stage


def write_stage(stage: StageDraft, inputs: dict[str, Tensor], path: Path) -> None:
    """Write one stage as ONNX; ``inputs`` are examples by input name, batch first."""
    axes = {name: {0: "n"} for name in (*inputs, *stage.writes)}
    with warnings.catch_warnings():
        # The tracing exporter takes modules as they are, says that it is the older one, and warns
        # of sizes that become constants, which they are.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            stage.module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(stage.writes),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    _check_inputs(model, inputs)
    store_compactly(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _check_inputs(model: onnx.ModelProto, inputs: dict[str, Tensor]) -> None:
    known = {value.name for value in model.graph.input}
    unused = set(inputs) - known
    if unused:
        raise ValueError(f"the stage does not use its inputs {sorted(unused)}")


def store_compactly(model: onnx.ModelProto) -> None:
    """Store weights that half precision holds exactly in half the bytes, with a cast behind.

    The author's half variants are such. onnxruntime computes the cast once, when it loads.
    """
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes: list[Any] = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
