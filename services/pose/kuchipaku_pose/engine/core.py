"""The engine of one model: characters and poses in, frames out."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InternalError, InvalidArgumentError
from kuchipaku_pose.conventions import Picture, picture_to_tensor
from kuchipaku_pose.engine.evaluate import (
    Character,
    Point,
    PointWork,
    Stages,
    StageUnit,
    Tensors,
)
from kuchipaku_pose.engine.frames import PIXELS_STAGE, FrameMaker, FrameWork, composed
from kuchipaku_pose.engine.memo import Memo
from kuchipaku_pose.engine.plan import build_plan
from kuchipaku_pose.engine.probe import largest_batch
from kuchipaku_pose.engine.selftest import (
    NORM_SHARE,
    NORM_TOLERANCE,
    check_outputs,
    probe_picture,
    probe_poses,
)
from kuchipaku_pose.engine.sessions import CPU_PROVIDER, Sessions, has_norms, open_sessions
from kuchipaku_pose.engine.transfer import upload
from kuchipaku_pose.engine.types import (
    EngineMemory,
    EngineOptions,
    EngineStatistics,
    FrameRequest,
    RenderedFrame,
    StageTotals,
)
from kuchipaku_pose.manifest import CANVAS
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.posespace import PoseSpace
from kuchipaku_pose.providers import Provider, ProviderOptions, Row, StageSession
from kuchipaku_pose.providers.devicememory import DeviceMemory
from kuchipaku_pose.work import drive

_LOG = logging.getLogger(__name__)

Tensor = NDArray[np.float32]
ObserveRun = Callable[[str, int, float], object]
"""Told each run's stage, rows and seconds, from the thread that ran it."""

__all__ = ["PIXELS_STAGE", "Engine", "ObserveRun"]


