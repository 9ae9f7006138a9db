"""Small ONNX graphs, written byte by byte: serving has no onnx package to write them with.

Field numbers are those of ``onnx.proto`` (github.com/onnx/onnx, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence

_FLOAT = 1
_OPSET = 17
_IR_VERSION = 9


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _block(field, value.encode())


def _block(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


_FIRST_AXIS = _text(1, "axis") + _number(3, 0) + _number(20, 2)


def concat_graph(count: int) -> bytes:
    """Return a graph that joins ``row0`` to ``row<count-1>`` along the first axis to ``batch``."""
    names = [f"row{i}" for i in range(count)]
    return _model("Concat", names, ["batch"])


def split_graph(count: int) -> bytes:
    """Return a graph that parts ``batch`` into ``count`` equal parts along the first axis."""
    names = [f"row{i}" for i in range(count)]
    return _model("Split", ["batch"], names)


def product_graph() -> bytes:
    """Return a graph that gives the products ``z`` of the matrices ``x`` and ``y``."""
    return _model("MatMul", ["x", "y"], ["z"], attribute=b"")


def _model(
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attribute: bytes = _FIRST_AXIS,
) -> bytes:
    node = b"".join(_text(1, name) for name in inputs)
    node += b"".join(_text(2, name) for name in outputs)
    node += _text(4, operator) + (_block(5, attribute) if attribute else b"")
    graph = _block(1, node) + _text(2, operator.lower())
    graph += b"".join(_block(11, _float_value(name)) for name in inputs)
    graph += b"".join(_block(12, _float_value(name)) for name in outputs)
    opset = _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _block(7, graph) + _block(8, opset)


def _float_value(name: str) -> bytes:
    # No shape: the same graph serves tensors of any rank.
    tensor_type = _number(1, _FLOAT)
    return _text(1, name) + _block(2, _block(1, tensor_type))
