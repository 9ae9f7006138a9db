"""The image generation service over gRPC."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.picture import canvas_hash, decode_picture, encode_png
from kuchipaku_runtime import Admission

from .backends import Backends, Capabilities, Drawing, ImageBackend, Order
from .cutout import MattingModels, remove_background
from .fitting import Fit, Fitter, Verdict
from .framing import HeadBox
from .prompts import Blocklist, Templates
from .requests import order_from, with_init_image
from .threads import Emit, emitted, in_thread

Context = grpc.aio.ServicerContext[Any, Any]

_VERDICTS = {
    Verdict.OK: pb.CHECK_VERDICT_OK,
    Verdict.WARN: pb.CHECK_VERDICT_WARN,
    Verdict.FAIL: pb.CHECK_VERDICT_FAIL,
}
#: What of a message is not the picture.
_MESSAGE_ROOM: Final = 64 * 1024


class ImagegenServicer(pb_grpc.ImagegenServiceServicer):
    """Thin: checks requests, runs backends in threads, translates."""

    def __init__(
        self,
        backends: Backends,
        admission: Admission,
        device_admission: Admission,
        fitter: Fitter,
        matting: MattingModels,
        *,
        templates: Templates | None = None,
        blocklist: Blocklist | None = None,
    ) -> None:
        """Serve these backends and models within these slots; what only waits for the device has
        slots of its own."""
        self._backends = backends
        self._admission = admission
        self._device_admission = device_admission
        self._fitter = fitter
        self._matting = matting
        self._templates = templates or Templates()
        self._blocklist = blocklist or Blocklist()

    async def GenerateImage(  # noqa: N802 - the protocol's name
        self, request: pb.GenerateImageRequest, context: Context
    ) -> AsyncIterator[pb.GenerateImageResponse]:
        """Draw pictures from a prompt."""
        backend = self._backends.get(request.model)
        order = order_from(request, backend.capabilities, self._templates, self._blocklist)
        on_device = backend.capabilities.waits_for_device
        admission = self._device_admission if on_device else self._admission
        async with admission.slot():
            order = await in_thread(partial(with_init_image, order, request, backend.capabilities))
            yield _started(order, backend.capabilities)
            async with aclosing(emitted(partial(_draw, backend, order))) as answers:
                async for answer in answers:
                    yield answer

    async def RemoveBackground(  # noqa: N802
        self, request: pb.RemoveBackgroundRequest, context: Context
    ) -> pb.RemoveBackgroundResponse:
        """Make the background of a picture transparent."""
        name = self._matting.resolve(request.model)
        async with self._admission.slot():
            png = await in_thread(
                partial(_cut_out, self._matting, name, request.image, request.alpha_matting)
            )
            return pb.RemoveBackgroundResponse(png=png, model=name)

    async def FitCanvas(  # noqa: N802
        self, request: pb.FitCanvasRequest, context: Context
    ) -> pb.FitCanvasResponse:
        """Make a canvas of a picture."""
        if request.matting_model:
            self._matting.resolve(request.matting_model, field="matting_model")
        async with self._admission.slot():
            return await in_thread(partial(_fit, self._fitter, request))

    async def ListImageModels(  # noqa: N802
        self, request: pb.ListImageModelsRequest, context: Context
    ) -> pb.ListImageModelsResponse:
        """Tell the backends and what they can do."""
        models = [
            _model(backend.capabilities, backend is self._backends.default)
            for backend in self._backends
        ]
        return pb.ListImageModelsResponse(models=models)


def _started(order: Order, capabilities: Capabilities) -> pb.GenerateImageResponse:
    started = pb.GenerateImageStarted(
        model=capabilities.name,
        seed=order.seed,
        image_count=order.image_count,
        width_px=order.width_px,
        height_px=order.height_px,
        step_count=order.step_count,
        guidance_scale=order.guidance_scale,
    )
    return pb.GenerateImageResponse(started=started)


class _Told:
    """Passes a backend's progress on to the caller."""

    def __init__(self, emit: Emit[pb.GenerateImageResponse]) -> None:
        self._emit = emit

    def __call__(
        self,
        index: int,
        step: int,
        step_count: int,
        preview: NDArray[np.uint8] | None = None,
    ) -> None:
        progress = pb.GenerateImageProgress(image_index=index, step=step, step_count=step_count)
        if preview is not None:
            progress.preview_png = encode_png(preview)
        self._emit(pb.GenerateImageResponse(progress=progress))

    def check(self) -> None:
        self._emit.check()


