"""An image generation service that paints at once, or when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_runtime import Service, ServiceContext, ServiceSettings


class Painter(pb_grpc.ImagegenServiceServicer):
    """Paints the prompt: the picture is its text, and the canvas is the picture."""

    def __init__(self) -> None:
        self.may_paint = asyncio.Event()
        self.may_paint.set()
        self.at_work = asyncio.Event()
        self.gone = asyncio.Event()
        self.orders: list[str] = []
        self.refused: KuchipakuError | None = None
        """What is wrong with all orders."""

    async def build(self, context: ServiceContext[ServiceSettings]) -> list[Service]:
        """Assemble the service."""
        descriptor = pb.DESCRIPTOR.services_by_name["ImagegenService"]
        return [Service(descriptor, self, pb_grpc.add_ImagegenServiceServicer_to_server)]

    async def GenerateImage(  # noqa: N802 - the protocol's name
        self, request: pb.GenerateImageRequest, context: Any
    ) -> AsyncIterator[pb.GenerateImageResponse]:
        """Paint as soon as that is allowed; "zorblax" is not understood."""
        self.orders.append(request.prompt)
        self.at_work.set()
        if self.refused is not None:
            raise self.refused
        try:
            yield pb.GenerateImageResponse(started=pb.GenerateImageStarted(model="painter"))
            await self.may_paint.wait()
            ignored = ["zorblax"] if "zorblax" in request.prompt else []
            image = pb.GeneratedImage(
                png=request.prompt.encode() or b"anything",
                seed=request.seed,
                ignored_phrases=ignored,
            )
            yield pb.GenerateImageResponse(image=image)
        except asyncio.CancelledError:
            self.gone.set()
            raise

    async def RemoveBackground(  # noqa: N802
        self, request: pb.RemoveBackgroundRequest, context: Any
    ) -> pb.RemoveBackgroundResponse:
        """Never asked for by the gateway."""
        raise NotImplementedError

    async def ListImageModels(  # noqa: N802
        self, request: pb.ListImageModelsRequest, context: Any
    ) -> pb.ListImageModelsResponse:
        """Never asked for by the gateway."""
        raise NotImplementedError

    async def FitCanvas(  # noqa: N802
        self, request: pb.FitCanvasRequest, context: Any
    ) -> pb.FitCanvasResponse:
        """Take the picture as it is."""
        check = pb.CanvasCheck(name="size", verdict=pb.CHECK_VERDICT_WARN, message="m", value=0.1)
        canvas = frame_pb2.Canvas(sha256=request.image.hex()[:64], png=request.image)
        return pb.FitCanvasResponse(canvas=canvas, checks=[check])
