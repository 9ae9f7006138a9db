"""What the pose service reports to Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kuchipaku_pose.engine import EngineMemory, StageTotals
from kuchipaku_pose.framestream import StreamStatistics
from kuchipaku_pose.scheduler import Kind, Scheduler
from kuchipaku_runtime import Metrics

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
LATENESS_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 1.0)


class PoseMetrics:
    """Metrics of a service. Gauges are read when asked for."""

    def __init__(self, metrics: Metrics, memory: EngineMemory) -> None:
        self._metrics = metrics
        self._frames = metrics.counter(
            "frames_total",
            "Frames by outcome: rendered, cached (a picture made before) or dropped (late).",
            ("outcome",),
        )
        self._references = metrics.counter(
            "reference_frames_total", "Frames sent as references to earlier ones."
        )
        self._bytes = metrics.counter(
            "frame_bytes_total", "Coded frame data made, by encoding.", ("encoding",)
        )
        self._encode_seconds = metrics.counter(
            "frame_encode_seconds_total", "CPU time of coding frames, by encoding.", ("encoding",)
        )
        self._stage_seconds = metrics.counter(
            "stage_seconds_total",
            "Run time of a stage for frames that were sent; stage_run_seconds has all runs.",
            ("stage",),
        )
        self._stage_uses = metrics.counter(
            "stage_uses_total", "Uses of a stage by result: run or hit.", ("stage", "result")
        )
        self._wait = metrics.histogram(
            "queue_wait_seconds",
            "Time of a frame in the queue, all its stages together, by kind: live, or bulk, which "
            "waits by design. Frames given up count too.",
            ("kind",),
        )
        self._overdue = metrics.histogram(
            "queue_overdue_seconds",
            "How much less time in the queue would have had a frame in time, by kind; 0: it was.",
            ("kind",),
            LATENESS_BUCKETS,
        )
        self._batch = metrics.histogram(
            "batch_frames", "Frames of one run of a stage.", ("stage",), BATCH_BUCKETS
        )
        self._run_seconds = metrics.histogram(
            "stage_run_seconds", "Duration of one run of a stage.", ("stage",)
        )
        self._lateness = metrics.histogram(
            "frame_lateness_seconds",
            "How late real-time frames were when coded; 0: in time. Dropped ones are not in it.",
            buckets=LATENESS_BUCKETS,
        )
        held = metrics.gauge("memory_bytes", "Memory of results kept, by kind.", ("kind",))
        held.labels("characters").set_function(lambda: memory.characters.statistics().nbytes)
        held.labels("stages").set_function(lambda: memory.stages.statistics().nbytes)
        held.labels("frames").set_function(lambda: memory.frames.statistics().nbytes)
        held.labels("pictures").set_function(lambda: memory.pictures.statistics().nbytes)

    def observe_wait(self, kind: Kind, wait_s: float, overdue_s: float) -> None:
        """Count a frame's time in the queue, and the part of it that made the frame late."""
        self._wait.labels(kind).observe(wait_s)
        self._overdue.labels(kind).observe(overdue_s)

    def observe_run(self, stage: str, frames: int, seconds: float) -> None:
        """Count one run of a stage."""
        self._batch.labels(stage).observe(frames)
        self._run_seconds.labels(stage).observe(seconds)

    def observe_lateness(self, lateness_s: Sequence[float]) -> None:
        """Count how late live frames were."""
        for late_s in lateness_s:
            self._lateness.observe(late_s)

    def watch(self, scheduler: Scheduler) -> None:
        """Report the state of ``scheduler``."""
        queued = self._metrics.gauge("queued_jobs", "Jobs waiting for a worker.")
        queued.set_function(lambda: scheduler.statistics().queued)
        running = self._metrics.gauge("running_jobs", "Jobs at work.")
        running.set_function(lambda: scheduler.statistics().running)

    def meter(self, statistics: StreamStatistics) -> StreamMeter:
        """Return what counts a stream's statistics as they grow."""
        return StreamMeter(self, statistics)

    def add(self, before: StreamStatistics, now: StreamStatistics) -> None:
        """Count what a stream did between two states of its statistics."""
        cached = now.cached - before.cached
        self._frames.labels("rendered").inc(now.frames - before.frames - cached)
        self._frames.labels("cached").inc(cached)
        self._frames.labels("dropped").inc(now.dropped - before.dropped)
        self._references.inc(now.references - before.references)
        if now.encoding:
            label = now.encoding.lower()
            self._bytes.labels(label).inc(now.frame_bytes - before.frame_bytes)
            self._encode_seconds.labels(label).inc(now.encode_s - before.encode_s)
        for stage, totals in now.stages.items():
            old = before.stages.get(stage, StageTotals())
            self._stage_seconds.labels(stage).inc(totals.seconds - old.seconds)
            self._stage_uses.labels(stage, "run").inc(totals.runs - old.runs)
            self._stage_uses.labels(stage, "hit").inc(totals.hits - old.hits)


class StreamMeter:
    """Counts one stream while it runs: live streams last for hours."""

    def __init__(self, metrics: PoseMetrics, statistics: StreamStatistics) -> None:
        self._metrics = metrics
        self._statistics = statistics
        self._counted = StreamStatistics()

    def update(self) -> None:
        """Count what has happened since the last call."""
        now = replace(self._statistics, stages=dict(self._statistics.stages))
        self._metrics.add(self._counted, now)
        self._counted = now
        self._metrics.observe_lateness(self._statistics.lateness_s)
        self._statistics.lateness_s.clear()
