"""Settings of the pose service."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from kuchipaku_animation.options import MAX_QUANTUM, MIN_QUANTUM, is_quantum
from kuchipaku_pose.calibrate import Wishes
from kuchipaku_pose.defaults import CHARACTER_MEMORY_MIB, FRAME_MEMORY_MIB, STAGE_MEMORY_MIB
from kuchipaku_pose.engine import EngineOptions
from kuchipaku_pose.providers import ProviderName
from kuchipaku_runtime import ServiceSettings, service_config

AUTO: Final = "auto"
Count = Annotated[int, Field(ge=1, le=256)] | Literal["auto"]


def default_model_folders() -> tuple[Path, ...]:
    """Return where packs are looked for by default.

    In a checkout that is ``models/starter``; elsewhere ``share/kuchipaku/models`` below the
    environment that the service is installed in.
    """
    in_checkout = Path(__file__).resolve().parents[3] / "models" / "starter"
    if in_checkout.is_dir():
        return (in_checkout,)
    return (Path(sys.prefix) / "share" / "kuchipaku" / "models",)


class PoseSettings(ServiceSettings):
    """Settings of the pose service; environment variables begin with ``KUCHIPAKU_POSE_``."""

    model_config = service_config("pose")

    address: str = Field(
        default="127.0.0.1:50052",
        description="host:port (port 0: any free one) or unix:/path to listen on.",
    )
    models: Annotated[tuple[Path, ...], NoDecode] = Field(
        default_factory=default_model_folders,
        description=(
            "Folders that are model packs or hold some, parted as in PATH. By default "
            "models/starter of the checkout, or share/kuchipaku/models of the environment."
        ),
    )
    default_model: str | None = Field(
        default=None, description="Model of requests that name none; by default the first found."
    )
    # Literals and not the enumeration: the command line would take its names for values.
    provider: Literal["cpu", "openvino", "cuda", "tensorrt"] = Field(
        default="cpu",
        description="Where networks run: cpu, openvino, cuda or tensorrt.",
    )
    provider_fallback: bool = Field(
        default=False,
        description="Whether the CPU takes over where the provider cannot be had; else an error.",
    )
    device: int = Field(default=0, ge=0, description="Number of the GPU; one process for each.")
    workers: Count = Field(
        default=AUTO,
        description="Threads that render side by side. auto: measured at the start.",
    )
    threads_per_run: Count = Field(
        default=AUTO,
        description="Threads of one network's run on a CPU. auto: measured at the start.",
    )
    max_batch: Count = Field(
        default=AUTO,
        description=(
            "Most frames in one run, where memory allows it. auto: measured at the start on "
            "GPUs; 1 on CPUs, where batches cost more than they gain."
        ),
    )
    max_queue_delay_s: float = Field(
        default=0.002,
        ge=0,
        le=1,
        description="How long a frame may wait for others to share its batches, if over 1.",
    )
    device_workers: int = Field(
        default=1, ge=1, le=16, description="Threads that feed a GPU; the workers do the rest."
    )
    calibration_s: float = Field(
        default=0.15,
        ge=0,
        le=60,
        description=(
            "Time of one of up to three measurements of each way to run that is tried for auto. "
            "0: no measuring; one run of one frame on one thread for each CPU."
        ),
    )
    openvino_bfloat16: bool = Field(
        default=False, description="Let OpenVINO compute in bfloat16: faster, less exact."
    )
    tensorrt_cache: Path | None = Field(
        default=None, description="Folder where TensorRT keeps built engines; none: built anew."
    )
    max_streams: int = Field(
        default=32, ge=1, description="Calls served at a time; more are refused."
    )
    character_memory_mib: int = Field(
        default=CHARACTER_MEMORY_MIB, ge=0, description="Prepared characters that are kept."
    )
    stage_memory_mib: int = Field(
        default=STAGE_MEMORY_MIB, ge=0, description="Outputs of stages that are kept."
    )
    frame_memory_mib: int = Field(
        default=FRAME_MEMORY_MIB, ge=0, description="Finished frames that are kept, compressed."
    )
    default_quantum: float = Field(
        default=1 / 128,
        description=(
            "Rounding of animated poses where a request does not say, 0.000001-0.25; 0: none."
        ),
    )
    late_tolerance_s: float = Field(
        default=0.1,
        ge=0,
        description="A live frame later than this is dropped.",
    )
    input_timeout_s: float = Field(
        default=1200.0,
        gt=0,
        description="How long a call may wait for input with nothing to send, or for its client to "
        "read; then it fails. In a video cues may come as late as the lip sync service's time "
        "limit.",
    )
    config_timeout_s: float = Field(
        default=30.0, gt=0, description="How long a call may take to send its config."
    )

    @field_validator("default_quantum")
    @classmethod
    def _check_quantum(cls, value: float) -> float:
        if not is_quantum(value):
            raise ValueError(f"must be 0 or lie between {MIN_QUANTUM:g} and {MAX_QUANTUM:g}")
        return value

    @field_validator("models", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(os.pathsep) if part)
        return value

    @property
    def on_gpu(self) -> bool:
        """Whether networks run on a GPU."""
        return ProviderName(self.provider).is_gpu

    @property
    def device_threads(self) -> int:
        """Threads of a device beside the workers; 0: the device is the processor."""
        return self.device_workers if self.on_gpu else 0

    def engine_options(self) -> EngineOptions:
        """Return what engines are opened with, before `wishes` are settled."""
        return EngineOptions(
            provider=self.provider,
            device=self.device,
            allow_fallback=self.provider_fallback,
            bfloat16=self.openvino_bfloat16,
            engine_cache=str(self.tensorrt_cache) if self.tensorrt_cache else None,
        )

    def wishes(self) -> Wishes:
        """Return what is given about concurrency."""
        given = Wishes(*map(_given, (self.workers, self.threads_per_run, self.max_batch)))
        if self.on_gpu:
            return replace(given, workers=given.workers or cpu_count(), threads=given.threads or 1)
        return replace(given, max_batch=given.max_batch or 1)


def cpu_count() -> int:
    """Return the number of CPUs that this process may use."""
    # Absent on macOS; where it exists it knows of taskset and of pinned containers.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _given(count: int | str) -> int | None:
    return count if isinstance(count, int) else None
