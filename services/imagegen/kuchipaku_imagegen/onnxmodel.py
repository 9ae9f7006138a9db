"""Small ONNX networks on onnxruntime, which is imported when the first of them is opened."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError

Floats = NDArray[np.float32]


class OnnxModel:
    """One network; running it is safe from several threads.

    Opening raises `FailedPreconditionError`: ONNXRUNTIME_NOT_INSTALLED, MODEL_FILE_MISSING or
    MODEL_FILE_DAMAGED.
    """

    def __init__(self, path: Path, *, threads: int = 1, gpu: bool = False) -> None:
        """Open `path`; on a GPU where that is asked for and can be had."""
        if not path.is_file():
            raise FailedPreconditionError(
                f"The model file {path.name} is not there.", reason="MODEL_FILE_MISSING"
            )
        try:
            ort: Any = import_module("onnxruntime")
        except ImportError as error:
            raise FailedPreconditionError(
                "onnxruntime is not installed: install kuchipaku-imagegen[cpu] or [gpu].",
                reason="ONNXRUNTIME_NOT_INSTALLED",
            ) from error
        # Its builds send usage data to their maker unless told not to.
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        if gpu and "CUDAExecutionProvider" in ort.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        try:
            self._session: Any = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime's own exceptions have no common public base
            raise FailedPreconditionError(
                f"{path.name} is not a network that onnxruntime can load.",
                reason="MODEL_FILE_DAMAGED",
            ) from error
        self.path = path

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Shape of the first input; free axes are names or None."""
        return tuple(self._session.get_inputs()[0].shape)

    @property
    def properties(self) -> dict[str, str]:
        """The metadata that the file carries."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def property_of(self, name: str, default: str) -> str:
        """One entry of the metadata."""
        return self.properties.get(name, default)

    def __call__(self, values: Floats) -> Floats:
        """Run the network: first input -> first output."""
        name = self._session.get_inputs()[0].name
        return np.asarray(self._session.run(None, {name: values})[0], np.float32)


def json_property(model: OnnxModel, name: str) -> Any:
    """One entry of the metadata, read as JSON.

    Raises `FailedPreconditionError` MODEL_FILE_DAMAGED where it is missing or not JSON.
    """
    try:
        return json.loads(model.properties[name])
    except (KeyError, ValueError) as error:
        raise FailedPreconditionError(
            f"{model.path.name} does not say {name!r}.", reason="MODEL_FILE_DAMAGED"
        ) from error
