"""The image generation service over gRPC."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import grpc

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError, UnimplementedError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.picture import canvas_hash, decode_picture, encode_png
from kuchipaku_runtime import Admission

from .backends import Backends, Capabilities, Drawing, ImageBackend, Order, check_size
from .fitting import Fit, Verdict, fit_canvas
from .threads import Emit, emitted, in_thread

Context = grpc.aio.ServicerContext[Any, Any]

_SEEDS: Final = range(-(2**63), 2**63)
_VERDICTS = {
    Verdict.OK: pb.CHECK_VERDICT_OK,
    Verdict.WARN: pb.CHECK_VERDICT_WARN,
    Verdict.FAIL: pb.CHECK_VERDICT_FAIL,
}


class ImagegenServicer(pb_grpc.ImagegenServiceServicer):
    """Thin: checks requests, runs backends in threads, translates."""

    def __init__(self, backends: Backends, admission: Admission) -> None:
        """Serve these backends within these slots."""
        self._backends = backends
        self._admission = admission

    async def GenerateImage(  # noqa: N802 - the protocol's name
        self, request: pb.GenerateImageRequest, context: Context
    ) -> AsyncIterator[pb.GenerateImageResponse]:
        """Draw pictures from a prompt."""
        backend = self._backends.get(request.model)
        order = _order_from(request, backend.capabilities)
        async with self._admission.slot():
            yield _started(order, backend.capabilities)
            async with aclosing(emitted(partial(_draw, backend, order))) as answers:
                async for answer in answers:
                    yield answer

    async def RemoveBackground(  # noqa: N802
        self, request: pb.RemoveBackgroundRequest, context: Context
    ) -> pb.RemoveBackgroundResponse:
        """Not offered: there is no matting model in this build."""
        raise UnimplementedError(
            "No model for removing backgrounds is installed. Send pictures whose background is "
            "transparent.",
            reason="NO_MATTING_MODEL",
        )

    async def FitCanvas(  # noqa: N802
        self, request: pb.FitCanvasRequest, context: Context
    ) -> pb.FitCanvasResponse:
        """Make a canvas of a picture."""
        async with self._admission.slot():
            return await in_thread(partial(_fit, request.image, request.check_only))

    async def ListImageModels(  # noqa: N802
        self, request: pb.ListImageModelsRequest, context: Context
    ) -> pb.ListImageModelsResponse:
        """Tell the backends and what they can do."""
        models = [
            _model(backend.capabilities, backend is self._backends.default)
            for backend in self._backends
        ]
        return pb.ListImageModelsResponse(models=models)


def _order_from(request: pb.GenerateImageRequest, capabilities: Capabilities) -> Order:
    prompt = request.prompt.strip()
    if not prompt:
        raise InvalidArgumentError("The prompt is empty.", reason="PROMPT_EMPTY", field="prompt")
    for field, text in (("prompt", prompt), ("negative_prompt", request.negative_prompt)):
        if len(text) > LIMITS.max_prompt_chars:
            raise InvalidArgumentError(
                f"{field} is longer than {LIMITS.max_prompt_chars} characters.",
                reason="PROMPT_TOO_LONG",
                field=field,
                limit=LIMITS.max_prompt_chars,
            )
    if not 0 <= request.image_count <= LIMITS.max_images:
        raise InvalidArgumentError(
            f"image_count is 1-{LIMITS.max_images}.",
            reason="IMAGE_COUNT_OUT_OF_RANGE",
            field="image_count",
            limit=LIMITS.max_images,
        )
    if request.init_image and not capabilities.supports_init_image:
        raise InvalidArgumentError(
            f"{capabilities.name} cannot start from a picture.",
            reason="INIT_IMAGE_NOT_SUPPORTED",
            field="init_image",
        )
    check_size(capabilities, request.width_px, request.height_px)
    count = request.image_count or 1
    return Order(prompt, request.negative_prompt, _seed_from(request, count), count)


def _seed_from(request: pb.GenerateImageRequest, image_count: int) -> int:
    if not request.HasField("seed"):
        return secrets.randbelow(2**31)
    last = request.seed + image_count - 1
    if last not in _SEEDS:
        raise InvalidArgumentError(
            f"The last of {image_count} pictures would have the seed {last}, which is too large.",
            reason="SEED_OUT_OF_RANGE",
            field="seed",
            limit=_SEEDS[-1],
        )
    return request.seed


def _started(order: Order, capabilities: Capabilities) -> pb.GenerateImageResponse:
    side = capabilities.fixed_size_px or 0
    started = pb.GenerateImageStarted(
        model=capabilities.name,
        seed=order.seed,
        image_count=order.image_count,
        width_px=side,
        height_px=side,
        step_count=capabilities.step_count,
    )
    return pb.GenerateImageResponse(started=started)


def _draw(backend: ImageBackend, order: Order, emit: Emit[pb.GenerateImageResponse]) -> None:
    """Draw in a thread; what `emit` raises ends the work."""

    def note(index: int, step: int, step_count: int) -> None:
        progress = pb.GenerateImageProgress(image_index=index, step=step, step_count=step_count)
        emit(pb.GenerateImageResponse(progress=progress))

    for index, drawing in enumerate(backend.draw(order, note)):
        image = _image(drawing, index, backend.capabilities)
        emit(pb.GenerateImageResponse(image=image))


def _image(drawing: Drawing, index: int, capabilities: Capabilities) -> pb.GeneratedImage:
    return pb.GeneratedImage(
        image_index=index,
        seed=drawing.seed,
        png=encode_png(drawing.pixels),
        canvas_ready=capabilities.draws_canvases,
        recognised_phrases=drawing.recognised,
        ignored_phrases=drawing.ignored,
    )


def _fit(data: bytes, check_only: bool) -> pb.FitCanvasResponse:
    fit = fit_canvas(decode_picture(data, field="image"), check_only=check_only)
    canvas = frame_pb2.Canvas(sha256=canvas_hash(fit.canvas), png=encode_png(fit.canvas))
    return pb.FitCanvasResponse(canvas=canvas, checks=_checks(fit))


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
    )
