"""A character's faces as sprite sheets: `BakeSprites`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor_pb
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import cue_pb2, frame_pb2
from kuchipaku_animation import (
    BLINK_STEPS,
    THA_MOUTH_MAP,
    MouthShape,
    Still,
    least_pictures,
)
from kuchipaku_contract.errors import InternalError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

from .calls import PeerStream, patiently
from .characters import Character, check_expression
from .framing import frame_format, renamed
from .mouth import mouth_messages
from .scope import Scope
from .streams import Send, together

_Pose = PeerStream[pose_pb.RenderPosesRequest, pose_pb.RenderPosesResponse]
_Compositor = PeerStream[compositor_pb.PackSpritesRequest, compositor_pb.PackSpritesResponse]

_SHAPES = {cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape}"): shape for shape in MouthShape}
_NUMBERS = {shape: number for number, shape in _SHAPES.items()}
_POSE_FIELDS = {
    "config.frame_format.": "",
    "config.mouth_overrides*": "character",
    "config.canvas_sha256": "character",
    "canvas*": "character",
}
_COMPOSITOR_FIELDS = {
    "config.frame_format.": "",
    "config.": "packing.",
    # Too many pixels: of fewer expressions, or smaller ones, there would be less.
    "sprites": "expressions",
}
_NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlannedSprite:
    """A face, and what its sprite is called."""

    name: str
    tag: str
    still: Still
    duration_s: float = 0.0
    """0: the sheet's default."""

    @property
    def face(self) -> pose_pb.Face:
        """What the pose service is to draw."""
        return pose_pb.Face(
            expression=self.still.expression,
            mouth_shape=_NUMBERS[self.still.shape],
            eyes_closed=self.still.eyes_closed,
        )


def plan_sprites(request: pb.BakeSpritesRequest, character: Character) -> list[PlannedSprite]:
    """The faces that a request asks for, in order.

    Raises `InvalidArgumentError` EXPRESSION_UNKNOWN, MOUTH_SHAPE_UNKNOWN or NAMED_TWICE.
    """
    expressions = list(request.expressions) or [character.expression or "neutral"]
    for index, expression in enumerate(expressions):
        where = f"expressions[{index}]"
        if not expression:
            raise InvalidArgumentError(
                "An expression has no name.", reason="EXPRESSION_UNKNOWN", field=where
            )
        check_expression(expression, where)
        _check_new(expression, expressions[:index], where)
    shapes = list(request.shapes) or list(_SHAPES)
    for index, shape in enumerate(shapes):
        where = f"shapes[{index}]"
        if shape not in _SHAPES:
            raise InvalidArgumentError(
                f"{where} is no mouth shape.", reason="MOUTH_SHAPE_UNKNOWN", field=where
            )
        _check_new(shape, shapes[:index], where)
    planned: list[PlannedSprite] = []
    for expression in expressions:
        planned += _talking(expression, shapes)
        if request.include_blink:
            planned += _blinking(expression)
    return planned


def _check_new(value: object, before: Sequence[object], where: str) -> None:
    if value in before:
        raise InvalidArgumentError(f"{where} came before.", reason="NAMED_TWICE", field=where)


def _talking(
    expression: str, shapes: list[cue_pb2.MouthShape.ValueType]
) -> Iterator[PlannedSprite]:
    for shape in shapes:
        still = Still(expression, shape=_SHAPES[shape])
        yield PlannedSprite(f"{expression}/{still.shape}", expression, still)


def _blinking(expression: str) -> Iterator[PlannedSprite]:
    for number, step in enumerate(BLINK_STEPS, 1):
        still = Still(expression, eyes_closed=step.eyes_closed)
        tag = f"{expression}/blink"
        yield PlannedSprite(f"{tag}-{number}", tag, still, step.duration_s)


