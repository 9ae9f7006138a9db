"""Tiny model packs whose frames can be worked out by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from kuchipaku_animation import PARAMETER_NAMES, PARAMETER_RANGES

SIDE = 128
PARAMETERS = ["p0", "p1", "p2", "p3", "idle"]
CANVAS_SHAPE = ["n", 4, SIDE, SIDE]


def value(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def constant(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def graph_bytes(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]
) -> bytes:
    graph = helper.make_graph(nodes, "stage", inputs, outputs, weights)
    model: ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    return model.SerializeToString()


def scale_graph() -> bytes:
    """half = image * [0.5, 0.5, 0.5, 1]."""
    weights = np.array([0.5, 0.5, 0.5, 1], np.float32).reshape(1, 4, 1, 1)
    return graph_bytes(
        [helper.make_node("Mul", ["image", "w"], ["half"])],
        [value("image", CANVAS_SHAPE)],
        [value("half", CANVAS_SHAPE)],
        [constant("w", weights)],
    )


def add_graph(matrix: NDArray[np.float32]) -> bytes:
    """y = x + (pose @ matrix) on the channels."""
    return graph_bytes(
        [
            helper.make_node("MatMul", ["pose", "m"], ["flat"]),
            helper.make_node("Unsqueeze", ["flat", "axes"], ["tall"]),
            helper.make_node("Add", ["x", "tall"], ["y"]),
        ],
        [value("x", CANVAS_SHAPE), value("pose", ["n", matrix.shape[0]])],
        [value("y", CANVAS_SHAPE)],
        [constant("m", matrix), constant("axes", np.array([2, 3], np.int64))],
    )


def tint_graph() -> bytes:
    """tint = pose @ matrix, (N, 4): p2 to blue, p3 to red."""
    matrix = np.array([[0, 0, 1, 0], [1, 0, 0, 0]], np.float32)
    return graph_bytes(
        [helper.make_node("MatMul", ["pose", "m"], ["tint"])],
        [value("pose", ["n", 2])],
        [value("tint", ["n", 4])],
        [constant("m", matrix)],
    )


def compose_graph() -> bytes:
    """frame = face + tint."""
    return graph_bytes(
        [
            helper.make_node("Unsqueeze", ["tint", "axes"], ["tall"]),
            helper.make_node("Add", ["face", "tall"], ["frame"]),
        ],
        [value("face", CANVAS_SHAPE), value("tint", ["n", 4])],
        [value("frame", CANVAS_SHAPE)],
        [constant("axes", np.array([2, 3], np.int64))],
    )


def assert_frame(pixels: NDArray[np.uint8], canvas: NDArray[np.uint8], pose: Any) -> None:
    """Check a frame of the tiny model for an opaque canvas; a rounding tie may fall either way."""
    shift = np.array([pose[0] + pose[3], pose[1], pose[2]])
    colours = np.clip(canvas[..., :3] / 255 * 0.5 + shift, 0, 1) * 255
    np.testing.assert_allclose(pixels[..., :3], colours, rtol=0, atol=0.51)
    assert (pixels[..., 3] == 255).all()


def tiny_stages() -> dict[str, tuple[bytes, dict[str, Any], dict[str, str]]]:
    face = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    return {
        "encode": (scale_graph(), {"image": {"tensor": "canvas"}}, {"half": "half"}),
        "face": (
            add_graph(face),
            {"x": {"tensor": "half"}, "pose": {"pose": [0, 2]}},
            {"y": "face_rgba"},
        ),
        "head": (tint_graph(), {"pose": {"pose": [2, 4]}}, {"tint": "tint"}),
        "compose": (
            compose_graph(),
            {"face": {"tensor": "face_rgba"}, "tint": {"tensor": "tint"}},
            {"frame": "frame"},
        ),
    }


def manifest_of(
    stages: dict[str, tuple[bytes, dict[str, Any], dict[str, str]]],
    *,
    name: str = "tiny",
    parameters: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "format": 1,
        "name": name,
        "version": "1",
        "family": "test",
        "licence": "Apache-2.0",
        "attribution": "The tests",
        "canvas": {"size": SIDE, "convention": "premultiplied_srgb"},
        "parameters": [
            {"name": name, "minimum": -1.0, "maximum": 1.0, "neutral": 0.0}
            for name in parameters or PARAMETERS
        ],
        "mouth_map": None,
        "output": {"tensor": "frame", "convention": "premultiplied_srgb"},
        "stages": [
            {
                "name": stage,
                "file": f"{stage}.onnx",
                "sha256": hashlib.sha256(data).hexdigest(),
                "inputs": inputs,
                "outputs": outputs,
            }
            for stage, (data, inputs, outputs) in stages.items()
        ],
    }


def write_pack(
    folder: Path,
    stages: dict[str, tuple[bytes, dict[str, Any], dict[str, str]]] | None = None,
    **changes: Any,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stages = stages or tiny_stages()
    for stage, (data, _, _) in stages.items():
        (folder / f"{stage}.onnx").write_bytes(data)
    manifest = manifest_of(stages) | changes
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def talker_stages() -> dict[str, tuple[bytes, dict[str, Any], dict[str, str]]]:
    """The tiny model with the mouth (aaa, iii) and the head (x, y) of the 45 THA parameters."""
    stages = tiny_stages()
    for stage, (start, stop) in {"face": (26, 28), "head": (39, 41)}.items():
        data, inputs, outputs = stages[stage]
        stages[stage] = (data, inputs | {"pose": {"pose": [start, stop]}}, outputs)
    return stages


def talker_parameters() -> list[dict[str, Any]]:
    return [
        {"name": name, "minimum": low, "maximum": high, "neutral": 0.0}
        for name, (low, high) in zip(PARAMETER_NAMES, PARAMETER_RANGES, strict=True)
    ]


def talker_pose(pose: NDArray[Any]) -> NDArray[Any]:
    """The values of a 45-parameter pose that the talker shows, as `assert_frame` takes them."""
    return np.array([pose[26], pose[27], pose[39], pose[40]])
