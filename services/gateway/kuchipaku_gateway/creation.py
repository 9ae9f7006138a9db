"""Makes characters: generate or take a picture, fit it, store it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen_pb
from kuchipaku_contract.errors import InternalError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

from .characters import Character, Origin, check_id, check_metadata, new_id
from .convert import to_message
from .peers import Context, Peers, translated
from .store import CharacterStore


@dataclass(slots=True)
class _Picture:
    """What came out of generation."""

    png: bytes = b""
    origin: Origin | None = None
    ignored: tuple[str, ...] = ()


class CharacterMaker:
    """Runs `CreateCharacter`."""

    def __init__(self, peers: Peers, store: CharacterStore) -> None:
        """Use these services and this store."""
        self._peers = peers
        self._store = store

    async def create(
        self, request: pb.CreateCharacterRequest, context: Context
    ) -> AsyncIterator[pb.CreateCharacterResponse]:
        """Yield progress, then the result.

        Raises what the request's faults and the services behind call for.
        """
        _check(request)
        earlier = await self._store.created_by(request.request_id)
        if earlier is not None:
            result = pb.CreateCharacterResult(character=to_message(earlier))
            yield pb.CreateCharacterResponse(result=result)
            return
        picture = _Picture(png=request.image.image)
        if request.WhichOneof("source") == "prompt":
            async for step in self._generate(request.prompt, picture, context):
                yield _progress("generate", step)
        yield _progress("fit", 0.0)
        fitted = await self._fit(picture, context)
        yield _progress("store", 0.0)
        character = _character_from(request, picture, fitted.canvas.sha256)
        stored = await self._store.create(character, fitted.canvas.png)
        result = pb.CreateCharacterResult(
            character=to_message(stored), ignored_phrases=picture.ignored, checks=fitted.checks
        )
        yield pb.CreateCharacterResponse(result=result)

    async def _generate(
        self, source: pb.PromptSource, picture: _Picture, context: Context
    ) -> AsyncIterator[float]:
        """Yield the share of steps done; the picture is put into `picture`."""
        request = imagegen_pb.GenerateImageRequest(
            prompt=source.prompt,
            negative_prompt=source.negative_prompt,
            model=source.model,
            image_count=1,
        )
        if source.HasField("seed"):
            request.seed = source.seed
        model = source.model
        with translated("imagegen"):
            options = self._peers.connection.options(context)
            async for answer in self._peers.imagegen.GenerateImage(request, **options):
                kind = answer.WhichOneof("payload")
                if kind == "started":
                    model = answer.started.model
                elif kind == "progress":
                    yield answer.progress.step / max(1, answer.progress.step_count)
                elif kind == "image":
                    picture.png = answer.image.png
                    picture.ignored = tuple(answer.image.ignored_phrases)
                    picture.origin = Origin(source.prompt, answer.image.seed, model)
        if not picture.png:
            raise InternalError("No picture was generated.", reason="NO_PICTURE_GENERATED")

    async def _fit(self, picture: _Picture, context: Context) -> imagegen_pb.FitCanvasResponse:
        request = imagegen_pb.FitCanvasRequest(image=picture.png)
        with translated("imagegen"):
            options = self._peers.connection.options(context)
            return await self._peers.imagegen.FitCanvas(request, **options)


def _check(request: pb.CreateCharacterRequest) -> None:
    source = request.WhichOneof("source")
    if source is None:
        raise InvalidArgumentError(
            "Say what the character is made from: a prompt or a picture.",
            reason="SOURCE_MISSING",
            field="source",
        )
    if source == "image" and not request.image.image:
        raise InvalidArgumentError(
            "The picture is empty.", reason="IMAGE_EMPTY", field="image.image"
        )
    if source == "prompt" and not request.prompt.prompt.strip():
        raise InvalidArgumentError(
            "The prompt is empty.", reason="PROMPT_EMPTY", field="prompt.prompt"
        )
    if request.character_id:
        check_id(request.character_id)
    if len(request.request_id) > LIMITS.max_request_id_chars:
        raise InvalidArgumentError(
            f"A request id has at most {LIMITS.max_request_id_chars} characters.",
            reason="REQUEST_ID_TOO_LONG",
            field="request_id",
        )
    check_metadata(request.display_name, request.owner, request.labels)


def _character_from(
    request: pb.CreateCharacterRequest, picture: _Picture, canvas_sha256: str
) -> Character:
    return Character(
        character_id=request.character_id or new_id(),
        canvas_sha256=canvas_sha256,
        display_name=request.display_name,
        owner=request.owner,
        labels=dict(request.labels),
        pose_model=request.defaults.pose_model,
        expression=request.defaults.expression,
        origin=picture.origin,
        request_id=request.request_id,
    )


def _progress(stage: str, fraction: float) -> pb.CreateCharacterResponse:
    progress = pb.CreateCharacterProgress(stage=stage, fraction=fraction)
    return pb.CreateCharacterResponse(progress=progress)