class Baking:
    """The making of one set of sheets: faces to the pose service, its frames to the compositor."""

    def __init__(self, request: pb.BakeSpritesRequest, character: Character, scope: Scope) -> None:
        """Serve the call of `scope`. Raises what is wrong with the request."""
        self._planned = plan_sprites(request, character)
        if request.packing.HasField("frame_format"):
            raise InvalidArgumentError(
                "The format of the frames follows from crop, width_px and height_px.",
                reason="FIELD_NOT_ALLOWED",
                field="packing.frame_format",
            )
        self._request = request
        self._character = character
        self._scope = scope
        self._format = frame_format(request, has_crop=request.HasField("crop"))
        # Where the request names no model it is the character's that is not there.
        model = "pose_model" if request.pose_model else "character"
        self._pose_fields = _POSE_FIELDS | {"config.model": model}
        self._check_pixels()

    def _check_pixels(self) -> None:
        """Refuse sprites whose borders stay on, and that are therefore certain to be too large.

        How much of the others is cut off, and which of them are alike, shows when they are drawn;
        a side that is out of range the services refuse.
        """
        width, height = self._format.width_px, self._format.height_px
        sides = range(LIMITS.min_frame_side_px, LIMITS.max_frame_side_px + 1)
        if self._request.packing.trim or width not in sides or height not in sides:
            return
        mouth = THA_MOUTH_MAP.overridden(self._character.mouth, where="character")
        faces = [one.still for one in self._planned]
        if width * height * least_pictures(faces, mouth) > LIMITS.max_sprite_pixels:
            raise InvalidArgumentError(
                f"The sprites have more than {LIMITS.max_sprite_pixels:,} pixels in all: ask for "
                "fewer expressions or smaller sprites, or have borders cut off (trim).",
                reason="SPRITES_TOO_LARGE",
                field="expressions",
                limit=LIMITS.max_sprite_pixels,
            )

    async def run(self, send: Send[pb.BakeSpritesResponse]) -> None:
        """Serve the call to its end."""
        with ExitStack() as calls:
            compositor = await self._open_compositor()
            calls.callback(compositor.cancel)
            pose = await self._open_pose()
            calls.callback(pose.cancel)
            async with together() as tasks:
                tasks.create_task(self._draw(pose, compositor, send))
                tasks.create_task(_pass_on(compositor, send))

    async def _open_compositor(self) -> _Compositor:
        config = compositor_pb.PackSpritesConfig()
        config.CopyFrom(self._request.packing)
        config.frame_format.CopyFrom(self._format)

        async def attempt() -> _Compositor:
            peers = self._scope.peers
            call = peers.compositor.PackSprites(**peers.connection.options(self._scope.context))
            stream: _Compositor = PeerStream("compositor", call, compositor_pb.PackSpritesResponse)
            try:
                with renamed(_COMPOSITOR_FIELDS):
                    await stream.first(compositor_pb.PackSpritesRequest(config=config))
            except BaseException:
                stream.cancel()
                raise
            return stream

        return await patiently(attempt, self._scope.patience_s)

    async def _open_pose(self) -> _Pose:
        character, scope = self._character, self._scope
        config = pose_pb.RenderPosesConfig(
            model=self._request.pose_model or character.pose_model,
            canvas_sha256=character.canvas_sha256,
            frame_format=self._format,
            mouth_overrides=mouth_messages(character.mouth),
        )

        async def attempt() -> _Pose:
            peers = scope.peers
            call = peers.pose.RenderPoses(**peers.connection.options(scope.context))
            stream: _Pose = PeerStream("pose", call, pose_pb.RenderPosesResponse)
            try:
                with renamed(self._pose_fields):
                    request = pose_pb.RenderPosesRequest(config=config)
                    started = (await stream.first(request)).started
                if started.canvas_needed:
                    png = await scope.store.canvas_png(character.canvas_sha256)
                    canvas = frame_pb2.Canvas(sha256=character.canvas_sha256, png=png)
                    await stream.write(pose_pb.RenderPosesRequest(canvas=canvas))
            except BaseException:
                stream.cancel()
                raise
            return stream

        return await patiently(attempt, scope.patience_s)

    async def _draw(
        self, pose: _Pose, compositor: _Compositor, send: Send[pb.BakeSpritesResponse]
    ) -> None:
        """Have all faces drawn, and hand each over as its sprite."""
        faces = pose_pb.PoseBatch(poses=[pose_pb.Pose(face=one.face) for one in self._planned])
        await pose.write(pose_pb.RenderPosesRequest(poses=faces))
        await pose.done_writing()
        done = 0
        with renamed(self._pose_fields):
            async for answer in pose.responses():
                if answer.WhichOneof("payload") != "frames":
                    continue
                frames = answer.frames.frames
                planned = self._planned[done : done + len(frames)]
                done += len(frames)
                if not await compositor.write(_sprites(planned, frames)):
                    return
                progress = pb.BakeSpritesProgress(fraction=done / len(self._planned))
                await send(pb.BakeSpritesResponse(progress=progress))
        if done != len(self._planned):
            raise InternalError(
                "The pose service stopped early.", reason="PEER_PROTOCOL", peer="pose"
            )
        await compositor.done_writing()


def _sprites(
    planned: list[PlannedSprite], frames: Iterable[frame_pb2.Frame]
) -> compositor_pb.PackSpritesRequest:
    sprites = [
        compositor_pb.Sprite(
            name=one.name,
            tag=one.tag,
            duration=Duration(nanos=round(one.duration_s * _NANOS)),
            frame=frame,
        )
        for one, frame in zip(planned, frames, strict=True)
    ]
    return compositor_pb.PackSpritesRequest(sprites=compositor_pb.SpriteBatch(sprites=sprites))


async def _pass_on(compositor: _Compositor, send: Send[pb.BakeSpritesResponse]) -> None:
    complete = False
    try:
        with renamed(_COMPOSITOR_FIELDS):
            async for answer in compositor.responses():
                kind = answer.WhichOneof("payload")
                if kind == "chunk":
                    await send(pb.BakeSpritesResponse(chunk=answer.chunk))
                elif kind == "summary":
                    complete = True
                    await send(pb.BakeSpritesResponse(summary=answer.summary))
    except InvalidArgumentError as error:
        if not (error.field or "").startswith("sprites."):
            raise
        # The caller has made none of them.
        raise InternalError(
            f"The compositor did not understand a sprite: {error.message}",
            reason="PEER_PROTOCOL",
            peer="compositor",
        ) from error
    if not complete:
        raise InternalError(
            "The compositor stopped early.", reason="PEER_PROTOCOL", peer="compositor"
        )
