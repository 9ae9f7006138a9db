"""onnxruntime sessions, opened so that what was asked for is what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InternalError

Tensors = dict[str, NDArray[np.float32]]

CPU_PROVIDER = "CPUExecutionProvider"


class StageSession:
    """One ONNX graph ready to run; safe to use from several threads at once."""

    def __init__(self, name: str, graph: bytes, *, provider: str, threads: int) -> None:
        """Open ``graph``.

        Args:
            name: the stage's name, for messages.
            graph: ONNX bytes without external data.
            provider: onnxruntime execution provider.
            threads: threads of one run. 1 runs on the calling thread.

        Raises:
            FailedPreconditionError: PROVIDER_UNAVAILABLE, the provider cannot be had (onnxruntime
                itself would fall back to the CPU in silence); STAGE_NOT_RUNNABLE, onnxruntime
                refuses the graph.
        """
        if provider not in ort.get_available_providers():
            raise _provider_error(name, provider)
        try:
            self._session = ort.InferenceSession(
                graph, _session_options(threads), providers=[provider]
            )
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise FailedPreconditionError(
                f"onnxruntime cannot run the stage {name!r}: {error}",
                reason="STAGE_NOT_RUNNABLE",
                stage=name,
            ) from error
        if self._session.get_providers()[0] != provider:
            raise _provider_error(name, provider)
        self._name = name
        self._outputs: Sequence[str] = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Tensors:
        """Run the graph and return its outputs by name.

        Raises:
            InternalError: STAGE_FAILED.
        """
        try:
            values = self._session.run(self._outputs, inputs)
        except Exception as error:  # see above
            raise InternalError(
                f"The stage {self._name!r} failed.", reason="STAGE_FAILED", stage=self._name
            ) from error
        return dict(zip(self._outputs, values, strict=True))


def _session_options(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Waiting threads would otherwise burn the cores that other sessions need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _provider_error(name: str, provider: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"The provider {provider} is not available for the stage {name!r}; "
        f"this onnxruntime has {', '.join(ort.get_available_providers())}.",
        reason="PROVIDER_UNAVAILABLE",
        provider=provider,
    )
