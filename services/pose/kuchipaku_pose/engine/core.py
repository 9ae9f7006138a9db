"""The engine of one model: characters and poses in, frames out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.conventions import Picture, picture_to_tensor, tensor_to_picture
from kuchipaku_pose.engine.evaluate import Character, Evaluation, Point, StageUse
from kuchipaku_pose.engine.memo import Memo
from kuchipaku_pose.engine.packed import PackedPicture, pack
from kuchipaku_pose.engine.plan import build_plan
from kuchipaku_pose.engine.selftest import check_outputs, probe_picture, probe_poses
from kuchipaku_pose.engine.sessions import CPU_PROVIDER, StageSession, Tensors
from kuchipaku_pose.engine.types import (
    EngineMemory,
    EngineOptions,
    EngineStatistics,
    FrameRequest,
    RenderedFrame,
    StageTotals,
)
from kuchipaku_pose.manifest import CANVAS, PoseInput
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.posespace import PoseSpace

Sessions = Mapping[str, StageSession]
Tensor = NDArray[np.float32]

PIXELS_STAGE = "pixels"
"""Name under which the conversion of the output tensor to a picture, and its packing, count."""


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
        """
        self.pack = pack
        self.options = options or EngineOptions()
        self.memory = memory or EngineMemory()
        self.space = PoseSpace(pack.manifest.parameters)
        self._plan = build_plan(pack.manifest)
        self._key: Hashable = (pack.manifest.name, pack.manifest.version, id(self))
        self._sessions = self._open(self.options.provider)
        self._lock = threading.Lock()
        self._totals: dict[str, StageTotals] = {}
        self._frames = self._cached_frames = 0
        self._self_test()

    @property
    def max_batch(self) -> int:
        """Most points in one run."""
        return self.options.max_batch

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
            character = self._prepare(sha256, picture, self._sessions)
        except BaseException as error:
            memo.abandon(key, error)
            raise
        memo.publish(key, character, character.nbytes)
        return character

    def render(self, requests: Sequence[FrameRequest]) -> list[RenderedFrame]:
        """Render ``requests``, in order; equal ones are computed once.

        Raises:
            InternalError: a stage failed.
        """
        memo = self.memory.frames
        frames: list[RenderedFrame | None] = [None] * len(requests)
        claimed: dict[Hashable, list[int]] = {}
        waiting: list[tuple[Future[PackedPicture], Hashable, int]] = []
        # All keys before the first claim: a claim must be settled, whatever a request holds.
        for i, key in enumerate([self._frame_key(request) for request in requests]):
            if key in claimed:
                claimed[key].append(i)
                continue
            lookup = memo.claim(key)
            if lookup.value is not None:
                frames[i] = RenderedFrame(lookup.value.unpack(), cached=True, key=key, uses=())
            elif lookup.pending is not None:
                waiting.append((lookup.pending, key, i))
            else:
                claimed[key] = [i]
        self._render_claimed(requests, claimed, frames)
        for pending, key, i in waiting:
            pixels = pending.result().unpack()
            frames[i] = RenderedFrame(pixels, cached=True, key=key, uses=())
        finished = [frame for frame in frames if frame is not None]
        self._account(finished)
        return finished

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

    def _open(self, provider: str) -> Sessions:
        return {
            stage.name: StageSession(
                stage.name,
                self.pack.graphs[stage.name],
                provider=provider,
                threads=self.options.threads_per_run,
            )
            for stage in self._plan.stages
        }

    def _frame_key(self, request: FrameRequest) -> Hashable:
        pose = self._plan.depends.key(request.pose)
        return self._key, request.character.sha256, pose, request.view

    def _render_claimed(
        self,
        requests: Sequence[FrameRequest],
        claimed: dict[Hashable, list[int]],
        frames: list[RenderedFrame | None],
    ) -> None:
        if not claimed:
            return
        unsettled = dict(claimed)
        output = self.pack.manifest.output
        try:
            leaders = [requests[members[0]] for members in claimed.values()]
            points = [Point(request.character, request.pose) for request in leaders]
            evaluation = self._evaluation(points, self._sessions, self.memory.stages)
            evaluation.require(output.tensor, range(len(points)))
            for rank, (key, members) in enumerate(claimed.items()):
                started = time.perf_counter()
                tensor = evaluation.tensor(output.tensor, rank)[0]
                pixels = leaders[rank].view.apply(tensor_to_picture(tensor, output.convention))
                pixels.setflags(write=False)
                packed = pack(pixels)
                seconds = time.perf_counter() - started
                conversion = StageUse(PIXELS_STAGE, hit=False, seconds=seconds)
                self.memory.frames.publish(key, packed, packed.nbytes)
                del unsettled[key]
                frames[members[0]] = RenderedFrame(
                    pixels, cached=False, key=key, uses=(*evaluation.uses[rank], conversion)
                )
                for i in members[1:]:
                    frames[i] = RenderedFrame(pixels, cached=True, key=key, uses=())
        except BaseException as error:
            for key in unsettled:
                self.memory.frames.abandon(key, error)
            raise

    def _evaluation(
        self, points: Sequence[Point], sessions: Sessions, memo: Memo[Tensors]
    ) -> Evaluation:
        return Evaluation(
            self._key, self._plan, sessions, memo, points, max_batch=self.options.max_batch
        )

    def _self_test(self) -> None:
        side = self.canvas_side
        picture = probe_picture(side)

        def renderer(sessions: Sessions) -> Callable[[Tensor], Tensor]:
            character = self._prepare("", picture, sessions)

            def render(pose: Tensor) -> Tensor:
                name = self.pack.manifest.output.tensor
                evaluation = self._evaluation([Point(character, pose)], sessions, Memo(0))
                evaluation.require(name, [0])
                return evaluation.tensor(name, 0)

            return render

        on_cpu = self.options.provider == CPU_PROVIDER
        check_outputs(
            probe_poses(self.space),
            renderer(self._sessions),
            (1, 4, side, side),
            None if on_cpu else renderer(self._open(CPU_PROVIDER)),
        )

    def _prepare(self, sha256: str, picture: Picture, sessions: Sessions) -> Character:
        tensors: Tensors = {
            CANVAS: picture_to_tensor(picture, self.pack.manifest.canvas.convention)[None]
        }
        for plan in self._plan.stages:
            if plan.image_only:
                inputs = {
                    name: tensors[source.tensor]
                    for name, source in plan.stage.inputs.items()
                    if not isinstance(source, PoseInput)
                }
                outputs = sessions[plan.name].run(inputs)
                tensors |= {plan.stage.outputs[name]: value for name, value in outputs.items()}
        return Character(sha256, tensors)

    def _account(self, frames: Sequence[RenderedFrame]) -> None:
        with self._lock:
            for frame in frames:
                self._frames += 1
                self._cached_frames += frame.cached
                for use in frame.uses:
                    totals = self._totals.get(use.stage, StageTotals())
                    self._totals[use.stage] = totals.plus(use)