class Engine:
    """Renders frames of one model. Methods block; several threads may call them at once."""

    def __init__(
        self,
        pack: ModelPack,
        options: EngineOptions | None = None,
        memory: EngineMemory | None = None,
    ) -> None:
        """Open the pack's sessions and run the self-test.

        Raises:
            FailedPreconditionError: a graph or the provider cannot be used.
            InternalError: SELF_TEST_FAILED.
            ValueError: no such provider.
        """
        self.pack = pack
        self.options = options or EngineOptions()
        self.memory = memory or EngineMemory()
        self.space = PoseSpace(pack.manifest.parameters)
        self._plan = build_plan(pack.manifest)
        self._key: Hashable = (pack.manifest.name, pack.manifest.version, id(self))
        self._provider = Provider(self.options.provider_options())
        self._lock = threading.Lock()
        self._totals: dict[str, StageTotals] = {}
        self._frames = self._cached_frames = 0
        self.observe_run: ObserveRun | None = None
        self._sessions = self._open()
        stages = self._stages(self._sessions, self.memory.stages)
        self._maker = FrameMaker(stages, self.memory, pack.manifest, self._account)

    @property
    def canvas_side(self) -> int:
        """Side of the canvas in pixels."""
        return self.pack.manifest.canvas.size

    def character(self, sha256: str) -> Character | None:
        """Return the prepared character of a canvas, if this engine still has it."""
        return self.memory.characters.get((self._key, sha256))

    def prepare(self, sha256: str, picture: Picture) -> Character:
        """Convert a canvas and run the stages that read nothing else.

        Args:
            sha256: hash of the picture's pixels, verified by the caller.
            picture: uint8 (side, side, 4), straight alpha, sRGB.

        Raises:
            InvalidArgumentError: CANVAS_WRONG_SIZE.
        """
        side = self.canvas_side
        if picture.shape != (side, side, 4):
            raise InvalidArgumentError(
                f"The canvas must be {side}x{side} pixels RGBA; "
                f"it is {picture.shape[1]}x{picture.shape[0]}.",
                reason="CANVAS_WRONG_SIZE",
                field="canvas.png",
                expected_px=side,
            )
        memo, key = self.memory.characters, (self._key, sha256)
        lookup = memo.claim(key)
        if lookup.value is not None:
            return lookup.value
        if lookup.pending is not None:
            return lookup.pending.result()
        try:
            character = self._prepare(sha256, picture, self._sessions, self._provider)
        except BaseException as error:
            memo.abandon(key, error)
            raise
        memo.publish(key, character, character.nbytes)
        return character

    def prepare_tensor(self, canvas: Tensor) -> Character:
        """Prepare what is already the float32 tensor (4, S, S) that the networks take.

        The character is not remembered.
        """
        digest = hashlib.sha256(canvas.tobytes()).hexdigest()
        return self._prepare_tensor(f"tensor-{digest}", canvas, self._sessions, self._provider)

    def output(self, character: Character, pose: Tensor) -> Tensor:
        """Return the last network's output, float32 (4, S, S), as the networks give it.

        Raises:
            InternalError: a stage failed.
        """
        output = self.pack.manifest.output
        work = PointWork(self._maker.stages, Point(character, pose), output.last)
        drive([work])
        return composed(work, output)

    def work(self, request: FrameRequest) -> FrameWork:
        """Return ``request`` as work for a scheduler; its result is a `RenderedFrame`."""
        return FrameWork(self._maker, request)

    def render(self, requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        """Render ``requests`` on this thread, in order; equal ones are computed once.

        Raises:
            InternalError: a stage failed.
        """
        return drive([self.work(request) for request in requests])

    def statistics(self) -> EngineStatistics:
        """Return the counters."""
        with self._lock:
            return EngineStatistics(
                self._frames,
                self._cached_frames,
                dict(self._totals),
                self.memory.frames.statistics(),
                self.memory.stages.statistics(),
                self.memory.characters.statistics(),
            )

    def check(self) -> None:
        """Render two poses of a made-up picture, past all memory, and compare with the CPU.

        Where batches are allowed the poses share one; the CPU renders them one by one.

        Raises:
            InternalError: SELF_TEST_FAILED, or a stage failed.
        """
        self._check(self._sessions)

    def _open(self) -> Sessions:
        """Open and check the sessions; with the provider's own norms where they are exact."""
        open_all = partial(open_sessions, self.pack, self._plan, self._provider)
        if self._provider.options.name == CPU_PROVIDER or not has_norms(self.pack, self._plan):
            sessions = open_all()
            self._check(sessions)
            return sessions
        try:
            native = open_all(native_norms=True)
            difference = self._check(native)
        except (FailedPreconditionError, InternalError) as error:
            # A provider that cannot be had at all says so again.
            _LOG.info("own norms fail", extra={"model": self.pack.name, "why": error.message})
            exact = open_all()
            self._check(exact)
            return exact
        # Where coarse arithmetic was asked for, no norm is exact.
        if difference <= NORM_TOLERANCE or self._provider.options.bfloat16:
            return native
        exact = open_all()
        # A provider's other operators may be the coarser ones.
        return native if difference <= NORM_SHARE * self._check(exact) else exact

    def _check(self, sessions: Sessions) -> float:
        side = self.pack.manifest.canvas.tensor_size
        options, poses = self._provider.options, probe_poses(self.space)
        reference: list[Tensor] = []
        if options.name != CPU_PROVIDER or options.io_binding or self.options.max_batch > 1:
            cpu = Provider(ProviderOptions(threads=options.threads))
            render = self._prober(open_sessions(self.pack, self._plan, cpu), cpu)
            reference = [render([pose])[0] for pose in poses]
        difference = check_outputs(
            self._prober(sessions, self._provider)(poses),
            (1, 4, side, side),
            reference,
            rounded=options.bfloat16,
        )
        _LOG.info(
            "self-test passed",
            extra={"model": self.pack.name, "provider": options.name, "difference": difference},
        )
        return difference

    def fit_batches(self, memory: DeviceMemory | None, side_by_side: int = 1) -> dict[str, int]:
        """Lower each stage's largest batch to what memory allows; return them by stage.

        Args:
            memory: what runs take; None if nobody can tell.
            side_by_side: runs that may be at work at the same time.

        Raises:
            InternalError: a stage cannot even run for one row.
        """
        stages = self._maker.stages
        picture = probe_picture(self.canvas_side)
        character = self._prepare("", picture, self._sessions, self._provider)
        point = Point(character, probe_poses(self.space)[1])
        work = PointWork(replace(stages, memo=Memo(0)), point, self.pack.manifest.output.last)
        drive([work])
        for unit in stages.units.values():
            if unit.max_batch > 1 and not unit.plan.image_only:
                run = partial(_run_copies, unit.session, work.row(unit.plan))
                unit.max_batch = largest_batch(
                    run, unit.max_batch, memory, side_by_side=side_by_side
                )
        return {name: unit.max_batch for name, unit in stages.units.items()}

    def _prober(
        self, sessions: Sessions, provider: Provider
    ) -> Callable[[Sequence[Tensor]], list[Tensor]]:
        stages = self._stages(sessions, Memo(0), observed=False)
        character = self._prepare("", probe_picture(self.canvas_side), sessions, provider)
        output = self.pack.manifest.output

        def render(poses: Sequence[Tensor]) -> list[Tensor]:
            works = [PointWork(stages, Point(character, pose), output.last) for pose in poses]
            drive(works)
            return [composed(work, output)[None] for work in works]

        return render

    def _stages(self, sessions: Sessions, memo: Memo[Tensors], *, observed: bool = True) -> Stages:
        units = {
            plan.name: StageUnit(
                plan,
                sessions[plan.name],
                max_batch=self.options.max_batch,
                on_device=self._provider.options.name.is_gpu,
                observe=self._observed if observed else None,
            )
            for plan in self._plan.stages
        }
        return Stages(self._key, self._plan, memo, units)

    def _observed(self, stage: str, rows: int, seconds: float) -> None:
        if self.observe_run is not None:
            self.observe_run(stage, rows, seconds)

    def _prepare(
        self, sha256: str, picture: Picture, sessions: Sessions, provider: Provider
    ) -> Character:
        spec = self.pack.manifest.canvas
        seen = picture if spec.window is None else picture[spec.window.rows, spec.window.columns]
        canvas = picture_to_tensor(seen, spec.convention)
        character = self._prepare_tensor(sha256, canvas, sessions, provider)
        return character if spec.window is None else replace(character, surroundings=picture)

    def _prepare_tensor(
        self, sha256: str, canvas: Tensor, sessions: Sessions, provider: Provider
    ) -> Character:
        tensors: Tensors = {CANVAS: upload(provider, canvas[None])}
        work = PointWork(
            Stages(self._key, self._plan, Memo(0)),
            Point(Character(sha256, tensors), self.space.neutral),
            CANVAS,
        )
        for plan in self._plan.stages:
            if plan.image_only:
                outputs = sessions[plan.name].run([work.row(plan)])[0]
                tensors |= {plan.stage.outputs[name]: value for name, value in outputs.items()}
        return Character(sha256, tensors)

    def _account(self, frame: RenderedFrame) -> None:
        with self._lock:
            self._frames += 1
            self._cached_frames += frame.cached
            for use in frame.uses:
                totals = self._totals.get(use.stage, StageTotals())
                self._totals[use.stage] = totals.plus(use)


def _run_copies(session: StageSession, row: Row, count: int) -> None:
    # onnxruntime lays its memory out in another way once it has seen a size of batch.
    for _ in range(2):
        session.run([row] * count)
