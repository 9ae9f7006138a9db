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
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.engine import Character, Engine, FrameRequest, RenderedFrame, StageTotals
from kuchipaku_pose.scheduler import Lane
from kuchipaku_pose.view import View

_MAX_FRAMES_AT_ONCE = 8


class Credit:
    """How many frames the receiver has room for; unlimited unless it says so at the start."""

    def __init__(self) -> None:
        self._left: int | None = None

    def limit(self, frames: int) -> None:
        """Begin with ``frames`` and count from now on.

        Raises:
            InvalidArgumentError: CREDIT_OUT_OF_RANGE.
        """
        if not 0 <= frames <= LIMITS.max_frame_credit:
            raise _credit_out_of_range("config.initial_credit")
        self._left = frames

    def add(self, frames: int) -> None:
        """Grant ``frames`` more.

        Raises:
            InvalidArgumentError: CREDIT_OUT_OF_RANGE.
        """
        if not 1 <= frames <= LIMITS.max_frame_credit:
            raise _credit_out_of_range("credit.frame_count")
        if self._left is not None:
            self._left += frames

    def covers(self, frames: int) -> bool:
        """Whether ``frames`` may be sent now."""
        return self._left is None or self._left >= frames

    def spend(self, frames: int) -> None:
        """Use up ``frames``."""
        if self._left is not None:
            self._left -= frames


def _credit_out_of_range(field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"Credit is at most {LIMITS.max_frame_credit} frames.",
        reason="CREDIT_OUT_OF_RANGE",
        field=field,
        limit=LIMITS.max_frame_credit,
    )


@dataclass(frozen=True, slots=True)
class RealTime:
    """Sending no earlier than ``max_lead_s`` before a frame is due, and not when it is stale."""

    max_lead_s: float
    late_tolerance_s: float
    """A frame this much later than due (or than its pose was known) is dropped."""


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


@dataclass(frozen=True, slots=True)
class _Rendering:
    posed: _Posed
    future: asyncio.Future[RenderedFrame | None]


class FrameStream:
    """Turns poses into coded frames. For one consumer on one event loop.

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
        self._window, self._changed, self._clock = window, changed, clock
        self._real_time = real_time
        self._pending: deque[_Posed] = deque()
        self._rendering: deque[_Rendering] = deque()
        self._started_at: float | None = None
        self._first_offset_s = 0.0
        self._free_at = -math.inf
        self.statistics = statistics
        statistics.encoding = str(encoder.encoding)

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
        return bool(self._rendering) and self._rendering[0].future.done()

    @property
    def is_rendering(self) -> bool:
        """Whether a frame is under way in the scheduler."""
        return any(not rendering.future.done() for rendering in self._rendering)

    @property
    def pending(self) -> int:
        """Poses that wait for their rendering."""
        return len(self._pending)

    def restart_clock(self, length_s: float | None = None) -> None:
        """Begin a new utterance: its first frame starts the clock.

        Args:
            length_s: offset at which the utterance before it ended. Its frames may have been sent
                ahead of their time; the first one now is not due before they are over. None, as
                after an interruption: due at once.
        """
        if self._started_at is not None:
            self._free_at = (
                -math.inf
                if length_s is None
                else self._started_at + max(0.0, length_s - self._first_offset_s)
            )
        self._started_at = None

    def put(
        self,
        poses: NDArray[np.float32],
        offsets_s: Sequence[float],
        known_at: Sequence[float] | None = None,
    ) -> None:
        """Add poses (n, parameters), checked and rounded.

        Args:
            poses: one for each frame.
            offsets_s: when they are due, from the start of the utterance.
            known_at: by the clock, since when they could have been made; None: since now.
        """
        known_at = known_at if known_at is not None else [self._clock()] * len(poses)
        for pose, offset, known in zip(poses, offsets_s, known_at, strict=True):
            self._pending.append(_Posed(pose, float(offset), known))
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
        pictures = [frame for _, frame in chosen]
        coded, seconds = await self._lane.call(lambda: _encode(self._encoder, pictures))
        self.statistics.encode_s += seconds
        if self._real_time is not None:
            now = self._clock()
            self.statistics.lateness_s += [max(0.0, now - self._due(p)) for p, _ in chosen]
        for frame in coded:
            self.statistics.references += frame.same_as_frame_id is not None
            self.statistics.frame_bytes += frame.size_bytes
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
        if not self.head_is_ready or self._real_time is None:
            return None
        head = self._rendering[0]
        at: float | None = self._earliest(head.posed)
        if not self._credit.covers(1):
            at = self._expires(head.posed)
        return None if at is None else max(0.0, at - self._clock())

    def _submit(self) -> None:
        while self._pending and len(self._rendering) < self._window:
            posed = self._pending.popleft()
            request = FrameRequest(self._character, posed.pose, self._view)
            due = self._due(posed) if self._real_time else None
            future = self._lane.render(self._engine, request, due=due, expires=self._expires(posed))
            future.add_done_callback(lambda _: self._changed.set())
            self._rendering.append(_Rendering(posed, future))

    def _choose(self) -> list[tuple[_Posed, RenderedFrame]]:
        chosen: list[tuple[_Posed, RenderedFrame]] = []
        while self._rendering and self._rendering[0].future.done():
            posed = self._rendering[0].posed
            frame = self._rendering[0].future.result()
            now = self._clock()
            expires = self._expires(posed)
            if frame is None or (expires is not None and now > expires):
                self._rendering.popleft()
                self.statistics.dropped += 1
                continue
            full = len(chosen) == _MAX_FRAMES_AT_ONCE
            if full or not self._credit.covers(len(chosen) + 1):
                break
            if self._real_time is not None:
                if self._earliest(posed) > now:
                    break
                if self._started_at is None:
                    self._started_at = max(now, self._free_at)
                    self._first_offset_s = posed.offset_s
            self._rendering.popleft()
            self._count(frame)
            chosen.append((posed, frame))
        return chosen

    def _count(self, frame: RenderedFrame) -> None:
        self.statistics.frames += 1
        self.statistics.cached += frame.cached
        for use in frame.uses:
            totals = self.statistics.stages.get(use.stage, StageTotals())
            self.statistics.stages[use.stage] = totals.plus(use)

    def _due(self, posed: _Posed) -> float:
        """Return the time at which a frame is due.

        The first frame is due as soon as it is known and the utterance before it is over. Until
        that has been sent, the clock of the frames after it is not known: they follow it
        at their distance.
        """
        if self._started_at is None:
            return max(posed.known_at, self._free_at)
        return self._started_at + posed.offset_s - self._first_offset_s

    def _earliest(self, posed: _Posed) -> float:
        return self._due(posed) - (self._real_time.max_lead_s if self._real_time else 0.0)

    def _expires(self, posed: _Posed) -> float | None:
        if self._real_time is None or self._started_at is None:
            return None
        # A pose that became known late is the speech's lateness, not that of the rendering.
        return max(self._due(posed), posed.known_at) + self._real_time.late_tolerance_s


def _encode(
    encoder: FrameEncoder, frames: Sequence[RenderedFrame]
) -> tuple[list[CodedFrame], float]:
    """Code ``frames`` in order, on a worker's thread; also return the CPU time it took."""
    started = time.thread_time()
    coded = [encoder.encode(frame.pixels, frame.key) for frame in frames]
    return coded, time.thread_time() - started
