"""What the services used during a run, from their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .scrape import Samples


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """One service's part."""

    cpu_s: float
    cpu_s_per_session_s: float | None
    resident_bytes: float
    """At the end of the run."""
    refused: dict[str, float]
    """Refused calls by reason."""


@dataclass(frozen=True, slots=True)
class PoseUsage:
    """What the pose service did with its frames."""

    frames: dict[str, float]
    """By outcome: rendered, cached, dropped."""
    frame_hit_rate: float | None
    stage_hit_rates: dict[str, float]
    stage_seconds: dict[str, float]
    frames_per_batch: dict[str, float]
    mean_queue_wait_s: float | None
    bytes_by_encoding: dict[str, float]


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Resident memory of the services at one moment of a run."""

    at_s: float
    resident_bytes: dict[str, float]


def memory_of(at_s: float, samples: Mapping[str, Samples]) -> MemorySample:
    """The services' memory, workers included, `at_s` seconds after the beginning of a run."""
    return MemorySample(
        at_s,
        {
            name: own.total(f"kuchipaku_{name}_resident_memory_bytes")
            for name, own in sorted(samples.items())
        },
    )


def usage_of(
    before: Mapping[str, Samples], after: Mapping[str, Samples], session_seconds: float
) -> dict[str, ServiceUsage]:
    """The usage of each service between two scrapes."""
    return {
        name: _service(name, after[name], after[name].since(before[name]), session_seconds)
        for name in sorted(after)
    }


def pose_usage(before: Samples, after: Samples) -> PoseUsage:
    """The pose service's caches, batches and bytes between two scrapes."""
    spent = after.since(before)
    frames = spent.by("kuchipaku_pose_frames_total", "outcome")
    shown = frames.get("rendered", 0.0) + frames.get("cached", 0.0)
    hits = spent.by("kuchipaku_pose_stage_uses_total", "stage", result="hit")
    runs = spent.by("kuchipaku_pose_stage_uses_total", "stage", result="run")
    batches = spent.by("kuchipaku_pose_batch_frames_count", "stage")
    batched = spent.by("kuchipaku_pose_batch_frames_sum", "stage")
    waits = spent.total("kuchipaku_pose_queue_wait_seconds_count")
    return PoseUsage(
        frames=frames,
        frame_hit_rate=_ratio(frames.get("cached", 0.0), shown),
        stage_hit_rates={
            stage: hits[stage] / uses
            for stage in sorted(hits)
            if (uses := hits[stage] + runs.get(stage, 0.0))
        },
        stage_seconds=spent.by("kuchipaku_pose_stage_seconds_total", "stage"),
        frames_per_batch={s: batched[s] / n for s, n in sorted(batches.items()) if n},
        mean_queue_wait_s=_ratio(spent.total("kuchipaku_pose_queue_wait_seconds_sum"), waits),
        bytes_by_encoding=spent.by("kuchipaku_pose_frame_bytes_total", "encoding"),
    )


def _service(name: str, now: Samples, spent: Samples, session_seconds: float) -> ServiceUsage:
    prefix = f"kuchipaku_{name}_"
    cpu = spent.total(f"{prefix}cpu_seconds_total")
    return ServiceUsage(
        cpu_s=cpu,
        cpu_s_per_session_s=_ratio(cpu, session_seconds),
        resident_bytes=now.total(f"{prefix}resident_memory_bytes"),
        refused=spent.by(f"{prefix}admission_refused_total", "reason"),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
