"""Assembles the service from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku_contract.limits import MIB
from kuchipaku_lipsync.cache import AnswerCache
from kuchipaku_lipsync.intake import ByteBudget
from kuchipaku_lipsync.jobs import prepare_worker
from kuchipaku_lipsync.live.pool import LivePool
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.rhubarb_native import find_rhubarb
from kuchipaku_lipsync.servicer import LipsyncServicer, ServicerOptions
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_runtime import Admission, Service, ServiceContext, WorkerPool


async def build(context: ServiceContext[LipsyncSettings]) -> Sequence[Service]:
    """Start the workers and assemble the service."""
    settings = context.settings
    preloaded = (RecognizerName.AUTO,) if settings.preload else ()
    scratch = await context.enter(_scratch())
    pool, live = await context.enter_both(
        WorkerPool(
            "recognizer",
            settings.workers,
            queue_limit=settings.queue_limit,
            time_limit_s=settings.time_limit_s,
            initializer=prepare_worker,
            initargs=(preloaded, settings.rhubarb_path, settings.time_limit_s, scratch),
            metrics=context.metrics,
        ),
        LivePool(
            settings.live_workers,
            streams_per_worker=settings.live_streams_per_worker,
            metrics=context.metrics,
        ),
    )
    streams = Admission("streams", settings.max_streams, metrics=context.metrics)
    budget = ByteBudget(settings.max_buffered_audio_mib * MIB)
    held = context.metrics.gauge("buffered_audio_bytes", "Audio held for all calls.")
    held.set_function(lambda: budget.used)
    cache = AnswerCache(settings.cache_mib * MIB)
    cached = context.metrics.gauge("answer_cache_bytes", "Answers kept for lines heard again.")
    cached.set_function(lambda: cache.used_bytes)
    options = ServicerOptions(
        audio_timeout_s=settings.audio_timeout_s,
        has_rhubarb=find_rhubarb(settings.rhubarb_path) is not None,
    )
    servicer = LipsyncServicer(
        pool, live, streams=streams, budget=budget, cache=cache, options=options
    )
    descriptor = pb.DESCRIPTOR.services_by_name["LipsyncService"]
    return [Service(descriptor, servicer, pb_grpc.add_LipsyncServiceServicer_to_server)]


@asynccontextmanager
async def _scratch() -> AsyncIterator[Path]:
    """A folder for files of the workers: one that is killed leaves them behind."""
    with TemporaryDirectory(prefix="kuchipaku-lipsync-", ignore_cleanup_errors=True) as name:
        yield Path(name)
