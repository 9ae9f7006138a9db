"""A pack's sessions, opened by one provider."""

from __future__ import annotations

from collections.abc import Mapping

from kuchipaku_pose.engine.norms import with_native_norms
from kuchipaku_pose.engine.plan import Plan
from kuchipaku_pose.engine.rewrites import rewritten
from kuchipaku_pose.pack import ModelPack
from kuchipaku_pose.providers import Provider, ProviderName, StageSession
from kuchipaku_pose.providers.precision import check_grids

CPU_PROVIDER = ProviderName.CPU

Sessions = Mapping[str, StageSession]
"""By the stage's name."""


def has_norms(pack: ModelPack, plan: Plan) -> bool:
    """Whether any stage has norms that a provider's own operator could take the place of."""
    graphs = [pack.graphs[stage.name] for stage in plan.stages]
    return any(with_native_norms(graph) is not graph for graph in graphs)


def open_sessions(
    pack: ModelPack, plan: Plan, provider: Provider, *, native_norms: bool = False
) -> Sessions:
    """Open the stages of ``plan``.

    Args:
        pack: holds the stages.
        plan: which of them are needed.
        provider: runs them.
        native_norms: whether norms are the provider's own operator and not the exact form.

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
    if native_norms:
        graphs = {name: with_native_norms(graph) for name, graph in graphs.items()}
    return {name: provider.open(name, graph) for name, graph in graphs.items()}
