"""What goes into an engine and what comes out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.conventions import Picture
from kuchipaku_pose.defaults import (
    CHARACTER_MEMORY_MIB,
    FRAME_MEMORY_MIB,
    PICTURE_MEMORY_MIB,
    STAGE_MEMORY_MIB,
)
from kuchipaku_pose.engine.evaluate import Character, StageUse, Tensors
from kuchipaku_pose.engine.memo import Memo, MemoStatistics
from kuchipaku_pose.engine.packed import PackedPicture
from kuchipaku_pose.providers import ProviderName, ProviderOptions
from kuchipaku_pose.view import View

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine runs."""

    provider: str = ProviderName.CPU
    """A `ProviderName`; never replaced by another in silence."""
    workers: int = 1
    """Runs side by side that the engine is meant for; more have to wait for each other."""
    threads_per_run: int = 1
    """Threads of one run. On a CPU several runs side by side use cores better than one run on
    several threads does."""
    max_batch: int = 1
    """Most points in one run. On a CPU batches cost more than they save."""
    device: int = 0
    """Number of the GPU."""
    allow_fallback: bool = False
    """Whether the CPU may take over where the provider cannot be had."""
    io_binding: bool = False
    """Whether values stay in the provider's memory between stages. GPUs always do this."""
    bfloat16: bool = False
    """OpenVINO: compute in bfloat16 where the processor can."""
    engine_cache: str | None = None
    """TensorRT: folder where built engines are kept."""

    def provider_options(self) -> ProviderOptions:
        """Return what sessions are opened with.

        Raises:
            ValueError: no such provider.
        """
        return ProviderOptions(
            name=ProviderName(self.provider),
            threads=self.threads_per_run,
            workers=self.workers,
            device=self.device,
            allow_fallback=self.allow_fallback,
            io_binding=self.io_binding,
            bfloat16=self.bfloat16,
            engine_cache=self.engine_cache,
            max_batch=self.max_batch,
        )


@dataclass
class EngineMemory:
    """What the engines of one process remember, each part bounded; engines may share it."""

    characters: Memo[Character] = field(default_factory=lambda: Memo(CHARACTER_MEMORY_MIB * _MIB))
    stages: Memo[Tensors] = field(default_factory=lambda: Memo(STAGE_MEMORY_MIB * _MIB))
    frames: Memo[PackedPicture] = field(default_factory=lambda: Memo(FRAME_MEMORY_MIB * _MIB))
    pictures: Memo[Picture] = field(default_factory=lambda: Memo(PICTURE_MEMORY_MIB * _MIB))
    """What lies under the patches of frames."""

    @classmethod
    def of_mib(cls, *, characters: int, stages: int, frames: int) -> EngineMemory:
        """Return an empty memory with these bounds."""
        return cls(Memo(characters * _MIB), Memo(stages * _MIB), Memo(frames * _MIB))


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """One frame to render."""

    character: Character
    pose: NDArray[np.float32]
    """float32 (parameters,), checked and rounded by `PoseSpace`."""
    view: View


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A finished frame and what it cost."""

    pixels: Picture
    """uint8 (height, width, 4), read-only: it may be shared by the requests of one call."""
    cached: bool
    """Whether the whole frame was remembered, or computed at the same moment for another."""
    key: Hashable
    """Equal keys mean equal pixels."""
    uses: tuple[StageUse, ...]
    """The stages asked for this frame; empty where the whole frame was remembered."""


@dataclass(frozen=True, slots=True)
class StageTotals:
    """Counters of one stage."""

    runs: int = 0
    hits: int = 0
    seconds: float = 0.0

    def plus(self, use: StageUse) -> StageTotals:
        """Return the counters with one more use."""
        return StageTotals(
            self.runs + (not use.hit), self.hits + use.hit, self.seconds + use.seconds
        )


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counters since the engine started. A memory counts for all engines that share it."""

    frames: int
    cached_frames: int
    stages: dict[str, StageTotals]
    frame_memory: MemoStatistics
    stage_memory: MemoStatistics
    character_memory: MemoStatistics
