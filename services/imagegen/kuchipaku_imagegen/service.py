"""Assembles the service from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku_runtime import Admission, Service, ServiceContext

from .backends import Backends, IllustratorBackend
from .servicer import ImagegenServicer
from .settings import ImagegenSettings


async def build(context: ServiceContext[ImagegenSettings]) -> Sequence[Service]:
    """Assemble the service."""
    settings = context.settings
    admission = Admission("images", settings.jobs, settings.queue_limit, metrics=context.metrics)
    servicer = ImagegenServicer(Backends((IllustratorBackend(),)), admission)
    descriptor = pb.DESCRIPTOR.services_by_name["ImagegenService"]
    return [Service(descriptor, servicer, pb_grpc.add_ImagegenServiceServicer_to_server)]
