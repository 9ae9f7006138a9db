"""Assembles the service from its settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku_runtime import Admission, Service, ServiceContext

from .backends import Backends, IllustratorBackend, ImageBackend
from .backends.batching import Device
from .backends.diffusion import DiffusionBackend, DiffusionOptions, DiffusionSpec
from .backends.gan import GanBackend
from .cutout import open_matting_models
from .fitting import Fitter
from .framing import open_heads
from .modelcache import ModelCache
from .prompts import Blocklist, Templates
from .servicer import ImagegenServicer
from .settings import ImagegenSettings, ImageModelSettings

_LOG = logging.getLogger(__name__)


async def build(context: ServiceContext[ImagegenSettings]) -> Sequence[Service]:
    """Assemble the service."""
    settings = context.settings
    admission = Admission("images", settings.jobs, settings.queue_limit, metrics=context.metrics)
    # Who waits for the device needs no core: the others shall not wait for him.
    devices = Admission(
        "device_images", 2 * settings.batch_limit, settings.queue_limit, metrics=context.metrics
    )
    device = Device(settings.batch_limit)

    async def close_device() -> None:
        await asyncio.to_thread(device.close)

    context.on_stop(close_device)
    gpu = settings.network_device == "cuda"
    matting = open_matting_models(
        settings.starter_models / "matting",
        rembg_folder=settings.rembg_folder,
        default=settings.matting_model,
        allow_downloads=settings.allow_downloads,
        threads=settings.network_threads,
        gpu=gpu,
    )
    heads = open_heads(
        settings.starter_models / "headbox",
        cascade=settings.cascade_file,
        threads=settings.network_threads,
        gpu=gpu,
    )
    if heads is None:
        _LOG.warning("no network finds heads: pictures are framed by their middle")
    servicer = ImagegenServicer(
        backends_of(settings, device),
        admission,
        devices,
        Fitter(heads, matting),
        matting,
        templates=Templates(settings.prompt_template, settings.negative_template),
        blocklist=Blocklist.read(settings.blocklist_file),
    )
    descriptor = pb.DESCRIPTOR.services_by_name["ImagegenService"]
    return [Service(descriptor, servicer, pb_grpc.add_ImagegenServiceServicer_to_server)]


def backends_of(settings: ImagegenSettings, device: Device) -> Backends:
    """The illustrator and the models that the settings name.

    Raises `NotFoundError` where the default is none of them.
    """
    cache = ModelCache(settings.model_memory_mib << 20)
    options = DiffusionOptions(settings.device, settings.allow_downloads)
    backends: list[ImageBackend] = [IllustratorBackend()]
    for name, model in settings.models.items():
        kind, _, place = model.source.partition(":")
        if kind == "gan":
            backends.append(
                GanBackend(
                    name,
                    Path(place),
                    license_name=model.license,
                    threads=settings.network_threads,
                    gpu=settings.network_device == "cuda",
                )
            )
        else:
            backends.append(DiffusionBackend(_spec(name, place, model), options, cache, device))
    return Backends(tuple(backends), settings.default_model)


def _spec(name: str, source: str, model: ImageModelSettings) -> DiffusionSpec:
    return DiffusionSpec(
        name=name,
        source=source,
        lora=model.lora,
        lora_scale=model.lora_scale,
        lcm=model.lcm,
        step_count=model.step_count,
        guidance_scale=model.guidance_scale,
        size_px=model.size_px,
        license=model.license,
    )