def _draw(backend: ImageBackend, order: Order, emit: Emit[pb.GenerateImageResponse]) -> None:
    """Draw in a thread; what `emit` raises ends the work."""
    for index, drawing in enumerate(backend.draw(order, _Told(emit))):
        image = _image(drawing, index, backend.capabilities)
        emit(pb.GenerateImageResponse(image=image))


def _image(drawing: Drawing, index: int, capabilities: Capabilities) -> pb.GeneratedImage:
    return pb.GeneratedImage(
        image_index=index if drawing.index is None else drawing.index,
        seed=drawing.seed,
        png=_sendable_png(drawing.pixels, "width_px"),
        canvas_ready=capabilities.draws_canvases,
        recognised_phrases=drawing.recognised,
        ignored_phrases=drawing.ignored,
    )


def _sendable_png(pixels: NDArray[np.uint8], field: str) -> bytes:
    """A PNG that fits into a message, packed harder if it must be."""
    limit = LIMITS.max_message_bytes - _MESSAGE_ROOM
    png = encode_png(pixels)
    if len(png) > limit:
        png = encode_png(pixels, level=6)
    if len(png) > limit:
        raise InvalidArgumentError(
            f"The result has {len(png) >> 20} MiB as PNG, more than a message holds: use a "
            "smaller picture.",
            reason="RESULT_TOO_LARGE",
            field=field,
        )
    return png


def _cut_out(matting: MattingModels, name: str, data: bytes, alpha_matting: bool) -> bytes:
    picture = decode_picture(data, field="image")
    cut = remove_background(picture, matting.get(name), alpha_matting=alpha_matting)
    return _sendable_png(cut.picture, "image")


def _fit(fitter: Fitter, request: pb.FitCanvasRequest) -> pb.FitCanvasResponse:
    picture = decode_picture(request.image, field="image")
    fit = fitter.fit(picture, check_only=request.check_only, matting_model=request.matting_model)
    canvas = frame_pb2.Canvas(sha256=canvas_hash(fit.canvas), png=encode_png(fit.canvas))
    response = pb.FitCanvasResponse(
        canvas=canvas, checks=_checks(fit), matting_model=fit.matting_model
    )
    for field, head in ((response.head, fit.head), (response.canvas_head, fit.canvas_head)):
        if head is not None:
            field.CopyFrom(_head(head))
    return response


def _head(head: HeadBox) -> pb.HeadBox:
    return pb.HeadBox(
        center_x_px=head.x,
        center_y_px=head.y,
        side_px=head.side,
        angle_degrees=math.degrees(head.angle),
        confidence=head.confidence,
    )


def _checks(fit: Fit) -> list[pb.CanvasCheck]:
    return [
        pb.CanvasCheck(
            name=check.name,
            verdict=_VERDICTS[check.verdict],
            message=check.message,
            value=check.value,
        )
        for check in fit.checks
    ]


def _model(capabilities: Capabilities, is_default: bool) -> pb.ImageModel:
    return pb.ImageModel(
        name=capabilities.name,
        description=capabilities.description,
        is_default=is_default,
        supports_negative_prompt=capabilities.supports_negative_prompt,
        supports_init_image=capabilities.supports_init_image,
        draws_canvases=capabilities.draws_canvases,
        license=capabilities.license,
        ignores_prompt=capabilities.ignores_prompt,
        supports_interpolation=capabilities.supports_interpolation,
    )
