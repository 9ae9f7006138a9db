"""onnxruntime with IO binding: values stay in the memory of the device between stages.

The same code runs bound to the CPU's memory, which is how it is tested where there is no GPU.
Rows are joined to a batch and batches parted into rows on the device too, by graphs of a single
Concat or Split.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from kuchipaku_pose.providers.base import (
    DeviceTensor,
    ProviderName,
    ProviderOptions,
    Row,
    StageSession,
    Tensor,
    Value,
    stage_failed,
)
from kuchipaku_pose.providers.ort import open_inference_session
from kuchipaku_pose.providers.rowgraphs import concat_graph, split_graph


class BoundTensor(DeviceTensor):
    """A float32 tensor that onnxruntime holds."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(self.value.tensor_size_in_bytes())

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, the batch first."""
        return tuple(self.value.shape())

    def to_host(self) -> Tensor:
        """Return a copy in the process's own memory."""
        array: Tensor = np.array(self.value.numpy(), np.float32)
        return array


class BoundSession(StageSession):
    """A graph whose inputs and outputs lie in the device's memory."""

    def __init__(self, stage: str, graph: bytes, options: ProviderOptions, rows: RowTools) -> None:
        """Open ``graph``; raises as `open_inference_session` does.

        Args:
            stage: for messages.
            graph: ONNX bytes without external data.
            options: the provider.
            rows: of the same provider; shared by all stages.
        """
        super().__init__(stage)
        self._session, provider = open_inference_session(stage, graph, options)
        self._place = _Place(provider, options.device)
        self._rows = rows
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._outputs = [value.name for value in self._session.get_outputs()]

    def run(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """Run the graph; see `StageSession.run`. The values returned are `BoundTensor`."""
        try:
            inputs = {name: self._gathered(rows, name) for name in self._inputs}
            outputs = self._place.run(self._session, inputs, self._outputs)
            columns = [self._rows.split(value, len(rows)) for value in outputs]
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise stage_failed(self.stage) from error
        return [
            {
                name: BoundTensor(column[i])
                for name, column in zip(self._outputs, columns, strict=True)
            }
            for i in range(len(rows))
        ]

    def _gathered(self, rows: Sequence[Row], name: str) -> Any:
        values = [row[name] for row in rows]
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        if len(arrays) == len(values):
            # Poses come from the host: one small copy, joined before it.
            joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
            return self._place.upload(joined)
        return self._rows.concat([self._resident(value) for value in values])

    def _resident(self, value: Value) -> Any:
        return value.value if isinstance(value, BoundTensor) else self._place.upload(value)


class RowTools:
    """Joins and parts values on the device, with a small session for each number of rows."""

    def __init__(self, options: ProviderOptions) -> None:
        self._options = options
        self._sessions: dict[tuple[str, int], tuple[Any, _Place]] = {}
        self._lock = threading.Lock()

    def upload(self, tensor: Tensor) -> BoundTensor:
        """Return a copy of ``tensor`` in the device's memory."""
        _, place = self._session("concat", 1)
        return BoundTensor(place.upload(tensor.copy()))

    def concat(self, values: Sequence[Any]) -> Any:
        """Return one value with the rows of ``values``."""
        if len(values) == 1:
            return values[0]
        session, place = self._session("concat", len(values))
        inputs = {f"row{i}": value for i, value in enumerate(values)}
        return place.run(session, inputs, ["batch"])[0]

    def split(self, value: Any, count: int) -> list[Any]:
        """Return the ``count`` rows of ``value``, each with memory of its own."""
        if count == 1:
            return [value]
        session, place = self._session("split", count)
        return place.run(session, {"batch": value}, [f"row{i}" for i in range(count)])

    def _session(self, kind: str, count: int) -> tuple[Any, _Place]:
        key = kind, count
        with self._lock:
            if key not in self._sessions:
                graph = concat_graph(count) if kind == "concat" else split_graph(count)
                session, provider = open_inference_session(kind, graph, self._options)
                self._sessions[key] = session, _Place(provider, self._options.device)
            return self._sessions[key]


class _Place:
    """Where a session's values lie, as onnxruntime names it."""

    def __init__(self, provider: ProviderName, device: int) -> None:
        self._type = "cuda" if provider.is_gpu else "cpu"
        self._id = device if provider.is_gpu else 0

    def upload(self, value: Any) -> Any:
        array = value if isinstance(value, np.ndarray) else value.to_host()
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._type, self._id)

    def run(self, session: Any, inputs: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name, self._type, self._id)
        session.run_with_iobinding(binding)
        values: list[Any] = binding.get_outputs()
        return values
