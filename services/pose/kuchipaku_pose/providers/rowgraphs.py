"""Small ONNX graphs, written byte by byte: serving has no onnx package to write them with.

Field numbers are those of ``onnx.proto`` (github.com/onnx/onnx, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_FLOAT, _INT64 = 1, 7
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
    return _model("Concat", [_value(name) for name in _rows(count)], [_value("batch")])


def split_graph(count: int) -> bytes:
    """Return a graph that parts ``batch`` along the first axis.

    The int64 tensor ``sizes`` says how many rows go to each of ``row0`` to ``row<count-1>``.
    """
    inputs = [_value("batch"), _value("sizes", _INT64)]
    return _model("Split", inputs, [_value(name) for name in _rows(count)])


def product_graph(side: int) -> bytes:
    """Return a graph that gives the products ``z`` of the matrices ``x`` and ``y``.

    All are (n, side, side) and say so, which TensorRT insists on.
    """
    x, y, z = (_value(name, dims=("n", side, side)) for name in "xyz")
    return _model("MatMul", [x, y], [z], attribute=b"")


def _rows(count: int) -> Sequence[str]:
    return [f"row{i}" for i in range(count)]


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    description: bytes


def _value(name: str, element: int = _FLOAT, dims: Sequence[int | str] = ()) -> _Value:
    """Describe an input or output; without ``dims`` it may have any shape."""
    tensor_type = _number(1, element)
    if dims:
        sizes = (_text(2, dim) if isinstance(dim, str) else _number(1, dim) for dim in dims)
        tensor_type += _block(2, b"".join(_block(1, size) for size in sizes))
    return _Value(name, _text(1, name) + _block(2, _block(1, tensor_type)))


def _model(
    operator: str,
    inputs: Sequence[_Value],
    outputs: Sequence[_Value],
    attribute: bytes = _FIRST_AXIS,
) -> bytes:
    node = b"".join(_text(1, value.name) for value in inputs)
    node += b"".join(_text(2, value.name) for value in outputs)
    node += _text(4, operator) + (_block(5, attribute) if attribute else b"")
    graph = _block(1, node) + _text(2, operator.lower())
    graph += b"".join(_block(11, value.description) for value in inputs)
    graph += b"".join(_block(12, value.description) for value in outputs)
    opset = _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _block(7, graph) + _block(8, opset)
