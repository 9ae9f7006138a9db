"""The services behind a session, played: pose, lip sync and compositor on one address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration

from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.compositor.v1 import compositor_service_pb2_grpc as compositor_grpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as lipsync_grpc
from kuchipaku.pose.v1 import pose_service_pb2 as pose
from kuchipaku.pose.v1 import pose_service_pb2_grpc as pose_grpc
from kuchipaku.type.v1 import cue_pb2, frame_pb2, session_pb2
from kuchipaku_contract.errors import InvalidArgumentError, KuchipakuError, NotFoundError
from kuchipaku_gateway.characters import Character
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_gateway.store import CharacterStore, Creation
from kuchipaku_runtime import Service, ServiceContext, ServiceSettings, serving


class Animator(pose_grpc.PoseServiceServicer):
    """Draws a frame for each cue, and as many again when it is interrupted."""

    def __init__(self) -> None:
        self.configs: list[pose.AnimateConfig] = []
        """Of the calls that drew something."""
        self.heard: list[list[str]] = []
        """What came in each of them, behind the config."""
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        """Whether an interrupted utterance may end."""
        self.still_configs: list[pose.RenderPosesConfig] = []
        self.canvases: list[bytes] = []
        self.most_faces = 10_000
        """After so many faces drawing stops."""
        self.refused: InvalidArgumentError | None = None
        """What is wrong with all configs of stills."""
        self.may_draw = asyncio.Event()
        self.may_draw.set()
        self.drawing = asyncio.Event()
        """Stills are to be drawn."""
        self.refused_canvas: InvalidArgumentError | None = None
        """What is wrong with all canvases of stills."""
        self.refused_animation: KuchipakuError | None = None
        """What is wrong with all configs of animations."""
        self.models = {"hers", "other"}

    async def GetPoseModel(  # noqa: N802 - the protocol's name
        self, request: pose.GetPoseModelRequest, context: Any
    ) -> pose.GetPoseModelResponse:
        """One of the models, with nothing but its name."""
        if request.name not in self.models:
            raise NotFoundError("There is none.", reason="MODEL_UNKNOWN", field="name")
        return pose.GetPoseModelResponse(model=pose.PoseModel(name=request.name))

    async def Animate(  # noqa: N802 - the protocol's name
        self, requests: AsyncIterator[pose.AnimateRequest], context: Any
    ) -> AsyncIterator[pose.AnimateResponse]:
        """One utterance, or only the config."""
        config = (await anext(requests)).config
        if self.refused_animation is not None:
            raise self.refused_animation
        yield pose.AnimateResponse(started=pose.AnimateStarted(config=config))
        drawn = 0
        heard: list[str] = []
        summary = session_pb2.UtteranceSummary()
        async for request in requests:
            kind = str(request.WhichOneof("payload"))
            heard.append(kind)
            if kind == "utterance":
                self.configs.append(config)
                self.heard.append(heard)
                summary.utterance_id = request.utterance.utterance_id
                started = pose.AnimateUtteranceStarted(utterance_id=summary.utterance_id, seed=1)
                yield pose.AnimateResponse(utterance_started=started)
            elif kind == "cues":
                drawn += len(request.cues.cues)
                yield _frames(summary.utterance_id, len(request.cues.cues))
            elif kind == "interrupt":
                yield _frames(summary.utterance_id, drawn)
                await self.may_stop.wait()
            if kind in ("interrupt", "utterance_end"):
                summary.frame_count = drawn
                yield pose.AnimateResponse(utterance_summary=summary)
        yield pose.AnimateResponse(statistics=pose.RenderStatistics(frame_count=drawn))

    async def RenderPoses(  # noqa: N802
        self, requests: AsyncIterator[pose.RenderPosesRequest], context: Any
    ) -> AsyncIterator[pose.RenderPosesResponse]:
        """A frame for each pose, which holds the face; two to a message."""
        config = (await anext(requests)).config
        if self.refused is not None:
            raise self.refused
        self.still_configs.append(config)
        started = pose.RenderPosesStarted(config=config, canvas_needed=True)
        yield pose.RenderPosesResponse(started=started)
        faces: list[pose.Face] = []
        async for request in requests:
            if request.HasField("canvas"):
                self.canvases.append(request.canvas.png)
                if self.refused_canvas is not None:
                    raise self.refused_canvas
            faces += [one.face for one in request.poses.poses]
        self.drawing.set()
        await self.may_draw.wait()
        for start in range(0, min(len(faces), self.most_faces), 2):
            frames = [
                frame_pb2.Frame(data=face.SerializeToString()) for face in faces[start : start + 2]
            ]
            yield pose.RenderPosesResponse(frames=frame_pb2.FrameBatch(frames=frames))
        yield pose.RenderPosesResponse(statistics=pose.RenderStatistics())


class Listener(lipsync_grpc.LipsyncServiceServicer):
    """Hears what it is told to hear, when the audio has come."""

    def __init__(self) -> None:
        self.cues = [cue_pb2.MouthCue(end_offset=Duration(seconds=1))]
        self.refused: InvalidArgumentError | None = None
        """What is wrong with all configs."""
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.asked = asyncio.Semaphore(0)
        """Released once for each call that has sent its config."""
        self.calls = 0
        self.asking = self.most_asking = 0
        """Calls that wait to start."""
        self.listening = asyncio.Event()
        self.given_up = asyncio.Event()
        """A call has been cancelled after audio."""

    async def RecognizeCues(  # noqa: N802 - the protocol's name
        self, requests: AsyncIterator[lipsync.RecognizeCuesRequest], context: Any
    ) -> AsyncIterator[lipsync.RecognizeCuesResponse]:
        """One recording."""
        config = (await anext(requests)).config
        if self.refused is not None:
            raise self.refused
        self.calls += 1
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        self.asked.release()
        await self.may_start.wait()
        self.asking -= 1
        yield lipsync.RecognizeCuesResponse(started=lipsync.RecognizeCuesStarted(config=config))
        try:
            async for _ in requests:
                self.listening.set()
        except asyncio.CancelledError:
            if self.listening.is_set():
                self.given_up.set()
            raise
        yield lipsync.RecognizeCuesResponse(cues=cue_pb2.CueBatch(cues=self.cues))
        summary = lipsync.RecognizeCuesSummary(duration=self.cues[-1].end_offset)
        yield lipsync.RecognizeCuesResponse(summary=summary)


class Editor(compositor_grpc.CompositorServiceServicer):
    """Makes videos of nothing."""

    def __init__(self) -> None:
        self.configs: list[compositor.ComposeVideoConfig] = []
        self.refused: InvalidArgumentError | None = None
        self.refused_sprites: InvalidArgumentError | None = None
        """What is wrong with all sprites."""
        self.stops_early = False
        """Sheets come, but no summary."""
        self.packings: list[compositor.PackSpritesConfig] = []
        self.sprites: list[compositor.Sprite] = []
        self.given_up = asyncio.Event()
        """Sprites have been cancelled."""

    async def ComposeVideo(  # noqa: N802 - the protocol's name
        self, requests: AsyncIterator[compositor.ComposeVideoRequest], context: Any
    ) -> AsyncIterator[compositor.ComposeVideoResponse]:
        """One video."""
        config = (await anext(requests)).config
        self.configs.append(config)
        if self.refused is not None:
            raise self.refused
        started = compositor.ComposeVideoStarted(config=config, width_px=256, height_px=256)
        yield compositor.ComposeVideoResponse(started=started)
        async for _ in requests:
            pass
        yield compositor.ComposeVideoResponse(summary=compositor.ComposeVideoSummary())

    async def PackSprites(  # noqa: N802
        self, requests: AsyncIterator[compositor.PackSpritesRequest], context: Any
    ) -> AsyncIterator[compositor.PackSpritesResponse]:
        """Two files in three pieces."""
        config = (await anext(requests)).config
        if self.refused is not None:
            raise self.refused
        self.packings.append(config)
        yield compositor.PackSpritesResponse(started=compositor.PackSpritesStarted(config=config))
        try:
            async for request in requests:
                self.sprites += request.sprites.sprites
                if self.refused_sprites is not None:
                    raise self.refused_sprites
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        for name, data in (
            ("sheet-0.png", b"pi"),
            ("sheet-0.png", b"cture"),
            ("sprites.json", b"{}"),
        ):
            chunk = compositor.SpriteSheetChunk(file_name=name, data=data)
            yield compositor.PackSpritesResponse(chunk=chunk)
        if self.stops_early:
            return
        summary = compositor.PackSpritesSummary(sheet_count=1, sprite_count=len(self.sprites))
        yield compositor.PackSpritesResponse(summary=summary)


class Company:
    """All of them."""

    def __init__(self) -> None:
        # What the gateway never asks for is left out.
        self.pose = Animator()  # type: ignore[abstract]
        self.lipsync = Listener()  # type: ignore[abstract]
        self.compositor = Editor()

    async def build(self, context: ServiceContext[ServiceSettings]) -> list[Service]:
        """Assemble the server."""
        return [
            Service(
                pose.DESCRIPTOR.services_by_name["PoseService"],
                self.pose,
                pose_grpc.add_PoseServiceServicer_to_server,
            ),
            Service(
                lipsync.DESCRIPTOR.services_by_name["LipsyncService"],
                self.lipsync,
                lipsync_grpc.add_LipsyncServiceServicer_to_server,
            ),
            Service(
                compositor.DESCRIPTOR.services_by_name["CompositorService"],
                self.compositor,
                compositor_grpc.add_CompositorServiceServicer_to_server,
            ),
        ]


def settings_beside(folder: Path, **options: Any) -> GatewaySettings:
    """Settings of a gateway in `folder` with the company behind it."""
    behind = f"unix:{folder}/company.sock"
    values: dict[str, Any] = {
        "address": f"unix:{folder}/gateway.sock",
        "pose_address": behind,
        "lipsync_address": behind,
        "compositor_address": behind,
        "store_url": f"file://{folder}/store",
        "peer_patience_s": 0.0,
    }
    return GatewaySettings(**values | options)


@asynccontextmanager
async def gateway_before(
    company: Company, settings: GatewaySettings, character: Character
) -> AsyncIterator[str]:
    """A gateway that knows a character, before a company; its address."""
    await CharacterStore(settings.store_url).create(Creation(character), b"png")
    async with (
        serving(ServiceSettings(address=settings.pose_address), company.build),
        serving(settings, build) as address,
    ):
        yield address


def _frames(utterance_id: str, count: int) -> pose.AnimateResponse:
    frames = [frame_pb2.Frame(data=b"pixels") for _ in range(count)]
    return pose.AnimateResponse(
        frames=frame_pb2.FrameBatch(utterance_id=utterance_id, frames=frames)
    )
