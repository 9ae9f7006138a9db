"""Sessions of OpenVINO (github.com/openvinotoolkit/openvino), an optional extra.

It reads the same ONNX files as onnxruntime and lives beside it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from kuchipaku_pose.onnxfile import read_signature
from kuchipaku_pose.providers.base import (
    ProviderOptions,
    Row,
    StageSession,
    Tensor,
    Value,
    join_rows,
    not_runnable,
    provider_missing,
    split_rows,
    stage_failed,
)

_DEVICE = "CPU"


def load_openvino() -> Any:
    """Return the package.

    Raises:
        ImportError: it is not installed.
    """
    return importlib.import_module("openvino")


def openvino_config(options: ProviderOptions) -> dict[str, Any]:
    """Return what models are compiled with: a stream for each run that goes beside others."""
    return {
        "INFERENCE_NUM_THREADS": options.threads * options.workers,
        "NUM_STREAMS": options.workers,
        # Pinned, the first thread of every stage sits on the first CPU, and stages that could run
        # side by side share it.
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if options.bfloat16 else "f32",
    }


class OpenVinoSession(StageSession):
    """A graph in OpenVINO on the processor; values are numpy arrays.

    OpenVINO is markedly faster with shapes that it knows, and their batch is all that varies:
    one compiled model is kept for each size of batch. It has a stream for each run that is to go
    side by side with others; runs of one stream wait for each other. A request object serves one
    run at a time; finished ones are used again.
    """

    def __init__(self, stage: str, graph: bytes, options: ProviderOptions) -> None:
        """Read ``graph``.

        Raises:
            FailedPreconditionError: PROVIDER_UNAVAILABLE, OpenVINO is not installed;
                STAGE_NOT_RUNNABLE, it refuses the graph.
        """
        super().__init__(stage)
        try:
            openvino = load_openvino()
        except ImportError as error:
            raise provider_missing(stage, "openvino", ["onnxruntime"]) from error
        self._core = openvino.Core()
        self._config = openvino_config(options)
        self._graph = graph
        self._lock = threading.Lock()
        self._compiled: dict[tuple[tuple[int, ...], ...], Any] = {}
        self._idle: dict[int, list[Any]] = {}
        try:
            self._core.read_model(graph)
        except Exception as error:  # OpenVINO raises plain RuntimeError and its own classes
            raise not_runnable(stage, "OpenVINO", error) from error
        # A port of OpenVINO has several names; the graph's own are those that packs use.
        signature = read_signature(graph)
        self._inputs, self._outputs = list(signature.inputs), list(signature.outputs)

    def run(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """Run the graph; see `StageSession.run`."""
        inputs = {name: join_rows(rows, name) for name in self._inputs}
        compiled = self._model_for(inputs)
        request = self._request(compiled)
        try:
            results = request.infer(inputs, share_inputs=True)
            outputs: dict[str, Tensor] = {
                name: np.array(results[name], np.float32) for name in self._outputs
            }
        except Exception as error:  # see above
            raise stage_failed(self.stage) from error
        with self._lock:
            self._idle.setdefault(id(compiled), []).append(request)
        return split_rows(outputs, len(rows))

    def _model_for(self, inputs: dict[str, Tensor]) -> Any:
        shapes = tuple(inputs[name].shape for name in self._inputs)
        with self._lock:
            if shapes not in self._compiled:
                try:
                    model = self._core.read_model(self._graph)
                    named = zip(self._inputs, shapes, strict=True)
                    model.reshape({name: list(shape) for name, shape in named})
                    self._compiled[shapes] = self._core.compile_model(model, _DEVICE, self._config)
                except Exception as error:  # see above
                    # The graph was read at the start: nothing that a caller could put right.
                    raise stage_failed(self.stage) from error
            return self._compiled[shapes]

    def _request(self, compiled: Any) -> Any:
        with self._lock:
            idle = self._idle.get(id(compiled))
            if idle:
                return idle.pop()
        return compiled.create_infer_request()
