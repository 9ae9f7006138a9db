"""The image generation service over gRPC."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

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

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_IMAGES = 16
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
            async for answer in _draw(backend, order):
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
            return await asyncio.to_thread(_fit, request.image, request.check_only)

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
    if not 0 <= request.image_count <= _MAX_IMAGES:
        raise InvalidArgumentError(
            f"image_count is 1-{_MAX_IMAGES}.",
            reason="IMAGE_COUNT_OUT_OF_RANGE",
            field="image_count",
            limit=_MAX_IMAGES,
        )
    if request.init_image and not capabilities.supports_init_image:
        raise InvalidArgumentError(
            f"{capabilities.name} cannot start from a picture.",
            reason="INIT_IMAGE_NOT_SUPPORTED",
            field="init_image",
        )
    check_size(capabilities, request.width_px, request.height_px)
    seed = request.seed if request.HasField("seed") else secrets.randbelow(2**31)
    return Order(prompt, request.negative_prompt, seed, request.image_count or 1)


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


async def _draw(backend: ImageBackend, order: Order) -> AsyncIterator[pb.GenerateImageResponse]:
    """Drive the blocking backend picture by picture; it stops when this generator is closed."""
    steps: list[pb.GenerateImageProgress] = []

    def note(index: int, step: int, step_count: int) -> None:
        steps.append(pb.GenerateImageProgress(image_index=index, step=step, step_count=step_count))

    drawings = backend.draw(order, note)
    try:
        for index in range(order.image_count):
            answer = await asyncio.to_thread(_next_image, drawings, index, backend.capabilities)
            while steps:
                yield pb.GenerateImageResponse(progress=steps.pop(0))
            yield answer
    finally:
        close = getattr(drawings, "close", None)
        if close is not None:
            close()


def _next_image(
    drawings: Iterator[Drawing], index: int, capabilities: Capabilities
) -> pb.GenerateImageResponse:
    drawing = next(drawings)
    image = pb.GeneratedImage(
        image_index=index,
        seed=drawing.seed,
        png=encode_png(drawing.pixels),
        canvas_ready=capabilities.draws_canvases,
        recognised_phrases=drawing.recognised,
        ignored_phrases=drawing.ignored,
    )
    return pb.GenerateImageResponse(image=image)


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
