"""Sums of statistics."""

from __future__ import annotations

from datetime import timedelta

from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb

_COUNTS = (
    "frame_count",
    "dropped_frame_count",
    "cached_frame_count",
    "reference_frame_count",
    "clamped_value_count",
    "frame_bytes",
)


def add_statistics(total: pose_pb.RenderStatistics, more: pose_pb.RenderStatistics) -> None:
    """Add `more` to `total`, stage by stage."""
    for name in _COUNTS:
        setattr(total, name, getattr(total, name) + getattr(more, name))
    stages = {stage.stage: stage for stage in total.stages}
    for stage in more.stages:
        if stage.stage not in stages:
            stages[stage.stage] = total.stages.add(stage=stage.stage)
        sum_ = stages[stage.stage]
        sum_.run_count += stage.run_count
        sum_.hit_count += stage.hit_count
        spent: timedelta = sum_.total_duration.ToTimedelta() + stage.total_duration.ToTimedelta()
        sum_.total_duration.FromTimedelta(spent)
