"""What was seen of one session. Plain data that travels between processes.

All times are seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """How a session behaves."""

    PLAIN = "plain"
    SLOW_READER = "slow_reader"
    INTERRUPTER = "interrupter"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A session that was not let in."""

    code: str
    reason: str
    after_s: float
    """From sending the config to knowing."""
    retry_after_s: float | None
    """What RetryInfo said; None where there was none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One frame against its due time."""

    due: float
    late_s: float
    """Negative: early."""
    came: bool


@dataclass(slots=True)
class SpokenLine:
    """One utterance: when its audio went out, and when its frames came.

    `latency_s` is the declared latency. Frames are counted by their index within the utterance.
    """

    name: str
    duration_s: float
    latency_s: float
    fps: float
    chunk_s: float | None
    """Length of the pieces sent in real time; None: sent as a whole."""
    sent_at: list[float] = field(default_factory=list)
    """When each piece was sent; one time where the line went out whole."""
    arrivals: dict[int, float] = field(default_factory=dict)
    finished_at: float | None = None
    interrupted_at: float | None = None
    last_stale_at: float | None = None
    """Arrival of the last frame after the interrupt."""

    @property
    def frames_expected(self) -> int:
        """Frames from 0 to the end of the audio."""
        return max(1, math.ceil(round(self.duration_s * self.fps, 6)))

    def due(self, index: int) -> float:
        """When a frame has to be there: its audio's time of sending plus the declared latency."""
        offset = index / self.fps
        if self.chunk_s is None:
            return self.sent_at[0] + offset + self.latency_s
        piece = min(int(offset / self.chunk_s + 1e-9), len(self.sent_at) - 1)
        return self.sent_at[piece] + self.latency_s

    def came(self, index: int, at: float) -> None:
        """A frame is there."""
        if self.interrupted_at is not None:
            self.last_stale_at = at
        self.arrivals.setdefault(index, at)

    def judged(self, until: float) -> list[Judged]:
        """Every frame that should be there.

        A frame that never came is as late as what came next, or as `until`, says.
        """
        if not self.sent_at:
            return []
        seen: list[Judged] = []
        next_at = self.finished_at if self.finished_at is not None else until
        for index in reversed(range(self.frames_expected)):
            due = self.due(index)
            at = self.arrivals.get(index)
            if at is not None:
                next_at = at
            elif self.interrupted_at is not None or due > until:
                continue
            # One that was left out was missed for its own time at least.
            late = next_at - due if at is not None else max(next_at - due, 1 / self.fps)
            seen.append(Judged(due, late, came=at is not None))
        return seen[::-1]


@dataclass(slots=True)
class SessionRecord:
    """One session from its first message to its end."""

    number: int
    role: Role
    begun_at: float
    opened_s: float | None = None
    """From the config to `started`."""
    ended_at: float | None = None
    refusal: Refusal | None = None
    failure: str = ""
    """Status and reason of a session that broke off after it was let in."""
    lines: list[SpokenLine] = field(default_factory=list)
    send_lag_s: list[float] = field(default_factory=list)
    """How much later than planned each message went out: the generator's own lag."""
    frame_bytes: int = 0


@dataclass(slots=True)
class GeneratorRecord:
    """What one process of the generator saw."""

    sessions: list[SessionRecord] = field(default_factory=list)
    loop_lag_s: list[float] = field(default_factory=list)
    """How much later than asked for a timer woke up."""
    cpu_s: float = 0.0
