"""The stage engine: runs a pack's graphs and remembers what need not be computed again."""

from __future__ import annotations

from kuchipaku_pose.engine.core import Engine
from kuchipaku_pose.engine.evaluate import Character, StageUse
from kuchipaku_pose.engine.frames import PIXELS_STAGE, FrameWork
from kuchipaku_pose.engine.memo import Memo, MemoStatistics
from kuchipaku_pose.engine.plan import Plan, StagePlan, build_plan
from kuchipaku_pose.engine.sessions import CPU_PROVIDER
from kuchipaku_pose.engine.types import (
    EngineMemory,
    EngineOptions,
    EngineStatistics,
    FrameRequest,
    RenderedFrame,
    StageTotals,
)

__all__ = [
    "CPU_PROVIDER",
    "PIXELS_STAGE",
    "Character",
    "Engine",
    "EngineMemory",
    "EngineOptions",
    "EngineStatistics",
    "FrameRequest",
    "FrameWork",
    "Memo",
    "MemoStatistics",
    "Plan",
    "RenderedFrame",
    "StagePlan",
    "StageTotals",
    "StageUse",
    "build_plan",
]
