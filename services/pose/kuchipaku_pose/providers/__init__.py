"""Where networks run: onnxruntime on CPUs and NVIDIA GPUs, OpenVINO on CPUs."""

from __future__ import annotations

import logging
from dataclasses import replace

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
from kuchipaku_pose.providers.openvino import OpenVinoSession, load_openvino
from kuchipaku_pose.providers.ort import OrtSession, open_inference_session
from kuchipaku_pose.providers.rowgraphs import product_graph

_LOG = logging.getLogger(__name__)

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
    "settled",
    "to_host",
]


_PROBE_SIDE = 8


def settled(options: ProviderOptions) -> ProviderOptions:
    """Return ``options`` with the provider that sessions get, where another may take over.

    All that depends on the provider (threads, batches, how graphs are rewritten, where values lie)
    must follow the one that runs and not the one that was asked for.

    Raises:
        FailedPreconditionError: STAGE_NOT_RUNNABLE, nothing runs at all.
    """
    if not options.allow_fallback or options.name is ProviderName.CPU:
        return options
    if options.name is ProviderName.OPENVINO:
        try:
            load_openvino()
        except ImportError:
            _LOG.warning("another provider takes over", extra={"provider": ProviderName.CPU})
            return replace(options, name=ProviderName.CPU, bfloat16=False)
        return options
    # Nothing is built for it, and so nothing need be kept.
    probe = replace(options, max_batch=None, engine_cache=None)
    _, got = open_inference_session("probe", product_graph(_PROBE_SIDE), probe)
    return replace(options, name=got)


class Provider:
    """Opens sessions of one provider."""

    def __init__(self, options: ProviderOptions) -> None:
        """Find out which provider it is; raises as `settled` does."""
        self.options = options = settled(options)
        """With the provider that really runs."""
        self._bound = options.io_binding or options.name.is_gpu
        self._rows = RowTools(options)

    def open(self, stage: str, graph: bytes) -> StageSession:
        """Open the ONNX bytes ``graph`` of a stage.

        Raises:
            FailedPreconditionError: PROVIDER_UNAVAILABLE, STAGE_NOT_RUNNABLE or
                ENGINE_CACHE_UNUSABLE.
        """
        if self.options.name is ProviderName.OPENVINO:
            return OpenVinoSession(stage, graph, self.options)
        if self._bound:
            return BoundSession(stage, graph, self.options, self._rows)
        return OrtSession(stage, graph, self.options)

    def upload(self, tensor: Tensor) -> Value:
        """Return ``tensor`` where the sessions read it without a copy."""
        return self._rows.upload(tensor) if self._bound else tensor
