"""Settings of the pose service."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from kuchipaku_pose.defaults import CHARACTER_MEMORY_MIB, FRAME_MEMORY_MIB, STAGE_MEMORY_MIB
from kuchipaku_pose.posespace import MAX_QUANTUM
from kuchipaku_runtime import ServiceSettings, service_config


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
    provider: str = Field(
        default="CPUExecutionProvider",
        description="onnxruntime execution provider. One that is not there is an error.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Threads that render side by side; 0: as many as this process has CPUs.",
    )
    threads_per_run: int = Field(
        default=1, ge=1, le=256, description="Threads of one network's run."
    )
    max_batch: int = Field(
        default=1, ge=1, le=256, description="Most frames in one run; pays on GPUs only."
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
        ge=0,
        le=MAX_QUANTUM,
        description="Rounding of animated poses where a request does not say; 0: none.",
    )
    late_tolerance_s: float = Field(
        default=0.1,
        ge=0,
        description="A live frame later than this is dropped.",
    )
    input_timeout_s: float = Field(
        default=600.0,
        gt=0,
        description="How long a call may wait for input with nothing to send; then it fails.",
    )

    @field_validator("models", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(os.pathsep) if part)
        return value

    def worker_count(self) -> int:
        """Return the number of render threads."""
        if self.workers:
            return self.workers
        # Absent on macOS; where it exists it knows of taskset and of pinned containers.
        allowed = getattr(os, "sched_getaffinity", None)
        return len(allowed(0)) if allowed else os.cpu_count() or 1
