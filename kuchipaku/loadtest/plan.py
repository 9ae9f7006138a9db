"""What a load test is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Mix(StrEnum):
    """What the sessions have in common."""

    DISTINCT = "distinct"
    """Nothing: every character, line and seed is new, and caches are cold."""
    CROWD = "crowd"
    """Eight characters with three recurring lines each and their text, as a game has."""


class Feed(StrEnum):
    """How speech is sent."""

    LINE = "line"
    """A whole line at once with its text, as a speech synthesiser gives it."""
    LIVE = "live"
    """Pieces in real time, as from a microphone."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What a session has to keep."""

    lateness_s: float = 0.040
    """99 of 100 frames are less late than this; a later one is a miss."""
    miss_fraction: float = 0.01

    def kept(self, lateness_p99_s: float | None, misses: int, frames: int) -> bool:
        """Whether figures stay within; nothing seen at all does not."""
        if lateness_p99_s is None or not frames:
            return False
        return lateness_p99_s < self.lateness_s and misses < self.miss_fraction * frames


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One run."""

    target: str
    """Address of the gateway."""
    sessions: int = 4
    """Sessions at a time, or with `arrivals_per_s` the most that are open at a time."""
    duration_s: float = 20.0
    mix: Mix = Mix.CROWD
    feed: Feed = Feed.LINE
    arrivals_per_s: float | None = None
    """Sessions that begin per second, as a Poisson process; None: a fixed number of them."""
    session_s: float | None = None
    """Mean length of arriving sessions; None: a third of the duration."""
    warmup_s: float = 3.0
    """What is due before this does not count."""
    line_latency_s: float = 0.5
    """Declared latency of whole lines: from sending one to the time its first frame is due."""
    max_lead_s: float | None = None
    """How far frames may be ahead of their time; None: 0.3 s more than the declared latency of
    whole lines, and the service's default where speech is live."""
    live_latency_s: float = 0.2
    """What live recognition is told; with the service's look-ahead the declared latency."""
    pause_s: float = 0.4
    """Silence between lines."""
    chunk_s: float = 0.04
    """Length of the pieces of live audio."""
    rehearsed: bool = True
    """Have a crowd's lines spoken once before the run, so that caches know them."""
    with_text: bool = True
    """Send a line's text where it is sent whole."""
    slow_readers: float = 0.0
    """Fraction of sessions that read at half the speed; they do not count themselves."""
    interrupters: float = 0.0
    """Fraction of sessions that break every line off in its middle."""
    fps: float = 25.0
    side_px: int = 256
    seed: int = 1
    round: int = 0
    """Number of the run; lines of distinct sessions differ from those of other rounds."""
    processes: int = 1
    """Processes of the generator."""
    api_key: str | None = None
    slo: Slo = field(default_factory=Slo)

    def lead_s(self) -> float | None:
        """What sessions ask for as ``max_lead``; None: nothing."""
        if self.max_lead_s is not None or self.feed is Feed.LIVE:
            return self.max_lead_s
        # Who has a line whole has room for its frames too.
        return self.line_latency_s + 0.3

    def mean_session_s(self) -> float:
        """Mean length of arriving sessions."""
        return self.session_s or self.duration_s / 3
