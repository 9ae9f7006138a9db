"""Assembles the service from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from kuchipaku_runtime import Admission, Service, ServiceContext

from .metrics import SessionMetrics
from .peers import connect_peers
from .servicer import GatewayServicer
from .settings import GatewaySettings
from .store import CharacterStore


async def build(context: ServiceContext[GatewaySettings]) -> Sequence[Service]:
    """Assemble the service."""
    settings, metrics = context.settings, context.metrics
    servicer = GatewayServicer(
        settings,
        await connect_peers(context),
        CharacterStore(settings.store_url),
        sessions=Admission("sessions", settings.sessions, metrics=metrics),
        videos=Admission("videos", settings.videos, settings.queue_limit, metrics=metrics),
        creations=Admission("creations", settings.creations, settings.queue_limit, metrics=metrics),
        metrics=metrics.group(SessionMetrics),
        tracer=context.tracer,
    )
    descriptor = pb.DESCRIPTOR.services_by_name["GatewayService"]
    return [Service(descriptor, servicer, pb_grpc.add_GatewayServiceServicer_to_server)]
