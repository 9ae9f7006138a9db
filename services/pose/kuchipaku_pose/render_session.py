"""RenderPoses: poses in, frames out, one for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import numpy as np

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku_animation import MouthMap
from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.convert import (
    check_count,
    complete_format,
    converted,
    fps_of,
    statistics_message,
)
from kuchipaku_pose.engine import Character
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.posespace import CheckedPoses, Poses, check_quantum
from kuchipaku_pose.session import Session, SessionContext, batches
from kuchipaku_pose.stills import poses_of
from kuchipaku_pose.utterance import mouth_of

_ENOUGH_POSES = 1024
"""Without credit no more is read while this many wait: flow control holds the client."""
_MAX_WAITING_POSES = 20_000
"""With credit more are refused: a grant may stand behind them, so reading must go on."""


class RenderPosesSession(Session[pb.RenderPosesRequest, pb.RenderPosesResponse]):
    """One RenderPoses call."""

    def __init__(self, context: SessionContext) -> None:
        super().__init__(context)
        self._config = pb.RenderPosesConfig()
        self._model: PoseModel
        self._mouth_map: MouthMap
        self._poses: deque[Poses] = deque()
        self._waiting = 0
        self._taken = asyncio.Event()
        """Set whenever poses have gone to the renderer."""

    def start(self, request: pb.RenderPosesRequest) -> pb.RenderPosesResponse:
        """Take the config."""
        config = request.config
        self._model = self.context.models.get(config.model, field="config.model")
        engine = self._model.engine
        check_quantum(config.quantum, field="config.quantum")
        self._config = pb.RenderPosesConfig(
            model=self._model.name,
            canvas_sha256=config.canvas_sha256,
            frame_format=complete_format(config.frame_format, engine.canvas_side),
            frames_per_second=fps_of(config.frames_per_second, "config.frames_per_second"),
            quantum=config.quantum,
            mouth_overrides=config.mouth_overrides,
        )
        self._mouth_map = mouth_of(config.mouth_overrides, self._model.mouth_map, "config")
        if config.HasField("initial_credit"):
            self._config.initial_credit = config.initial_credit
        needed = self.use_canvas(engine, config.canvas_sha256)
        return pb.RenderPosesResponse(
            started=pb.RenderPosesStarted(
                config=self._config,
                model_version=engine.pack.manifest.version,
                canvas_needed=needed,
            )
        )

    async def handle(self, kind: str, request: pb.RenderPosesRequest) -> None:
        """Take poses."""
        messages = request.poses.poses
        # What is held without credit is bounded by what one message adds.
        check_count(len(messages), LIMITS.max_poses, "poses.poses", "TOO_MANY_POSES")
        if self._config.HasField("initial_credit"):
            self.check_backlog(self._waiting + len(messages), _MAX_WAITING_POSES, "poses")
        else:
            await self._wait_for_room()
        if not messages:
            return
        checked = await converted(lambda: self._checked(messages), len(messages))
        self.statistics.clamped_values += checked.clamped_count
        self._waiting += len(checked.poses)
        self._poses.append(checked.poses)

    async def play(self, character: Character) -> AsyncGenerator[pb.RenderPosesResponse, None]:
        """Yield the frames and the statistics."""
        stream = self.make_stream(self._model.engine, character, self._config.frame_format)
        fps = self._config.frames_per_second
        count = 0
        while True:
            self.check_failure()
            while self._poses and stream.pending < self.context.window:
                poses = self._poses.popleft()
                stream.put(poses, (np.arange(count, count + len(poses)) / fps).tolist())
                count += len(poses)
            frames = await stream.collect()
            self._waiting = stream.pending + sum(map(len, self._poses))
            self._taken.set()
            if frames:
                for batch in batches(frames, utterance_id="", epoch=stream.epoch):
                    yield pb.RenderPosesResponse(frames=batch)
            elif self.input_ended and stream.idle and not self._poses:
                break
            else:
                await self.wait(stream)
        yield pb.RenderPosesResponse(statistics=statistics_message(self.statistics))

    def _checked(self, messages: Sequence[pb.Pose]) -> CheckedPoses:
        """The poses of a message, rounded; reads the config and the model alone."""
        checked = poses_of(messages, self._model, self._mouth_map, field="poses.poses")
        rounded = self._model.engine.space.quantise(checked.poses, self._config.quantum)
        return replace(checked, poses=rounded)

    async def _wait_for_room(self) -> None:
        """Wait for frames to be sent; nothing that is still to come could hasten that."""
        while self._waiting > _ENOUGH_POSES:
            if self.character is None:
                raise FailedPreconditionError(
                    "Too much input before the canvas.", reason="CANVAS_MISSING", field="canvas"
                )
            self._taken.clear()
            await self._taken.wait()
