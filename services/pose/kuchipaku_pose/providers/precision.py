"""Whether a half-precision graph keeps its sampling positions in single precision.

A position in a picture of 512 pixels needs nine bits before the point; half precision has eleven
in all, so that a grid in it moves the picture by up to a quarter of a pixel, differently from pixel
to pixel. Packs in half precision therefore keep grids, and the sampling by them, in float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.onnxfile import FLOAT32, parse_model

_HALF: Final = frozenset({10, 16})
"""``onnx.TensorProto.FLOAT16`` and ``BFLOAT16``."""
_FLOATS: Final = _HALF | {FLOAT32, 11}
_MOVES_ONLY: Final = frozenset(
    {"Transpose", "Reshape", "Unsqueeze", "Squeeze", "Concat", "Slice", "Gather", "Identity"}
)
"""Operators that compute nothing: what they give is as exact as what they take."""


def check_grids(stage: str, graph: bytes) -> None:
    """Check that each GridSample of the ONNX bytes ``graph`` samples, and is led, in float32.

    Raises:
        FailedPreconditionError: GRID_IN_HALF_PRECISION.
    """
    model = parse_model(graph)
    nodes, types = list(model.graph.node), _element_types(model.graph)
    makers = {output: node for node in nodes for output in node.output}
    for node in nodes:
        if node.op_type != "GridSample":
            continue
        if any(types.get(name) in _HALF for name in node.input):
            raise _refusal(stage, "samples in half precision")
        if _from_half([node.input[1]], makers, types):
            raise _refusal(stage, "computes its grid in half precision")


def _element_types(graph: Any) -> dict[str, int]:
    """Return the float type of each tensor, where it can be told."""
    types: dict[str, int] = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Cast":
            found = attributes["to"].i
        elif node.op_type == "Constant" and "value" in attributes:
            found = attributes["value"].t.data_type
        else:
            floats = (types[name] for name in node.input if types.get(name) in _FLOATS)
            found = next(floats, 0)
        types |= dict.fromkeys(node.output, found)
    return types


def _from_half(names: Iterable[str], makers: dict[str, Any], types: dict[str, int]) -> bool:
    """Whether a tensor is a half-precision one, only moved and cast since."""
    for name in names:
        node = makers.get(name)
        if node is None:
            continue
        if node.op_type == "Cast":
            if types.get(node.input[0]) in _HALF or _from_half(node.input, makers, types):
                return True
        elif node.op_type in _MOVES_ONLY and _from_half(node.input, makers, types):
            return True
    return False


def _refusal(stage: str, problem: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"The stage {stage!r} {problem}; a pack in half precision must keep grids in float32.",
        reason="GRID_IN_HALF_PRECISION",
        stage=stage,
    )
