"""One queue per device: the frames of all streams, stage by stage, due ones first."""

from __future__ import annotations

from kuchipaku_pose.scheduler.dispatch import Batch, Dispatcher
from kuchipaku_pose.scheduler.job import Job, Kind, Share
from kuchipaku_pose.scheduler.lane import Lane, Renderer
from kuchipaku_pose.scheduler.threads import Scheduler, SchedulerStatistics

__all__ = [
    "Batch",
    "Dispatcher",
    "Job",
    "Kind",
    "Lane",
    "Renderer",
    "Scheduler",
    "SchedulerStatistics",
    "Share",
]
