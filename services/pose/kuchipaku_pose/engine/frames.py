"""Whole frames: a point's way through the stages, then its picture, remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from kuchipaku_pose.conventions import Picture, Tensor, tensor_to_picture
from kuchipaku_pose.engine.evaluate import Point, PointWork, Stages, StageUse, Tensors
from kuchipaku_pose.engine.memo import Lookup
from kuchipaku_pose.engine.packed import PackedPicture, pack
from kuchipaku_pose.engine.plan import StagePlan
from kuchipaku_pose.engine.transfer import fetch
from kuchipaku_pose.engine.types import EngineMemory, FrameRequest, RenderedFrame
from kuchipaku_pose.manifest import Manifest, OutputSpec
from kuchipaku_pose.work import Outcome, QuickUnit, Unit

PIXELS_STAGE = "pixels"
"""Name under which the conversion of the output tensor to a picture, and its packing, count."""
UNPACK_STAGE = "unpack"
"""Name under which reading a remembered picture counts."""


@dataclass(eq=False)
class FrameMaker:
    """What the frames of one model share."""

    stages: Stages
    memory: EngineMemory
    manifest: Manifest
    finished: Callable[[RenderedFrame], object]
    """Told each frame, from the thread that made it."""

    def __post_init__(self) -> None:
        self.memo = self.memory.frames
        self.pixels = PixelsUnit()
        self.unpack = UnpackUnit()

    def key(self, request: FrameRequest) -> Hashable:
        """Return a key that is equal for equal pictures."""
        pose = self.stages.plan.depends.key(request.pose)
        return self.stages.key, request.character.sha256, pose, request.view


class FrameWork(PointWork):
    """One requested frame."""

    def __init__(self, maker: FrameMaker, request: FrameRequest) -> None:
        point = Point(request.character, request.pose)
        super().__init__(maker.stages, point, maker.manifest.output.last)
        self.maker = maker
        self.view = request.view
        self.frame_key = maker.key(request)
        self.packed: PackedPicture | None = None
        self.frame: RenderedFrame | None = None
        self._claims_frame = False
        self._awaits_frame = False

    def next_unit(self) -> Unit | None:
        """Return the next stage, then the making of the picture or the reading of a known one."""
        if self.frame is not None:
            return None
        if self.packed is None and not self._claims_frame:
            self.packed = self.maker.memo.get(self.frame_key)
        if self.packed is not None:
            return self.maker.unpack
        return super().next_unit() or self.maker.pixels

    def result(self) -> Any:
        """Return the `RenderedFrame`."""
        return self.frame

    def resume(self, value: Future[Any]) -> None:
        """Take the picture, or a stage's outputs, that another work has made."""
        if not self._awaits_frame:
            super().resume(value)
            return
        self._awaits_frame = False
        if value.exception() is None:
            self.packed = value.result()

    def abandon(self, error: BaseException) -> None:
        """Leave the picture to others that wait for it."""
        if self._claims_frame:
            self._claims_frame = False
            self.maker.memo.abandon(self.frame_key, error)

    def claim(self, stage: StagePlan) -> Lookup[Tensors]:
        """As for points; the stage that ends in the picture is claimed with the picture."""
        if stage.memoised:
            return super().claim(stage)
        lookup = self.claim_frame()
        return Lookup(pending=lookup) if lookup is not None else Lookup()

    def settle(self, stage: StagePlan, outputs: Tensors | BaseException) -> None:
        """As for points; a failure gives up the picture too."""
        super().settle(stage, outputs)
        if isinstance(outputs, BaseException):
            self.abandon(outputs)

    def claim_frame(self) -> Future[Any] | None:
        """Take on making the picture; return a future if that is being done, or has been."""
        if self._claims_frame:
            return None
        lookup = self.maker.memo.claim(self.frame_key)
        if lookup.claimed:
            self._claims_frame = True
            return None
        self._awaits_frame = True
        if lookup.pending is not None:
            return lookup.pending
        done: Future[Any] = Future()
        done.set_result(lookup.value)
        return done

    def finish(self, pixels: Picture, packed: PackedPicture, seconds: float) -> None:
        """Take the picture that was made, and remember it."""
        conversion = StageUse(PIXELS_STAGE, hit=False, seconds=seconds)
        uses = (*self.uses, conversion)
        self.frame = RenderedFrame(pixels, cached=False, key=self.frame_key, uses=uses)
        self._claims_frame = False
        self.maker.memo.publish(self.frame_key, packed, packed.nbytes)
        self.maker.finished(self.frame)


