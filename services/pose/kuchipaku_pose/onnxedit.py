"""Editing of ONNX graphs without the onnx package: what rewrites of stages need.

Fields that `kuchipaku_pose.onnxfile` does not name are kept as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.onnxfile import parse_model

_TYPES: Final[dict[int, type[np.generic]]] = {1: np.float32, 7: np.int64, 9: np.bool_}
"""numpy's types by ``onnx.TensorProto.DataType``, those that rewrites handle."""
_CODES: Final = {np.dtype(kind): code for code, kind in _TYPES.items()}
_FLOAT, _INT, _INTS = 1, 2, 7
"""``onnx.AttributeProto.AttributeType``."""

Array = NDArray[Any]


class GraphMismatchError(Exception):
    """A graph does not look as a rewrite expects."""


class GraphEditor:
    """One model while it is changed."""

    def __init__(self, data: bytes) -> None:
        """Read a model; raises `OnnxFormatError` if the bytes are none."""
        self.model = parse_model(data)
        self.graph = self.model.graph
        self._makers = {output: node for node in self.graph.node for output in node.output}
        self._tensors = {tensor.name: tensor for tensor in self.graph.initializer}

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators that the model uses."""
        versions = [entry.version for entry in self.model.opset_import if not entry.domain]
        return max(versions, default=0)

    def maker_of(self, name: str) -> Any | None:
        """Return the node that makes the tensor ``name``, if one does."""
        return self._makers.get(name)

    def maker(self, name: str, operator: str) -> Any:
        """Return the node that makes the tensor ``name``, which must be an ``operator``."""
        node = self._makers.get(name)
        if node is None or node.op_type != operator:
            raise GraphMismatchError(f"{name} is not made by {operator}")
        return node

    def users(self, name: str, operator: str | None = None) -> list[Any]:
        """Return the nodes that read the tensor ``name``."""
        return [
            node
            for node in self.graph.node
            if name in node.input and operator in {None, node.op_type}
        ]

    def user(self, name: str, operator: str) -> Any:
        """Return the only ``operator`` that reads the tensor ``name``."""
        found = self.users(name, operator)
        if len(found) != 1:
            raise GraphMismatchError(f"{len(found)} nodes {operator} read {name}, expected one")
        return found[0]

    def value(self, name: str) -> Array | None:
        """Return a constant, None if ``name`` is none or of a type not handled."""
        node = self._makers.get(name)
        if node is not None and node.op_type == "Constant":
            tensors = [a.t for a in node.attribute if a.name == "value"]
        else:
            tensors = [self._tensors[name]] if name in self._tensors else []
        if not tensors or tensors[0].data_type not in _TYPES or not tensors[0].raw_data:
            return None
        kind = _TYPES[tensors[0].data_type]
        return np.frombuffer(tensors[0].raw_data, kind).reshape(list(tensors[0].dims))

    def expect(self, name: str, value: object) -> None:
        """Check that the tensor ``name`` is the constant ``value``."""
        found = self.value(name)
        if found is None or not np.array_equal(found, np.asarray(value, found.dtype)):
            raise GraphMismatchError(f"{name} is not the constant {value}")

    def constant(self, name: str, value: object, kind: type[np.generic] = np.float32) -> str:
        """Add a constant and return its name."""
        array = np.asarray(value, kind)
        tensor = self.graph.initializer.add(name=name, data_type=_CODES[array.dtype])
        tensor.dims.extend(array.shape)
        tensor.raw_data = array.tobytes()
        self._tensors[name] = tensor
        return name

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        **attributes: float | Sequence[int],
    ) -> str:
        """Add a node and return the name of its output. `finish` puts nodes in order."""
        node = self.graph.node.add(op_type=operator, input=inputs, output=[output])
        for name, value in attributes.items():
            attribute = node.attribute.add(name=name)
            if isinstance(value, int):
                attribute.type, attribute.i = _INT, value
            elif isinstance(value, float):
                attribute.type, attribute.f = _FLOAT, value
            else:
                attribute.type = _INTS
                attribute.ints.extend(value)
        self._makers[output] = node
        return output

    def rename(self, name: str, to: str) -> str:
        """Rename the tensor ``name`` where it is made, and return its new name."""
        node = self._makers.pop(name)
        node.output[list(node.output).index(name)] = to
        self._makers[to] = node
        return to

    def _wanted(self) -> list[Any]:
        """Return the nodes that the outputs need, in the order in which they stand."""
        wanted: set[int] = set()
        pending = [value.name for value in self.graph.output]
        while pending:
            node = self._makers.get(pending.pop())
            if node is not None and id(node) not in wanted:
                wanted.add(id(node))
                pending += node.input
        return [node for node in self._nodes() if id(node) in wanted]

    def _nodes(self) -> list[Any]:
        # By way of the makers, which keep the same objects alive.
        return list({id(node): node for node in self._makers.values()}.values())

    def finish(self) -> bytes:
        """Return the model: the nodes that the outputs need, each after what it reads."""
        nodes = self._wanted()
        makers = {output: node for node in nodes for output in node.output}
        ordered: list[Any] = []
        begun: set[int] = set()
        for start in nodes:
            pending = [(start, False)]
            while pending:
                node, read = pending.pop()
                if read:
                    ordered.append(node)
                elif id(node) not in begun:
                    begun.add(id(node))
                    pending.append((node, True))
                    pending += [(makers[name], False) for name in node.input if name in makers]
        in_order = [node.SerializeToString() for node in ordered]
        del self.graph.node[:]
        for data in in_order:
            self.graph.node.add().MergeFromString(data)
        result: bytes = self.model.SerializeToString()
        return result
