"""Evaluation of a pack's stages for several points at once, with as few runs as possible.

A point is a character in a pose. A stage runs only for points whose outputs of that stage are not
remembered, and what it reads is evaluated only for those points too: with a still head, the
stages that read only the head never run.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.engine.memo import Memo
from kuchipaku_pose.engine.plan import Plan, StagePlan
from kuchipaku_pose.engine.sessions import StageSession, Tensors
from kuchipaku_pose.manifest import CANVAS, PoseInput

Tensor = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Character:
    """A canvas ready for a model, with everything that depends on it alone."""

    sha256: str
    """Hash of the picture's pixels; equal hashes mean equal frames."""
    tensors: Tensors
    """The canvas and the outputs of image-only stages by tensor name, each with batch 1."""

    @property
    def nbytes(self) -> int:
        """Size of the tensors in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


@dataclass(frozen=True, slots=True)
class Point:
    """A character in a pose."""

    character: Character
    pose: Tensor
    """float32 (parameters,), within range and rounded as wanted."""


@dataclass(frozen=True, slots=True)
class StageUse:
    """What one frame cost at one stage."""

    stage: str
    hit: bool
    """Whether the outputs were remembered."""
    seconds: float
    """Run time on the device; a batch's time is shared equally by its frames."""


class Evaluation:
    """One pass over a model's stages for a fixed list of points."""

    def __init__(
        self,
        model_key: Hashable,
        plan: Plan,
        sessions: Mapping[str, StageSession],
        memo: Memo[Tensors],
        points: Sequence[Point],
        *,
        max_batch: int,
    ) -> None:
        self._model_key = model_key
        self._plan = plan
        self._sessions = sessions
        self._memo = memo
        self._points = points
        self._max_batch = max_batch
        self._outputs: dict[tuple[str, int], Tensors] = {}
        self.uses: list[list[StageUse]] = [[] for _ in points]
        """Stage uses by point."""

    def tensor(self, name: str, point: int) -> Tensor:
        """Return the tensor ``name`` of a point, (1, ...); `require` must have provided it."""
        constant = self._points[point].character.tensors.get(name)
        if constant is not None:
            return constant
        return self._outputs[self._plan.writer[name].name, point][name]

    def require(self, name: str, points: Sequence[int]) -> None:
        """Make the tensor ``name`` available for ``points``."""
        if name == CANVAS:
            return
        stage = self._plan.writer[name]
        missing = [
            i
            for i in points
            if name not in self._points[i].character.tensors
            and (stage.name, i) not in self._outputs
        ]
        groups: dict[Hashable, list[int]] = {}
        for i in missing:
            groups.setdefault(self._key(stage, self._points[i]), []).append(i)
        if stage.memoised:
            self._recall_or_compute(stage, groups)
        else:
            self._compute(stage, groups)

    def _key(self, stage: StagePlan, point: Point) -> Hashable:
        return (
            self._model_key,
            stage.name,
            point.character.sha256,
            stage.depends.key(point.pose),
        )

    def _recall_or_compute(self, stage: StagePlan, groups: Mapping[Hashable, list[int]]) -> None:
        claimed: dict[Hashable, list[int]] = {}
        waiting: list[tuple[Future[Tensors], list[int]]] = []
        for key, members in groups.items():
            lookup = self._memo.claim(key)
            if lookup.value is not None:
                self._hand_out(stage, members, lookup.value)
            elif lookup.pending is not None:
                waiting.append((lookup.pending, members))
            else:
                claimed[key] = members
        # Own claims are settled before waiting for others': nobody waits in a circle.
        unsettled = dict(claimed)
        try:
            for key, outputs in self._compute(stage, claimed):
                self._memo.publish(key, outputs, sum(t.nbytes for t in outputs.values()))
                del unsettled[key]
        except BaseException as error:
            for key in unsettled:
                self._memo.abandon(key, error)
            raise
        for pending, members in waiting:
            self._hand_out(stage, members, pending.result())

    def _hand_out(self, stage: StagePlan, members: Sequence[int], outputs: Tensors) -> None:
        for i in members:
            self._outputs[stage.name, i] = outputs
            self.uses[i].append(StageUse(stage.name, hit=True, seconds=0.0))

    def _compute(
        self, stage: StagePlan, groups: Mapping[Hashable, list[int]]
    ) -> list[tuple[Hashable, Tensors]]:
        computed: list[tuple[Hashable, Tensors]] = []
        leaders = [members[0] for members in groups.values()]
        for source in stage.stage.inputs.values():
            if not isinstance(source, PoseInput):
                self.require(source.tensor, leaders)
        for batch in _chunks(list(groups.items()), self._max_batch):
            started = time.perf_counter()
            results = self._run(stage, [members[0] for _, members in batch])
            share = (time.perf_counter() - started) / len(batch)
            for (key, members), outputs in zip(batch, results, strict=True):
                for rank, i in enumerate(members):
                    self._outputs[stage.name, i] = outputs
                    # Points that coincide within a batch cost one run.
                    use = StageUse(stage.name, hit=rank > 0, seconds=0.0 if rank else share)
                    self.uses[i].append(use)
                computed.append((key, outputs))
        return computed

    def _run(self, stage: StagePlan, points: Sequence[int]) -> list[Tensors]:
        inputs: Tensors = {}
        for name, source in stage.stage.inputs.items():
            if isinstance(source, PoseInput):
                first, last = source.pose
                rows = [self._points[i].pose[None, first:last] for i in points]
            else:
                rows = [self.tensor(source.tensor, i) for i in points]
            inputs[name] = rows[0] if len(rows) == 1 else np.concatenate(rows)
        return _split(self._sessions[stage.name].run(inputs), stage.stage.outputs, len(points))


def _split(raw: Tensors, names: Mapping[str, str], count: int) -> list[Tensors]:
    if count == 1:
        return [{names[output]: tensor for output, tensor in raw.items()}]
    # Copies: a view would keep the whole batch alive for as long as one frame is remembered.
    return [
        {names[output]: tensor[i : i + 1].copy() for output, tensor in raw.items()}
        for i in range(count)
    ]


def _chunks(
    items: Sequence[tuple[Hashable, list[int]]], size: int
) -> Iterator[Sequence[tuple[Hashable, list[int]]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
