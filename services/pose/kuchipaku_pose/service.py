"""Puts the service together from its settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from kuchipaku.pose.v1 import pose_service_pb2
from kuchipaku.pose.v1.pose_service_pb2_grpc import add_PoseServiceServicer_to_server
from kuchipaku_pose.calibrate import Concurrency, Meter, choose, plain
from kuchipaku_pose.engine import Engine, EngineMemory
from kuchipaku_pose.guard import DeviceGuard
from kuchipaku_pose.metrics import PoseMetrics
from kuchipaku_pose.models import load_models
from kuchipaku_pose.pack import discover_packs, load_pack
from kuchipaku_pose.providers import settled
from kuchipaku_pose.providers.devicememory import memory_of
from kuchipaku_pose.scheduler import Scheduler
from kuchipaku_pose.servicer import PoseServicer
from kuchipaku_pose.session import SessionContext
from kuchipaku_pose.settings import PoseSettings, cpu_count
from kuchipaku_runtime import Admission, Service, ServiceContext

_LOG = logging.getLogger(__name__)

_FRAMES_OF_ONE_STREAM = 8
"""Frames of one batch that one stream is meant to fill."""


async def build(context: ServiceContext[PoseSettings]) -> Sequence[Service]:
    """Load the models, start the workers and return the service.

    Raises:
        FailedPreconditionError: no model, a wrong pack, or a provider that is not there.
        InternalError: a model fails its self-test.
    """
    settings = await asyncio.to_thread(_settled, context.settings)
    memory = EngineMemory.of_mib(
        characters=settings.character_memory_mib,
        stages=settings.stage_memory_mib,
        frames=settings.frame_memory_mib,
    )
    way = await asyncio.to_thread(_concurrency, settings)
    models = await asyncio.to_thread(
        load_models,
        settings.models,
        options=way.applied_to(settings.engine_options()),
        memory=memory,
        default_name=settings.default_model,
    )
    engines = [model.engine for model in models.models.values()]
    metrics = PoseMetrics(context.metrics, memory)
    for engine in engines:
        engine.observe_run = metrics.observe_run
    if way.max_batch > 1:
        await asyncio.to_thread(_fit_batches, settings, engines, way)
    # Enough that no worker waits for a lone stream; more would make frames, and fix what they
    # show, long before they are due. Large batches are filled by many streams.
    window = 2 * max(way.workers, min(way.max_batch, _FRAMES_OF_ONE_STREAM))
    loop = asyncio.get_running_loop()
    guard = DeviceGuard(engines, lambda why: loop.call_soon_threadsafe(context.give_up, why))
    scheduler = Scheduler(
        workers=way.workers,
        device_workers=settings.device_threads,
        # What admission lets in always finds room: beside its frames a stream has up
        # to two calls, its canvas and its coding.
        max_queued=settings.max_streams * (window + 2),
        max_delay_s=settings.max_queue_delay_s,
        observe_wait=metrics.observe_wait,
        on_failure=guard.failed,
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
            settings.config_timeout_s,
        ),
        Admission("streams", settings.max_streams, metrics=context.metrics),
        metrics,
    )
    descriptor = pose_service_pb2.DESCRIPTOR.services_by_name["PoseService"]
    return [Service(descriptor, servicer, add_PoseServiceServicer_to_server)]


def _settled(settings: PoseSettings) -> PoseSettings:
    """Return ``settings`` with the provider that networks really run on."""
    found = settled(settings.engine_options().provider_options())
    return settings.model_copy(update={"provider": found.name.value})


def _concurrency(settings: PoseSettings) -> Concurrency:
    """Return how the models are run: as given, and measured with the default one where not."""
    wishes = settings.wishes()
    cpus = cpu_count()
    if wishes.complete or not settings.calibration_s:
        return plain(wishes, cpus)
    found = discover_packs(settings.models)
    folder = found.get(settings.default_model or next(iter(found), ""))
    if folder is None:
        # `load_models` says what is missing.
        return plain(wishes, cpus)
    meter = Meter(
        load_pack(folder),
        settings.engine_options(),
        settings.calibration_s,
        device_workers=settings.device_threads,
        max_delay_s=settings.max_queue_delay_s,
    )
    way = choose(wishes, cpus, meter)
    _LOG.info(
        "concurrency",
        extra={"workers": way.workers, "threads": way.threads, "max_batch": way.max_batch},
    )
    return way


def _fit_batches(settings: PoseSettings, engines: Sequence[Engine], way: Concurrency) -> None:
    memory = memory_of(settings.engine_options().provider_options())
    at_once = settings.device_threads or way.workers
    for engine in engines:
        stages = engine.fit_batches(memory, at_once)
        _LOG.info("largest batches", extra={"model": engine.pack.name, "stages": stages})
