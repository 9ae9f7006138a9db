"""One stream's frames: rendered side by side, sent in order, on time and within credit."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kuchipaku.frames import CodedFrame, FrameEncoder
from kuchipaku_pose.engine import Character, Engine, FrameRequest, RenderedFrame, StageTotals
from kuchipaku_pose.pacing import Credit, FrameClock, RealTime
from kuchipaku_pose.scheduler import Lane
from kuchipaku_pose.view import View
from kuchipaku_pose.work import QuickUnit, Work, drive

_MAX_FRAMES_AT_ONCE = 8
_LONGEST_GAP_S = 1.0
"""A stream that has shown nothing for so long gets its next frame, however late it comes."""


@dataclass
class StreamStatistics:
    """What a stream has cost so far."""

    frames: int = 0
    dropped: int = 0
    cached: int = 0
    references: int = 0
    clamped_values: int = 0
    frame_bytes: int = 0
    encoding: str = ""
    """Name of the frames' encoding, once there is a stream."""
    encode_s: float = 0.0
    """CPU time that coding took."""
    lateness_s: list[float] = field(default_factory=list)
    """How late real-time frames were when coded, since this was last emptied; 0: in time."""
    stages: dict[str, StageTotals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutFrame:
    """A coded frame and when it is due, in seconds from the start of its utterance."""

    coded: CodedFrame
    offset_s: float


@dataclass(frozen=True, slots=True)
class _Posed:
    pose: NDArray[np.float32]
    offset_s: float
    known_at: float
    last: bool
    """Whether it ends its utterance: it shows the mouth at rest, and that is not left out."""


@dataclass(frozen=True, slots=True)
class _Rendering:
    posed: _Posed
    made: asyncio.Future[RenderedFrame | None] | Work
    """A frame on its way, or one that is known and only has to be read."""
    kept: bool
    """Whether it is shown even if it is late."""

    @property
    def ready(self) -> bool:
        return not isinstance(self.made, asyncio.Future) or self.made.done()


_Choice = tuple[_Posed, RenderedFrame | Work]


class FrameStream:
    """Turns poses into coded frames. For one consumer on one event loop.

    Live frames that are too late are left out before they are coded, and before they are
    rendered where that is known in time, as long as there is a later one to show: the picture
    catches up and never stands still for good, and what has been sent stays complete.

    Usage::

        stream.put(poses, offsets)
        while not stream.idle:
            frames = await stream.collect()
            if not frames:
                await stream.wait()
    """

    def __init__(
        self,
        lane: Lane,
        engine: Engine,
        character: Character,
        view: View,
        encoder: FrameEncoder,
        *,
        credit: Credit,
        window: int,
        changed: asyncio.Event,
        statistics: StreamStatistics,
        clock: Callable[[], float],
        real_time: RealTime | None = None,
    ) -> None:
        """Make an empty stream.

        Args:
            lane: the stream's place in the scheduler.
            engine: what renders.
            character: who is rendered.
            view: what part, at which size.
            encoder: codes the frames; its state follows what is sent.
            credit: shared with whoever hears the receiver.
            window: most frames under way in the scheduler.
            changed: set when a frame is finished; set it elsewhere to end `wait`.
            statistics: counted into.
            clock: the scheduler's.
            real_time: pacing; None sends as fast as frames are made.
        """
        self._lane, self._engine, self._character = lane, engine, character
        self._view, self._encoder, self._credit = view, encoder, credit
        self._window, self._changed, self._now = window, changed, clock
        self._gathering_s = real_time.gathering_s if real_time else 0.0
        self._clock = FrameClock(real_time) if real_time else None
        self._pending: deque[_Posed] = deque()
        self._rendering: deque[_Rendering] = deque()
        self._shown_at: float | None = None
        self.statistics = statistics
        statistics.encoding = str(encoder.encoding)

    @property
    def is_live(self) -> bool:
        """Whether frames are sent in real time."""
        return self._clock is not None

    @property
    def epoch(self) -> int:
        """The encoder's epoch."""
        return self._encoder.epoch

    @property
    def idle(self) -> bool:
        """Whether nothing is left to send."""
        return not self._pending and not self._rendering

    @property
    def head_is_ready(self) -> bool:
        """Whether the next frame is rendered, so that only its time or credit is missing."""
        return bool(self._rendering) and self._rendering[0].ready

    @property
    def is_rendering(self) -> bool:
        """Whether a frame is under way in the scheduler."""
        return any(not rendering.ready for rendering in self._rendering)

    @property
    def pending(self) -> int:
        """Poses that wait for their rendering."""
        return len(self._pending)

    def set_clock(self, start: float) -> None:
        """Set the utterance's clock: offset 0 is due at ``start``. For live streams."""
        if self._clock is not None:
            self._clock.set(start)

    def restart_clock(self, length_s: float | None = None) -> None:
        """Begin a new utterance; see `FrameClock.restart`."""
        if self._clock is not None:
            self._clock.restart(length_s)
        self._shown_at = None

    def too_late_before(self) -> float:
        """Return the offset before which no frame is worth making, unless it is the latest."""
        return self._clock.too_late_before(self._now()) if self._clock else -math.inf

    def put(
        self,
        poses: NDArray[np.float32],
        offsets_s: Sequence[float],
        known_at: Sequence[float] | None = None,
        *,
        last: bool = False,
    ) -> None:
        """Add poses (n, parameters), checked and rounded.

        Args:
            poses: one for each frame.
            offsets_s: when they are due, from the start of the utterance.
            known_at: by the clock, since when they could have been made; None: since now.
            last: whether the utterance ends with them.
        """
        known_at = known_at if known_at is not None else [self._now()] * len(poses)
        end = len(poses) - 1
        for i, (pose, offset, known) in enumerate(zip(poses, offsets_s, known_at, strict=True)):
            self._pending.append(_Posed(pose, float(offset), known, last and i == end))
        self._submit()

    def cancel(self) -> None:
        """Forget all frames not yet coded; those in the queue leave it at once."""
        self._pending.clear()
        self._rendering.clear()
        self._lane.cancel_all()

    async def collect(self) -> list[OutFrame]:
        """Return the frames that can be sent now, coded, in order; none where none can.

        Everything returned must be sent, since later frames build on it.

        Raises:
            KuchipakuError: rendering failed.
        """
        self._submit()
        chosen = self._choose()
        self._submit()
        if not chosen:
            return []
        self._credit.spend(len(chosen))
        made = [frame for _, frame in chosen]
        pictures, coded, seconds = await self._lane.call(lambda: _encode(self._encoder, made))
        self.statistics.encode_s += seconds
        now = self._now()
        for (posed, _), picture, frame in zip(chosen, pictures, coded, strict=True):
            if self._clock is not None:
                late = now - self._clock.due(posed.offset_s, posed.known_at)
                self.statistics.lateness_s.append(max(0.0, late))
            self._count(picture, frame)
        return [
            OutFrame(frame, posed.offset_s) for frame, (posed, _) in zip(coded, chosen, strict=True)
        ]

    async def wait(self, at_most_s: float | None = None) -> None:
        """Wait until `collect` may have something, or until the event is set elsewhere."""
        limits = [s for s in (self._seconds_until_news(), at_most_s) if s is not None]
        try:
            async with asyncio.timeout(min(limits, default=None)):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def _seconds_until_news(self) -> float | None:
        """Return when time alone will let `collect` go on; None: something has to happen."""
        if not self.head_is_ready or self._clock is None:
            return None
        head = self._rendering[0].posed
        at: float | None = self._leaves(head)
        if not self._credit.covers(1):
            at = self._expires(head)
        return None if at is None else max(0.0, at - self._now())

    def _submit(self) -> None:
        while self._pending and len(self._rendering) < self._window:
            posed = self._pending.popleft()
            late = self._is_late(posed)
            if late and self._pending and not posed.last:
                self.statistics.dropped += 1
                continue
            kept = posed.last or late or self._starves()
            work = self._engine.work(FrameRequest(self._character, posed.pose, self._view))
            if isinstance(work.next_unit(), QuickUnit):
                self._rendering.append(_Rendering(posed, work, kept))
            else:
                future = self._render(work, posed, kept=kept)
                self._rendering.append(_Rendering(posed, future, kept))

    def _render(
        self, work: Work, posed: _Posed, *, kept: bool
    ) -> asyncio.Future[RenderedFrame | None]:
        if self._clock is None:
            future = self._lane.bulk(work)
        else:
            # One that is shown although it is late has no claim to go before all others.
            due = self._clock.due(posed.offset_s, posed.known_at)
            due = max(due, self._now()) if kept else due
            future = self._lane.live(work, due, None if kept else self._expires(posed))
        future.add_done_callback(lambda _: self._changed.set())
        return future

    def _choose(self) -> list[_Choice]:
        chosen: list[_Choice] = []
        while self._rendering and self._rendering[0].ready:
            head = self._rendering[0]
            frame = head.made.result() if isinstance(head.made, asyncio.Future) else head.made
            followed = len(self._rendering) > 1 or bool(self._pending)
            if frame is None or (followed and not head.kept and self._is_late(head.posed)):
                self._rendering.popleft()
                self.statistics.dropped += 1
                continue
            full = len(chosen) == _MAX_FRAMES_AT_ONCE
            if full or not self._credit.covers(len(chosen) + 1):
                break
            if self._clock is not None:
                now = self._now()
                if self._leaves(head.posed, gather=not chosen) > now:
                    break
                self._clock.sent(head.posed.offset_s, now)
                self._shown_at = now
            self._rendering.popleft()
            chosen.append((head.posed, frame))
        return chosen

    def _count(self, picture: RenderedFrame, coded: CodedFrame) -> None:
        self.statistics.frames += 1
        self.statistics.cached += picture.cached
        self.statistics.references += coded.same_as_frame_id is not None
        self.statistics.frame_bytes += coded.size_bytes
        for use in picture.uses:
            totals = self.statistics.stages.get(use.stage, StageTotals())
            self.statistics.stages[use.stage] = totals.plus(use)

    def _starves(self) -> bool:
        """Whether the next frame must be made, since none has been shown for too long."""
        if self._clock is None:
            return False
        now = self._now()
        if self._shown_at is None:
            self._shown_at = now
        gap = now - self._shown_at > _LONGEST_GAP_S
        return gap and not any(rendering.kept for rendering in self._rendering)

    def _leaves(self, posed: _Posed, *, gather: bool = True) -> float:
        """Return when a frame goes out: the first of a message waits for others to go with it."""
        assert self._clock is not None  # noqa: S101 - live streams have one
        wait_s = self._gathering_s if gather else 0.0
        return self._clock.earliest(posed.offset_s, posed.known_at) + wait_s

    def _expires(self, posed: _Posed) -> float | None:
        return self._clock.expires(posed.offset_s, posed.known_at) if self._clock else None

    def _is_late(self, posed: _Posed) -> bool:
        expires = self._expires(posed)
        return expires is not None and self._now() > expires


def _encode(
    encoder: FrameEncoder, made: Sequence[RenderedFrame | Work]
) -> tuple[list[RenderedFrame], list[CodedFrame], float]:
    """Code frames in order, on a worker's thread; also return them and the CPU time it took."""
    frames: list[RenderedFrame] = [
        frame if isinstance(frame, RenderedFrame) else drive([frame])[0] for frame in made
    ]
    started = time.thread_time()
    coded = [encoder.encode(frame.pixels, frame.key) for frame in frames]
    return frames, coded, time.thread_time() - started
