"""Makes characters: generate or take a picture, cut it out, fit it, check it, store it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from google.protobuf.json_format import MessageToDict, ParseDict

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen_pb
from kuchipaku_contract.errors import InternalError, InvalidArgumentError, KuchipakuError
from kuchipaku_contract.limits import LIMITS, MIB

from .characters import (
    Character,
    Origin,
    RequestMark,
    check_expression,
    check_id,
    check_metadata,
    new_id,
)
from .convert import to_message
from .mouth import mouth_of
from .peers import Context, Peers, translated
from .posemodels import check_pose_model
from .store import CharacterStore, Creation

IMAGE_TRIES: Final = 4
"""Pictures that are generated at most until one can be animated."""

_MOUTH: Final = "defaults.mouth_overrides"
_SEEDS: Final = 2**31
_NO_CHARACTER: Final = ("NO_CHARACTER_FOUND", "PICTURE_EMPTY")


@dataclass(slots=True)
class _Picture:
    """What came out of generation."""

    png: bytes = b""
    canvas_ready: bool = False
    origin: Origin | None = None
    ignored: tuple[str, ...] = ()
    fitted: imagegen_pb.FitCanvasResponse | None = None

    @property
    def faults(self) -> tuple[int, int]:
        """How many checks failed, and how many warned: the less the better."""
        checks = self.fitted.checks if self.fitted else ()
        verdicts = [check.verdict for check in checks]
        failed = verdicts.count(imagegen_pb.CHECK_VERDICT_FAIL)
        return failed, verdicts.count(imagegen_pb.CHECK_VERDICT_WARN)


class CharacterMaker:
    """Runs `CreateCharacter`."""

    def __init__(self, peers: Peers, store: CharacterStore) -> None:
        """Use these services and this store."""
        self._peers = peers
        self._store = store
        # A lock is there as long as somebody holds it or waits for it.
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create(
        self, request: pb.CreateCharacterRequest, context: Context
    ) -> AsyncGenerator[pb.CreateCharacterResponse]:
        """Yield progress, then the result.

        Who repeats a request waits until the first one is done. Raises what the request's faults
        and the services behind call for.
        """
        _check(request)
        mark = _mark_of(request)
        async with self._in_turn(mark):
            earlier = await self._store.created_by(mark) if mark else None
            if earlier is not None:
                yield _result(earlier)
                return
            if request.character_id:
                await self._store.check_free(request.character_id)
            model = request.defaults.pose_model
            await check_pose_model(model, "defaults.pose_model", self._peers, context)
            async with aclosing(self._make(request, mark, context)) as answers:
                async for answer in answers:
                    yield answer

    @asynccontextmanager
    async def _in_turn(self, mark: RequestMark | None) -> AsyncIterator[None]:
        """One at a time of those with the same request id: the others get what it made."""
        if mark is None:
            yield
            return
        lock = self._making.setdefault(mark.key, asyncio.Lock())
        async with lock:
            yield

    async def _make(
        self, request: pb.CreateCharacterRequest, mark: RequestMark | None, context: Context
    ) -> AsyncGenerator[pb.CreateCharacterResponse]:
        picture = _Picture(png=request.image.image)
        async with aclosing(self._prepare(request, picture, context)) as steps:
            async for stage, fraction in steps:
                yield _progress(stage, fraction)
        fitted = picture.fitted or imagegen_pb.FitCanvasResponse()
        yield _progress("store", 0.0)
        character = _character_from(request, picture, fitted.canvas.sha256)
        told = pb.CreateCharacterResult(ignored_phrases=picture.ignored, checks=fitted.checks)
        new = Creation(character, MessageToDict(told))
        yield _result(await self._store.create(new, fitted.canvas.png, mark))

    async def _prepare(
        self, request: pb.CreateCharacterRequest, picture: _Picture, context: Context
    ) -> AsyncGenerator[tuple[str, float]]:
        """Yield stages and shares of them; a fitted picture is put into `picture`."""
        if request.WhichOneof("source") == "image":
            yield "fit", 0.0
            picture.fitted = await self._fit(picture, context)
            return
        source = request.prompt
        seeds = _seeds_to_try(source)
        best: _Picture | None = None
        trouble: InvalidArgumentError | None = None
        for seed in seeds:
            drawn = _Picture()
            async with aclosing(self._generate(source, seed, drawn, context)) as steps:
                async for step in steps:
                    yield "generate", step
            yield "fit", 0.0
            try:
                drawn.fitted = await self._fit(drawn, context)
            except InvalidArgumentError as error:
                if error.reason not in _NO_CHARACTER:
                    raise
                trouble = error
            else:
                best = min(best or drawn, drawn, key=lambda one: one.faults)
            if drawn.canvas_ready or (best is not None and not best.faults[0]):
                break
        if best is None:
            raise trouble or InternalError("No seed was tried.", reason="NO_PICTURE_GENERATED")
        picture.png, picture.origin = best.png, best.origin
        picture.ignored, picture.fitted = best.ignored, best.fitted

    async def _generate(
        self, source: pb.PromptSource, seed: int, picture: _Picture, context: Context
    ) -> AsyncGenerator[float]:
        """Yield the share of steps done; the picture is put into `picture`."""
        request = imagegen_pb.GenerateImageRequest(
            prompt=source.prompt,
            negative_prompt=source.negative_prompt,
            model=source.model,
            image_count=1,
            seed=seed,
        )
        model = source.model
        with _our_fields(), translated("imagegen"):
            options = self._peers.connection.options(context)
            call = self._peers.imagegen.GenerateImage(request, **options)
            try:
                async for answer in call:
                    kind = answer.WhichOneof("payload")
                    if kind == "started":
                        model = answer.started.model
                    elif kind == "progress":
                        yield answer.progress.step / max(1, answer.progress.step_count)
                    elif kind == "image":
                        picture.png = answer.image.png
                        picture.canvas_ready = answer.image.canvas_ready
                        picture.ignored = tuple(answer.image.ignored_phrases)
                        picture.origin = Origin(source.prompt, answer.image.seed, model)
            finally:
                call.cancel()
        if not picture.png:
            raise InternalError("No picture was generated.", reason="NO_PICTURE_GENERATED")

    async def _fit(self, picture: _Picture, context: Context) -> imagegen_pb.FitCanvasResponse:
        """Cut out and frame a picture; one that is a canvas already is only checked."""
        request = imagegen_pb.FitCanvasRequest(image=picture.png, check_only=picture.canvas_ready)
        with translated("imagegen"):
            options = self._peers.connection.options(context)
            return await self._peers.imagegen.FitCanvas(request, **options)


def _seeds_to_try(source: pb.PromptSource) -> list[int]:
    """The seed that was asked for; or several, until a picture can be animated."""
    if source.HasField("seed"):
        return [source.seed]
    first = secrets.randbelow(_SEEDS)
    return [first + index for index in range(IMAGE_TRIES)]


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
    if len(request.image.image) > LIMITS.max_image_bytes:
        raise InvalidArgumentError(
            f"The picture file is larger than the limit of {LIMITS.max_image_bytes // MIB} MiB.",
            reason="IMAGE_TOO_LARGE",
            field="image.image",
            limit=LIMITS.max_image_bytes,
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
    mouth_of(request.defaults.mouth_overrides, at=_MOUTH)
    check_expression(request.defaults.expression, "defaults.expression")


@contextmanager
def _our_fields() -> Iterator[None]:
    """Raise what is wrong with an order of pictures under the fields that it was made from."""
    try:
        yield
    except KuchipakuError as error:
        if error.field:
            error.field = f"prompt.{error.field}"
        raise


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
        mouth=mouth_of(request.defaults.mouth_overrides, at=_MOUTH),
        origin=picture.origin,
    )


def _mark_of(request: pb.CreateCharacterRequest) -> RequestMark | None:
    """How the request is known again; None for one without an id."""
    if not request.request_id:
        return None
    content = request.SerializeToString(deterministic=True)
    return RequestMark.of(request.owner, request.request_id, content)


def _result(made: Creation) -> pb.CreateCharacterResponse:
    result = pb.CreateCharacterResult()
    ParseDict(dict(made.notes), result, ignore_unknown_fields=True)
    result.character.CopyFrom(to_message(made.character))
    return pb.CreateCharacterResponse(result=result)


def _progress(stage: str, fraction: float) -> pb.CreateCharacterResponse:
    progress = pb.CreateCharacterProgress(stage=stage, fraction=fraction)
    return pb.CreateCharacterResponse(progress=progress)
