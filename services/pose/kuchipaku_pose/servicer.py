"""The gRPC face of the pose service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.pose.v1.pose_service_pb2_grpc import PoseServiceServicer
from kuchipaku_pose.animate_session import AnimateSession
from kuchipaku_pose.convert import model_message
from kuchipaku_pose.metrics import PoseMetrics
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.render_session import RenderPosesSession
from kuchipaku_pose.session import RequestT, ResponseT, Session, SessionContext
from kuchipaku_runtime import Admission

_Context = Any  # grpc.aio.ServicerContext, which nothing here uses


class PoseServicer(PoseServiceServicer):
    """Implements ``kuchipaku.pose.v1.PoseService``."""

    def __init__(self, context: SessionContext, admission: Admission, metrics: PoseMetrics) -> None:
        self._context = context
        self._admission = admission
        self._metrics = metrics

    async def ListPoseModels(  # noqa: N802
        self, request: pb.ListPoseModelsRequest, context: _Context
    ) -> pb.ListPoseModelsResponse:
        """List the models."""
        models = self._context.models.models.values()
        return pb.ListPoseModelsResponse(models=[self._describe(model) for model in models])

    async def GetPoseModel(  # noqa: N802
        self, request: pb.GetPoseModelRequest, context: _Context
    ) -> pb.GetPoseModelResponse:
        """Describe one model."""
        model = self._context.models.get(request.name, field="name")
        return pb.GetPoseModelResponse(model=self._describe(model))

    async def RenderPoses(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.RenderPosesRequest], context: _Context
    ) -> AsyncGenerator[pb.RenderPosesResponse, None]:
        """Render a stream of poses."""
        async with aclosing(self._serve(RenderPosesSession(self._context), request_iterator)) as s:
            async for response in s:
                yield response

    async def Animate(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.AnimateRequest], context: _Context
    ) -> AsyncGenerator[pb.AnimateResponse, None]:
        """Animate a stream of utterances."""
        async with aclosing(self._serve(AnimateSession(self._context), request_iterator)) as s:
            async for response in s:
                yield response

    async def _serve(
        self, session: Session[RequestT, ResponseT], requests: AsyncIterator[RequestT]
    ) -> AsyncGenerator[ResponseT, None]:
        meter = self._metrics.meter(session.statistics)
        async with self._admission.slot():
            try:
                async with aclosing(session.responses(requests)) as responses:
                    async for response in responses:
                        meter.update()
                        yield response
            finally:
                meter.update()

    def _describe(self, model: PoseModel) -> pb.PoseModel:
        return model_message(
            model,
            is_default=model.name == self._context.models.default_name,
            default_quantum=self._context.default_quantum,
        )