class PixelsUnit:
    """Turns output tensors into pictures."""

    name = PIXELS_STAGE
    max_batch = 1
    on_device = False

    def run(self, works: Sequence[FrameWork]) -> Sequence[Outcome]:
        """Make the picture of each work that nobody else has made."""
        return [self._make(work) for work in works]

    def _make(self, work: FrameWork) -> Outcome:
        pending = work.claim_frame()
        if pending is not None:
            return pending
        started = time.perf_counter()
        try:
            pixels = _picture_of(work)
            pixels.setflags(write=False)
            packed = pack(pixels)
        except Exception as error:
            work.abandon(error)
            return error
        work.finish(pixels, packed, time.perf_counter() - started)
        return None


def composed(work: PointWork, output: OutputSpec) -> Tensor:
    """Return the frame of a work that has run, float32 (4, S, S): with the patch, if it has one."""
    tensor: Tensor = fetch(work.tensor(output.tensor))[0]
    if output.patch is None:
        return tensor
    whole = tensor.copy()
    whole[:, output.patch.rows, output.patch.columns] = fetch(work.tensor(output.last))[0]
    return whole


def _picture_of(work: FrameWork) -> Picture:
    """Return what the work's view shows."""
    manifest = work.maker.manifest
    output, view = manifest.output, work.view
    window, canvas = manifest.canvas.window, work.point.character.surroundings
    if window is not None and canvas is not None:
        whole = canvas.copy()
        tensor = composed(work, output)
        whole[window.rows, window.columns] = tensor_to_picture(tensor, output.convention)
        return view.apply(whole)
    if output.patch is None or view.pools(output.convention):
        return view.show(composed(work, output), output.convention)
    whole = _surroundings(work).copy()
    patch: Tensor = fetch(work.tensor(output.last))[0]
    whole[output.patch.rows, output.patch.columns] = tensor_to_picture(patch, output.convention)
    return view.apply(whole)


def _surroundings(work: FrameWork) -> Picture:
    """Return what is around the patch as a picture, made once for all frames that share it."""
    maker, output = work.maker, work.maker.manifest.output
    memo, key = maker.memory.pictures, work.key(maker.stages.plan.writer[output.tensor])
    lookup = memo.claim(key)
    if lookup.value is not None:
        return lookup.value
    if lookup.pending is not None:
        return lookup.pending.result()
    try:
        picture = _around_patch(fetch(work.tensor(output.tensor))[0], output)
    except BaseException as error:
        memo.abandon(key, error)
        raise
    memo.publish(key, picture, picture.nbytes)
    return picture


def _around_patch(tensor: Tensor, output: OutputSpec) -> Picture:
    """Return ``tensor`` (4, S, S) as a picture, transparent where the patch will be."""
    picture = np.zeros((*tensor.shape[1:], 4), np.uint8)
    if output.patch is not None:
        rows, columns = output.patch.rows, output.patch.columns
        left, right = slice(0, columns.start), slice(columns.stop, None)
        above, below = slice(0, rows.start), slice(rows.stop, None)
        for part in ((above, slice(None)), (below, slice(None)), (rows, left), (rows, right)):
            if picture[part].size:
                picture[part] = tensor_to_picture(tensor[:, *part], output.convention)
    return picture


class UnpackUnit(QuickUnit):
    """Reads remembered pictures."""

    name = UNPACK_STAGE
    max_batch = 1
    on_device = False

    def run(self, works: Sequence[FrameWork]) -> Sequence[Outcome]:
        """Give each work its picture."""
        for work in works:
            if work.packed is not None:
                pixels = work.packed.unpack()
                work.frame = RenderedFrame(pixels, cached=True, key=work.frame_key, uses=())
                work.maker.finished(work.frame)
        return [None] * len(works)
