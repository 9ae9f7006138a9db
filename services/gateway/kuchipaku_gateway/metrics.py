"""What the gateway reports of live sessions."""

from __future__ import annotations

import time

from kuchipaku.type.v1 import frame_pb2
from kuchipaku_runtime import Metrics

# Finer than a frame's time around it: what is looked for is the odd late one.
_INTERVAL_BUCKETS = (
    0.001, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0,
)  # fmt: skip


class SessionMetrics:
    """Metrics of live sessions."""

    def __init__(self, metrics: Metrics) -> None:
        """Register them; once for a server (`Metrics.group`)."""
        self.first_frame = metrics.histogram(
            "time_to_first_frame_seconds",
            "From the moment an utterance has its turn to its first frame.",
        )
        self.interval = metrics.histogram(
            "frame_interval_seconds",
            "Between messages with frames of one utterance, by frame.",
            buckets=_INTERVAL_BUCKETS,
        )
        self.frames = metrics.counter("frames_total", "Frames passed on to clients.")
        self.utterances = metrics.counter(
            "utterances_total", "Utterances by outcome: spoken or interrupted.", ("outcome",)
        )

    def watch(self) -> UtteranceWatch:
        """Begin to watch one utterance, whose turn it is now."""
        return UtteranceWatch(self)


class UtteranceWatch:
    """The times of one utterance."""

    def __init__(self, metrics: SessionMetrics) -> None:
        """Begin now."""
        self._metrics = metrics
        self._before = time.monotonic()
        self._seen = False

    def passed_on(self, batch: frame_pb2.FrameBatch) -> None:
        """Frames have gone to the client."""
        count, now = len(batch.frames), time.monotonic()
        self._metrics.frames.inc(count)
        if self._seen:
            self._metrics.interval.observe((now - self._before) / max(1, count))
        else:
            self._metrics.first_frame.observe(now - self._before)
        self._seen, self._before = True, now

    def ended(self, *, interrupted: bool) -> None:
        """The utterance is over."""
        self._metrics.utterances.labels("interrupted" if interrupted else "spoken").inc()
