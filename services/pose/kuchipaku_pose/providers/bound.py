"""onnxruntime with IO binding: values stay in the memory of the device between stages.

The same code runs bound to the CPU's memory, which is how it is tested where there is no GPU.
Rows are joined to a batch and batches parted into rows on the device too, by two graphs, of a
single Concat and of a single Split.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

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

_SLOTS: Final = 32
"""Rows joined or parted at a time at most; more go in two steps."""


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
        # Now, and not in the middle of the first batch.
        rows.open()
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
    """Joins and parts values on the device.

    One session each, for any number of rows: every session has memory of its own and gives none
    of it back, so that one for each number would hold many times what a batch takes. Slots that
    a run has no row for carry none.
    """

    def __init__(self, options: ProviderOptions) -> None:
        # The graphs leave shapes open, and TensorRT takes none that do.
        is_tensorrt = options.name is ProviderName.TENSORRT
        self._options = replace(options, name=ProviderName.CUDA) if is_tensorrt else options
        self._slots = max(2, min(options.max_batch or _SLOTS, _SLOTS))
        self._lock = threading.Lock()
        self._opened: _RowSessions | None = None
        self._none: dict[tuple[int, ...], Any] = {}

    def open(self) -> _RowSessions:
        """Open the sessions, once; raises as `open_inference_session` does."""
        with self._lock:
            if self._opened is None:
                options = self._options
                concat, provider = open_inference_session(
                    "concat", concat_graph(self._slots), options
                )
                split, _ = open_inference_session("split", split_graph(self._slots), options)
                self._opened = _RowSessions(concat, split, _Place(provider, options.device))
            return self._opened

    def upload(self, tensor: Tensor) -> BoundTensor:
        """Return a copy of ``tensor`` in the device's memory."""
        return BoundTensor(self.open().place.upload(tensor.copy()))

    def concat(self, values: Sequence[Any]) -> Any:
        """Return one value with the rows of ``values``."""
        if len(values) == 1:
            return values[0]
        step = -(-len(values) // self._slots)
        parts = [self.concat(values[i : i + step]) for i in range(0, len(values), step)]
        sessions = self.open()
        shape = (0, *values[0].shape()[1:])
        if shape not in self._none:
            self._none[shape] = sessions.place.upload(np.empty(shape, np.float32))
        parts += [self._none[shape]] * (self._slots - len(parts))
        inputs = {f"row{i}": part for i, part in enumerate(parts)}
        return sessions.place.run(sessions.concat, inputs, ["batch"])[0]

    def split(self, value: Any, count: int) -> list[Any]:
        """Return the ``count`` rows of ``value``, each with memory of its own."""
        if count == 1:
            return [value]
        step = -(-count // self._slots)
        sizes = [min(step, count - i) for i in range(0, count, step)]
        filled = np.array(sizes + [0] * (self._slots - len(sizes)), np.int64)
        sessions = self.open()
        inputs = {"batch": value, "sizes": ort.OrtValue.ortvalue_from_numpy(filled)}
        names = [f"row{i}" for i in range(self._slots)]
        parts = sessions.place.run(sessions.split, inputs, names)
        return [
            row for part, rows in zip(parts, sizes, strict=False) for row in self.split(part, rows)
        ]


@dataclass(frozen=True, slots=True)
class _RowSessions:
    """What joins rows, what parts them, and where they lie."""

    concat: Any
    split: Any
    place: _Place


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
