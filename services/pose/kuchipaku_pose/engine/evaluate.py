"""One point on its way through a pack's stages, and the stages that points meet at.

A point is a character in a pose. A stage runs only for points whose outputs of that stage are not
remembered, and what it reads is looked up only then too: with a still head, the stages that read
only the head never run. Nothing is claimed in the memory before the run itself, so that a point
may wait, or be given up, between two stages without anybody waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kuchipaku_pose.engine.memo import Lookup, Memo
from kuchipaku_pose.engine.plan import Plan, StagePlan
from kuchipaku_pose.manifest import CANVAS, PoseInput
from kuchipaku_pose.providers import Row, StageSession, Value
from kuchipaku_pose.work import Outcome, Unit

Tensor = NDArray[np.float32]
Tensors: TypeAlias = dict[str, Value]


@dataclass(frozen=True, eq=False)
class Character:
    """A canvas ready for a model, with everything that depends on it alone."""

    sha256: str
    """Hash of the picture's pixels; equal hashes mean equal frames."""
    tensors: Tensors
    """The canvas and the outputs of image-only stages by tensor name, each with batch 1."""
    surroundings: NDArray[np.uint8] | None = None
    """The whole canvas, for a model that sees a window of it; frames keep what is around that."""

    @property
    def nbytes(self) -> int:
        """Size of the tensors and of the surroundings in bytes."""
        around = 0 if self.surroundings is None else self.surroundings.nbytes
        return around + sum(tensor.nbytes for tensor in self.tensors.values())


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


@dataclass(eq=False)
class Stages:
    """A model's stages as points need them: how they hang together, and who runs them."""

    key: Hashable
    """Tells this model's entries in the memory from those of others."""
    plan: Plan
    memo: Memo[Tensors]
    units: Mapping[str, StageUnit] = field(default_factory=dict)
    """By the stage's name."""


class PointWork:
    """A `Work` that ends with the model's output tensor; the base of whole frames.

    Used by one thread at a time.
    """

    def __init__(self, stages: Stages, point: Point, wanted: str) -> None:
        self.stages = stages
        self.point = point
        self.wanted = wanted
        """Name of the tensor that the work is for."""
        self.uses: list[StageUse] = []
        self._tensors: Tensors = {}
        self._keys: dict[str, Hashable] = {}
        self._awaited: StagePlan | None = None

    def next_unit(self) -> Unit | None:
        """Return the first stage that has all it reads and is not remembered."""
        stage = self.missing(self.wanted)
        return None if stage is None else self.stages.units[stage.name]

    def result(self) -> Value:
        """Return the output tensor."""
        return self.tensor(self.wanted)

    def resume(self, value: Future[Tensors]) -> None:
        """Take a stage's outputs that another work has computed."""
        stage, self._awaited = self._awaited, None
        if stage is not None and value.exception() is None:
            self.take(stage, value.result(), StageUse(stage.name, hit=True, seconds=0.0))

    def abandon(self, error: BaseException) -> None:
        """Nothing is held between two steps."""

    def tensor(self, name: str) -> Value:
        """Return a tensor that is there, batch 1."""
        constant = self.point.character.tensors.get(name)
        return self._tensors[name] if constant is None else constant

    def missing(self, name: str) -> StagePlan | None:
        """Return the stage that must run first to get the tensor ``name``; None: it is there."""
        if name == CANVAS or name in self.point.character.tensors or name in self._tensors:
            return None
        stage = self.stages.plan.writer[name]
        if stage.memoised:
            known = self.stages.memo.get(self.key(stage))
            if known is not None:
                self.take(stage, known, StageUse(stage.name, hit=True, seconds=0.0))
                return None
        for source in stage.stage.inputs.values():
            if not isinstance(source, PoseInput):
                first = self.missing(source.tensor)
                if first is not None:
                    return first
        return stage

    def row(self, stage: StagePlan) -> Row:
        """Return what a run of ``stage`` reads, by the graph's input names."""
        row: dict[str, Value] = {}
        for name, source in stage.stage.inputs.items():
            if isinstance(source, PoseInput):
                row[name] = self.point.pose[None, slice(*source.pose)]
            else:
                row[name] = self.tensor(source.tensor)
        return row

    def claim(self, stage: StagePlan) -> Lookup[Tensors]:
        """Look the stage's outputs up once more, or take on their computation."""
        if not stage.memoised:
            return Lookup()
        lookup = self.stages.memo.claim(self.key(stage))
        if lookup.pending is not None:
            self._awaited = stage
        return lookup

    def settle(self, stage: StagePlan, outputs: Tensors | BaseException) -> None:
        """End a claim with the stage's outputs, or with why there are none."""
        if not stage.memoised:
            return
        if isinstance(outputs, BaseException):
            self.stages.memo.abandon(self.key(stage), outputs)
        else:
            nbytes = sum(value.nbytes for value in outputs.values())
            self.stages.memo.publish(self.key(stage), outputs, nbytes)

    def take(self, stage: StagePlan, outputs: Tensors, use: StageUse) -> None:
        """Note a stage's outputs and what they cost."""
        self._tensors |= outputs
        self.uses.append(use)

    def key(self, stage: StagePlan) -> Hashable:
        """Return the key of a stage's outputs in the memory."""
        if stage.name not in self._keys:
            pose = stage.depends.key(self.point.pose)
            self._keys[stage.name] = (
                self.stages.key,
                stage.name,
                self.point.character.sha256,
                pose,
            )
        return self._keys[stage.name]


