"""What every provider has in common: sessions that run one graph for several rows.

A row is what one frame brings to a run: a value with batch 1 for each input. A value is a numpy
array, or a `DeviceTensor` that stays where the provider computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InternalError

Tensor: TypeAlias = NDArray[np.float32]


@runtime_checkable
class DeviceTensor(Protocol):
    """A float32 tensor in a provider's memory."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, the batch first."""

    def to_host(self) -> Tensor:
        """Return a copy in the process's own memory."""


Value: TypeAlias = "Tensor | DeviceTensor"
Row: TypeAlias = Mapping[str, Value]


class ProviderName(StrEnum):
    """Where networks run."""

    CPU = "cpu"
    """onnxruntime on the processor."""
    OPENVINO = "openvino"
    """OpenVINO on the processor."""
    CUDA = "cuda"
    """onnxruntime on an NVIDIA GPU."""
    TENSORRT = "tensorrt"
    """onnxruntime with TensorRT on an NVIDIA GPU."""

    @property
    def is_gpu(self) -> bool:
        """Whether values stay on a GPU between runs."""
        return self in {ProviderName.CUDA, ProviderName.TENSORRT}


EXECUTION_PROVIDERS: Final[Mapping[ProviderName, str]] = {
    ProviderName.CPU: "CPUExecutionProvider",
    ProviderName.CUDA: "CUDAExecutionProvider",
    ProviderName.TENSORRT: "TensorrtExecutionProvider",
}
"""onnxruntime's own names."""


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """How sessions are opened."""

    name: ProviderName = ProviderName.CPU
    threads: int = 1
    """Threads of one run on a processor."""
    workers: int = 1
    """Runs that may be at work side by side. OpenVINO must know."""
    device: int = 0
    """Number of the GPU."""
    allow_fallback: bool = False
    """Whether the processor may take over what the provider cannot be had for."""
    io_binding: bool = False
    """Whether values stay in the provider's memory. GPUs always do this."""
    bfloat16: bool = False
    """OpenVINO: compute in bfloat16 where the processor can."""
    engine_cache: str | None = None
    """TensorRT: folder where built engines are kept."""
    max_batch: int | None = None
    """Most rows of a run; None: nobody knows. TensorRT builds for that many."""

    @property
    def single(self) -> bool:
        """Whether every run has one row. onnxruntime fuses more where it knows all shapes."""
        return self.max_batch == 1


class StageSession(ABC):
    """One graph, ready to run; safe to use from several threads at once."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    @abstractmethod
    def run(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """Run the graph once for ``rows`` and return each row's outputs by name, batch 1.

        Raises:
            InternalError: STAGE_FAILED.
        """


def to_host(value: Value) -> Tensor:
    """Return ``value`` as a numpy array, copied only if it lies elsewhere."""
    return value if isinstance(value, np.ndarray) else value.to_host()


def join_rows(rows: Sequence[Row], name: str) -> Tensor:
    """Return one input of all ``rows`` as one array; a single row is not copied."""
    values = [to_host(row[name]) for row in rows]
    return values[0] if len(values) == 1 else np.concatenate(values)


def split_rows(outputs: Mapping[str, Tensor], count: int) -> list[dict[str, Value]]:
    """Return the rows of ``outputs``; copies, so that none keeps its whole batch alive."""
    if count == 1:
        return [dict(outputs)]
    return [
        {name: tensor[i : i + 1].copy() for name, tensor in outputs.items()} for i in range(count)
    ]


def provider_missing(stage: str, wanted: str, available: Sequence[str]) -> FailedPreconditionError:
    """Return the error for a provider that cannot be had."""
    return FailedPreconditionError(
        f"The provider {wanted} is not available for the stage {stage!r}; "
        f"this installation has {', '.join(available)}.",
        reason="PROVIDER_UNAVAILABLE",
        provider=wanted,
    )


def not_runnable(stage: str, runtime: str, error: Exception) -> FailedPreconditionError:
    """Return the error for a graph that a runtime refuses."""
    return FailedPreconditionError(
        f"{runtime} cannot run the stage {stage!r}: {error}",
        reason="STAGE_NOT_RUNNABLE",
        stage=stage,
    )


def stage_failed(stage: str, **metadata: Any) -> InternalError:
    """Return the error for a run that failed."""
    return InternalError(
        f"The stage {stage!r} failed.", reason="STAGE_FAILED", stage=stage, **metadata
    )
