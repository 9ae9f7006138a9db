"""What an ONNX file declares, read without onnxruntime and without the onnx package.

A pack comes from outside, so its graphs are looked at before any runtime opens them: the declared
inputs and outputs, and whether a tensor's bytes lie in another file (which could name any path of
the machine). The messages below are the few fields of ``onnx.proto`` (github.com/onnx/onnx,
Apache-2.0) that this needs; protobuf skips the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

FLOAT32 = 1
"""``onnx.TensorProto.FLOAT``."""

_EXTERNAL = 1
"""``onnx.TensorProto.EXTERNAL``."""

_Field = descriptor_pb2.FieldDescriptorProto
_STRING, _BYTES = _Field.TYPE_STRING, _Field.TYPE_BYTES
_INT32, _INT64 = _Field.TYPE_INT32, _Field.TYPE_INT64
_FLOAT = _Field.TYPE_FLOAT
_ONE, _MANY = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED

_SCHEMA: dict[str, list[tuple[str, int, int, int | str]]] = {
    "Model": [
        ("graph", 7, _ONE, "Graph"),
        ("opset_import", 8, _MANY, "Opset"),
        ("functions", 25, _MANY, "Function"),
    ],
    "Opset": [("domain", 1, _ONE, _STRING), ("version", 2, _ONE, _INT64)],
    "Function": [("node", 7, _MANY, "Node")],
    "Graph": [
        ("node", 1, _MANY, "Node"),
        ("initializer", 5, _MANY, "Tensor"),
        ("input", 11, _MANY, "ValueInfo"),
        ("output", 12, _MANY, "ValueInfo"),
        ("sparse_initializer", 15, _MANY, "SparseTensor"),
    ],
    "Node": [
        ("input", 1, _MANY, _STRING),
        ("output", 2, _MANY, _STRING),
        ("op_type", 4, _ONE, _STRING),
        ("attribute", 5, _MANY, "Attribute"),
    ],
    "Attribute": [
        ("name", 1, _ONE, _STRING),
        ("f", 2, _ONE, _FLOAT),
        ("i", 3, _ONE, _INT64),
        ("s", 4, _ONE, _BYTES),
        ("t", 5, _ONE, "Tensor"),
        ("g", 6, _ONE, "Graph"),
        ("ints", 8, _MANY, _INT64),
        ("tensors", 10, _MANY, "Tensor"),
        ("graphs", 11, _MANY, "Graph"),
        ("type", 20, _ONE, _INT32),
        ("sparse_tensor", 22, _ONE, "SparseTensor"),
        ("sparse_tensors", 23, _MANY, "SparseTensor"),
    ],
    "Tensor": [
        ("dims", 1, _MANY, _INT64),
        ("data_type", 2, _ONE, _INT32),
        ("name", 8, _ONE, _STRING),
        ("raw_data", 9, _ONE, _BYTES),
        ("external_data", 13, _MANY, "Entry"),
        ("data_location", 14, _ONE, _INT32),
    ],
    "SparseTensor": [("values", 1, _ONE, "Tensor"), ("indices", 2, _ONE, "Tensor")],
    "Entry": [("key", 1, _ONE, _STRING), ("value", 2, _ONE, _STRING)],
    "ValueInfo": [("name", 1, _ONE, _STRING), ("type", 2, _ONE, "Type")],
    "Type": [("tensor_type", 1, _ONE, "TensorType")],
    "TensorType": [("elem_type", 1, _ONE, _INT32), ("shape", 2, _ONE, "Shape")],
    "Shape": [("dim", 1, _MANY, "Dimension")],
    "Dimension": [("dim_value", 1, _ONE, _INT64), ("dim_param", 2, _ONE, _STRING)],
}


def _model_class() -> Any:
    package = "kuchipaku_pose.onnxview"
    file = descriptor_pb2.FileDescriptorProto(
        name="kuchipaku_pose/onnxview.proto", package=package, syntax="proto2"
    )
    for message_name, fields in _SCHEMA.items():
        message = file.message_type.add(name=message_name)
        for name, number, label, kind in fields:
            field = message.field.add(name=name, number=number)
            field.label = label  # type: ignore[assignment]
            if isinstance(kind, str):
                field.type = _Field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
            else:
                field.type = kind  # type: ignore[assignment]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"{package}.Model")
    return message_factory.GetMessageClass(descriptor)


_Model = _model_class()


class OnnxFormatError(ValueError):
    """The bytes are not an ONNX model."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A graph input or output: its element type and shape (None = a dynamic axis)."""

    element_type: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """What a graph takes and gives, and the files outside it that it names."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    external_locations: tuple[str, ...]


def parse_model(data: bytes) -> Any:
    """Return ``data`` as a message with the fields above.

    Raises:
        OnnxFormatError: the bytes are not such a message.
    """
    try:
        return _Model.FromString(data)
    except DecodeError as error:
        raise OnnxFormatError("not an ONNX model: the protobuf message does not parse") from error


def read_signature(data: bytes) -> GraphSignature:
    """Return the signature of the ONNX model ``data``.

    Raises:
        OnnxFormatError: the bytes are not a protobuf message with an ONNX graph that has outputs.
    """
    model = parse_model(data)
    if not model.graph.output:
        raise OnnxFormatError("not an ONNX model: no graph with outputs")
    weights = {tensor.name for tensor in model.graph.initializer}
    return GraphSignature(
        # IR versions below 4 list the weights among the inputs.
        inputs={v.name: _spec(v) for v in model.graph.input if v.name not in weights},
        outputs={v.name: _spec(v) for v in model.graph.output},
        external_locations=tuple(_external_locations(model)),
    )


def _spec(value: Any) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return TensorSpec(tensor.elem_type, shape)


def _external_locations(model: Any) -> Iterator[str]:
    for tensor in _tensors_of_graph(model.graph):
        yield from _locations(tensor)
    for function in model.functions:
        for tensor in _tensors_of_nodes(function.node):
            yield from _locations(tensor)


def _locations(tensor: Any) -> Iterator[str]:
    if tensor.data_location == _EXTERNAL or tensor.external_data:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        yield entries.get("location", "")


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    yield from _dense(graph.sparse_initializer)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            yield from _dense([attribute.sparse_tensor, *attribute.sparse_tensors])
            for graph in [attribute.g, *attribute.graphs]:
                yield from _tensors_of_graph(graph)


def _dense(sparse_tensors: Iterable[Any]) -> Iterator[Any]:
    for sparse in sparse_tensors:
        yield sparse.values
        yield sparse.indices
