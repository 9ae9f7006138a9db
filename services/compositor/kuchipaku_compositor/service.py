"""Assembles the service from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.compositor.v1 import compositor_service_pb2_grpc as pb_grpc
from kuchipaku_compositor.servicer import CompositorServicer
from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_runtime import Admission, Service, ServiceContext


async def build(context: ServiceContext[CompositorSettings]) -> Sequence[Service]:
    """Assemble the service."""
    settings = context.settings
    admission = Admission(
        "jobs",
        settings.max_concurrent_jobs,
        settings.max_queued_jobs,
        metrics=context.metrics,
    )
    servicer = CompositorServicer(settings, admission, context.metrics)
    descriptor = pb.DESCRIPTOR.services_by_name["CompositorService"]
    return [Service(descriptor, servicer, pb_grpc.add_CompositorServiceServicer_to_server)]
