"""A pack's sessions, opened by one provider."""

from __future__ import annotations

from collections.abc import Mapping

from kuchipaku_pose.engine.plan import Plan
from kuchipaku_pose.engine.rewrites import rewritten
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.providers import Provider, ProviderName, StageSession
from kuchipaku_pose.providers.precision import check_grids

CPU_PROVIDER = ProviderName.CPU

Sessions = Mapping[str, StageSession]
"""By the stage's name."""


def open_sessions(pack: ModelPack, plan: Plan, provider: Provider) -> Sessions:
    """Open the stages of ``plan``.

    Raises:
        FailedPreconditionError: PROVIDER_UNAVAILABLE, STAGE_NOT_RUNNABLE or
            GRID_IN_HALF_PRECISION.
    """
    graphs = {stage.name: pack.graphs[stage.name] for stage in plan.stages}
    for name, graph in graphs.items():
        check_grids(name, graph)
    if provider.options.name is ProviderName.CPU:
        # Elsewhere shapes that depend on values cost more than they save.
        graphs = {name: rewritten(pack.manifest, name, graph) for name, graph in graphs.items()}
    return {name: provider.open(name, graph) for name, graph in graphs.items()}
