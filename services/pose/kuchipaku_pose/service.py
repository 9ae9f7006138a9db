"""Puts the service together from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kuchipaku.pose.v1 import pose_service_pb2
from kuchipaku.pose.v1.pose_service_pb2_grpc import add_PoseServiceServicer_to_server
from kuchipaku_pose.engine import EngineMemory, EngineOptions
from kuchipaku_pose.metrics import PoseMetrics
from kuchipaku_pose.models import load_models
from kuchipaku_pose.scheduler import Scheduler
from kuchipaku_pose.servicer import PoseServicer
from kuchipaku_pose.session import SessionContext
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_runtime import Admission, Service, ServiceContext


async def build(context: ServiceContext[PoseSettings]) -> Sequence[Service]:
    """Load the models, start the workers and return the service.

    Raises:
        FailedPreconditionError: no model, a wrong pack, or a provider that is not there.
        InternalError: a model fails its self-test.
    """
    settings = context.settings
    memory = EngineMemory.of_mib(
        characters=settings.character_memory_mib,
        stages=settings.stage_memory_mib,
        frames=settings.frame_memory_mib,
    )
    models = await asyncio.to_thread(
        load_models,
        settings.models,
        options=EngineOptions(settings.provider, settings.threads_per_run, settings.max_batch),
        memory=memory,
        default_name=settings.default_model,
    )
    metrics = PoseMetrics(context.metrics, memory)
    workers = settings.worker_count()
    window = 2 * max(workers, settings.max_batch)
    scheduler = Scheduler(
        workers=workers,
        # What admission lets in always finds room: beside its frames a stream has up
        # to two calls, its canvas and its coding.
        max_queued=settings.max_streams * (window + 2),
        observe_wait=metrics.observe_wait,
    )
    metrics.watch(scheduler)
    scheduler.start()
    context.on_stop(scheduler.close)
    servicer = PoseServicer(
        SessionContext(
            models,
            scheduler,
            settings.default_quantum,
            settings.late_tolerance_s,
            window,
            settings.input_timeout_s,
        ),
        Admission("streams", settings.max_streams, metrics=context.metrics),
        metrics,
    )
    descriptor = pose_service_pb2.DESCRIPTOR.services_by_name["PoseService"]
    return [Service(descriptor, servicer, add_PoseServiceServicer_to_server)]