class StageUnit:
    """One stage of one model: what points of all streams may run together."""

    def __init__(
        self,
        plan: StagePlan,
        session: StageSession,
        *,
        max_batch: int,
        on_device: bool,
        observe: Callable[[str, int, float], object] | None = None,
    ) -> None:
        """Make the unit.

        Args:
            plan: the stage.
            session: runs it.
            max_batch: most rows of one run. A batch that fails is halved.
            on_device: whether it belongs on the device's own threads.
            observe: told each run's stage, rows and seconds, from the thread that ran it.
        """
        self.plan = plan
        self.session = session
        self.max_batch = max_batch
        self.on_device = on_device
        self.observe = observe

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.plan.name

    def run(self, works: Sequence[PointWork]) -> Sequence[Outcome]:
        """Compute the outputs for each work that nobody has computed, or is computing, yet."""
        outcomes: list[Outcome] = [None] * len(works)
        claimed: list[tuple[int, PointWork]] = []
        for i, work in enumerate(works):
            lookup = work.claim(self.plan)
            if lookup.claimed:
                claimed.append((i, work))
            elif lookup.value is not None:
                work.take(self.plan, lookup.value, StageUse(self.name, hit=True, seconds=0.0))
            else:
                outcomes[i] = lookup.pending
        # A claim must be settled, whatever a work holds and whatever a run does.
        rows: list[tuple[PointWork, Row]] = []
        for i, work in claimed:
            try:
                rows.append((work, work.row(self.plan)))
            except Exception as error:  # a malformed point fails alone
                work.settle(self.plan, error)
                outcomes[i] = error
        failures = self._compute(rows)
        for i, work in claimed:
            outcomes[i] = failures.get(work, outcomes[i])
        return outcomes

    def _compute(self, rows: Sequence[tuple[PointWork, Row]]) -> dict[PointWork, BaseException]:
        if not rows:
            return {}
        started = perf_counter()
        try:
            results = self.session.run([row for _, row in rows])
        except BaseException as error:
            if len(rows) > 1 and isinstance(error, Exception):
                # Memory that does not suffice for all, or one row that spoils the others.
                half = (len(rows) + 1) // 2
                failures = self._compute(rows[:half]) | self._compute(rows[half:])
                if not failures:
                    self.max_batch = min(self.max_batch, half)
                return failures
            for work, _ in rows:
                work.settle(self.plan, error)
            return {work: error for work, _ in rows}
        seconds = perf_counter() - started
        if self.observe is not None:
            self.observe(self.name, len(rows), seconds)
        names = self.plan.stage.outputs
        for (work, _), raw in zip(rows, results, strict=True):
            outputs = {names[output]: value for output, value in raw.items()}
            work.take(self.plan, outputs, StageUse(self.name, False, seconds / len(rows)))
            work.settle(self.plan, outputs)
        return {}
