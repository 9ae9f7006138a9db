"""Where networks run: onnxruntime on CPUs and NVIDIA GPUs, OpenVINO on CPUs."""

from __future__ import annotations

from kuchipaku_pose.providers.base import (
    EXECUTION_PROVIDERS,
    DeviceTensor,
    ProviderName,
    ProviderOptions,
    Row,
    StageSession,
    Tensor,
    Value,
    to_host,
)
from kuchipaku_pose.providers.bound import BoundSession, BoundTensor, RowTools
from kuchipaku_pose.providers.openvino import OpenVinoSession
from kuchipaku_pose.providers.ort import OrtSession

__all__ = [
    "EXECUTION_PROVIDERS",
    "BoundSession",
    "BoundTensor",
    "DeviceTensor",
    "OpenVinoSession",
    "OrtSession",
    "Provider",
    "ProviderName",
    "ProviderOptions",
    "Row",
    "RowTools",
    "StageSession",
    "Tensor",
    "Value",
    "to_host",
]


class Provider:
    """Opens sessions of one provider."""

    def __init__(self, options: ProviderOptions) -> None:
        self.options = options
        self._bound = options.io_binding or options.name.is_gpu
        self._rows = RowTools(options)

    def open(self, stage: str, graph: bytes) -> StageSession:
        """Open the ONNX bytes ``graph`` of a stage.

        Raises:
            FailedPreconditionError: PROVIDER_UNAVAILABLE or STAGE_NOT_RUNNABLE.
        """
        if self.options.name is ProviderName.OPENVINO:
            return OpenVinoSession(stage, graph, self.options)
        if self._bound:
            return BoundSession(stage, graph, self.options, self._rows)
        return OrtSession(stage, graph, self.options)

    def upload(self, tensor: Tensor) -> Value:
        """Return ``tensor`` where the sessions read it without a copy."""
        return self._rows.upload(tensor) if self._bound else tensor
