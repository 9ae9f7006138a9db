"""What each stage depends on, worked out from a pack's manifest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.manifest import CANVAS, Manifest, PoseInput, Stage

PoseKey = bytes


@dataclass(frozen=True)
class PoseDependency:
    """The pose parameters that a value depends on."""

    indices: NDArray[np.intp]
    """Sorted indices into the pose vector."""

    def key(self, pose: NDArray[np.float32]) -> PoseKey:
        """Return the bytes of those values of ``pose`` (parameters,)."""
        return pose[self.indices].tobytes()


@dataclass(frozen=True)
class StagePlan:
    """One stage and its place in the model."""

    stage: Stage
    depends: PoseDependency
    """Pose parameters read by this stage or by any stage before it that it reads from."""
    memoised: bool
    """Whether outputs are worth keeping: another stage reads them, and they serve more frames than
    one. What depends on all that the frame depends on is kept as finished pixels instead."""

    @property
    def name(self) -> str:
        """The stage's name in the manifest."""
        return self.stage.name

    @property
    def image_only(self) -> bool:
        """Whether the outputs depend on the canvas alone."""
        return self.depends.indices.size == 0


@dataclass(frozen=True)
class Plan:
    """The stages that the output needs, in order, and who writes which tensor."""

    stages: tuple[StagePlan, ...]
    writer: dict[str, StagePlan]
    """The stage that writes a tensor, by tensor name."""
    depends: PoseDependency
    """Pose parameters that the frame depends on."""


def build_plan(manifest: Manifest) -> Plan:
    """Work out dependencies; stages that the output does not need are left out."""
    needed = _needed_stages(manifest)
    reads_of: dict[str, frozenset[int]] = {CANVAS: frozenset()}
    read_later = {
        source.tensor
        for stage in needed
        for source in stage.inputs.values()
        if not isinstance(source, PoseInput)
    }
    drafts: list[tuple[Stage, frozenset[int]]] = []
    for stage in needed:
        reads: set[int] = set()
        for source in stage.inputs.values():
            reads |= (
                set(range(*source.pose))
                if isinstance(source, PoseInput)
                else reads_of[source.tensor]
            )
        for tensor in stage.outputs.values():
            reads_of[tensor] = frozenset(reads)
        drafts.append((stage, frozenset(reads)))
    frame = reads_of[manifest.output.last]
    plans = [
        StagePlan(
            stage,
            _dependency(reads),
            memoised=reads != frame and not read_later.isdisjoint(stage.outputs.values()),
        )
        for stage, reads in drafts
    ]
    writer = {tensor: plan for plan in plans for tensor in plan.stage.outputs.values()}
    return Plan(tuple(plans), writer, writer[manifest.output.last].depends)


def _needed_stages(manifest: Manifest) -> list[Stage]:
    wanted = {manifest.output.last}
    needed: list[Stage] = []
    for stage in reversed(manifest.stages):
        if not wanted.isdisjoint(stage.outputs.values()):
            needed.append(stage)
            wanted |= {
                source.tensor
                for source in stage.inputs.values()
                if not isinstance(source, PoseInput)
            }
    return needed[::-1]


def _dependency(reads: set[int] | frozenset[int]) -> PoseDependency:
    return PoseDependency(np.array(sorted(reads), np.intp))
