"""The gateway over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS, MIB
from kuchipaku_contract.streams import RequestT, take_config
from kuchipaku_runtime import Admission
from kuchipaku_runtime.tracing import Tracer

from .baking import Baking
from .characters import Character, check_expression, check_metadata, parse_name
from .convert import to_message
from .creation import CharacterMaker
from .film import Film
from .metrics import SessionMetrics
from .mouth import mouth_of
from .opening import Opener
from .peers import Context, Peers
from .posemodels import check_pose_model
from .scope import Scope
from .session import SessionOptions, SpeakSession
from .settings import GatewaySettings
from .store import CharacterStore, page_token, parse_page_token
from .streams import Send, produced


class GatewayServicer(pb_grpc.GatewayServiceServicer):
    """Thin: checks, admits, hands over to the store, `CharacterMaker`, `SpeakSession`, `Film`,
    `Baking`."""

    def __init__(
        self,
        settings: GatewaySettings,
        peers: Peers,
        store: CharacterStore,
        *,
        sessions: Admission,
        videos: Admission,
        creations: Admission,
        metrics: SessionMetrics,
        tracer: Tracer,
    ) -> None:
        """Serve characters of `store` with `peers`, within the given slots."""
        self._settings = settings
        self._peers = peers
        self._store = store
        self._sessions = sessions
        self._videos = videos
        self._creations = creations
        self._maker = CharacterMaker(peers, store)
        self._session_options = SessionOptions(
            room_bytes=settings.backlog_mib * MIB,
            idle_timeout_s=settings.idle_timeout_s,
            metrics=metrics,
            tracer=tracer,
            opener=Opener(settings.openings),
        )

    async def CreateCharacter(  # noqa: N802 - the protocol's name
        self, request: pb.CreateCharacterRequest, context: Context
    ) -> AsyncIterator[pb.CreateCharacterResponse]:
        """Make a character."""
        making = self._maker.create(request, context)
        async with self._creations.slot(), aclosing(making) as answers:
            async for answer in answers:
                yield answer

    async def GetCharacter(  # noqa: N802
        self, request: pb.GetCharacterRequest, context: Context
    ) -> pb.GetCharacterResponse:
        """Show a character."""
        character = await self._store.get(parse_name(request.name))
        png = b""
        if request.view == pb.CHARACTER_VIEW_FULL:
            png = await self._store.canvas_png(character.canvas_sha256)
        return pb.GetCharacterResponse(character=to_message(character, png))

    async def ListCharacters(  # noqa: N802
        self, request: pb.ListCharactersRequest, context: Context
    ) -> pb.ListCharactersResponse:
        """Show a page of characters."""
        if not 0 <= request.page_size <= LIMITS.max_page_size:
            raise InvalidArgumentError(
                f"A page has 1-{LIMITS.max_page_size} characters.",
                reason="PAGE_SIZE_OUT_OF_RANGE",
                field="page_size",
                limit=LIMITS.max_page_size,
            )
        page = await self._store.list(
            size=request.page_size or LIMITS.default_page_size,
            after=parse_page_token(request.page_token),
            owner=request.owner,
            labels=request.labels,
        )
        return pb.ListCharactersResponse(
            characters=[to_message(character) for character in page.characters],
            next_page_token=page_token(page.next_token),
        )

    async def UpdateCharacter(  # noqa: N802
        self, request: pb.UpdateCharacterRequest, context: Context
    ) -> pb.UpdateCharacterResponse:
        """Change a character's metadata."""
        sent = request.character
        character_id = parse_name(sent.name, field_path="character.name")
        mask = list(request.update_mask.paths)
        before = await self._store.get(character_id)
        model = _merged(before, sent, mask).pose_model
        if model != before.pose_model:
            at = "character.defaults.pose_model"
            await check_pose_model(model, at, self._peers, context)

        def change(present: Character) -> Character:
            changed = _merged(present, sent, mask)
            check_metadata(changed.display_name, changed.owner, changed.labels, at="character.")
            if changed.expression != present.expression:
                check_expression(changed.expression, "character.defaults.expression")
            return changed

        stored = await self._store.update(character_id, change, etag=sent.etag)
        return pb.UpdateCharacterResponse(character=to_message(stored))

    async def DeleteCharacter(  # noqa: N802
        self, request: pb.DeleteCharacterRequest, context: Context
    ) -> pb.DeleteCharacterResponse:
        """Remove a character."""
        await self._store.delete(parse_name(request.name), etag=request.etag)
        return pb.DeleteCharacterResponse()

    async def Speak(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.SpeakRequest], context: Context
    ) -> AsyncIterator[pb.SpeakResponse]:
        """Serve a live session."""
        config = (await self._config(request_iterator)).config
        async with self._sessions.slot():
            character = await self._character(config.character)
            session = SpeakSession(config, character, self._scope(context), self._session_options)

            async def run(send: Send[pb.SpeakResponse]) -> None:
                await session.run(request_iterator, send)

            async with aclosing(produced(run)) as answers:
                async for answer in answers:
                    yield answer

    async def RenderVideo(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.RenderVideoRequest], context: Context
    ) -> AsyncIterator[pb.RenderVideoResponse]:
        """Make a video."""
        config = (await self._config(request_iterator)).config
        async with self._videos.slot():
            character = await self._character(config.character)
            film = Film(config, character, self._scope(context))

            async def run(send: Send[pb.RenderVideoResponse]) -> None:
                await film.run(request_iterator, send)

            async with aclosing(produced(run)) as answers:
                async for answer in answers:
                    yield answer

    async def _config(self, requests: AsyncIterator[RequestT]) -> RequestT:
        """The config, for which no slot is held: a silent client costs nothing."""
        return await take_config(requests, within_s=self._settings.config_timeout_s)

    def _scope(self, context: Context) -> Scope:
        return Scope(context, self._peers, self._store, self._settings.peer_patience_s)

    async def _character(self, name: str) -> Character:
        return await self._store.get(parse_name(name, field_path="config.character"))

    async def BakeSprites(  # noqa: N802
        self, request: pb.BakeSpritesRequest, context: Context
    ) -> AsyncIterator[pb.BakeSpritesResponse]:
        """Make sprite sheets."""
        # What is wrong with it is said before it has to wait.
        await self._baking(request, context)
        async with self._videos.slot():
            baking = await self._baking(request, context)
            async with aclosing(produced(baking.run)) as answers:
                async for answer in answers:
                    yield answer

    async def _baking(self, request: pb.BakeSpritesRequest, context: Context) -> Baking:
        character = await self._store.get(parse_name(request.character, field_path="character"))
        return Baking(request, character, self._scope(context))


def _merged(present: Character, sent: pb.Character, mask: list[str]) -> Character:
    values: dict[str, dict[str, Any]] = {
        "display_name": {"display_name": sent.display_name},
        "owner": {"owner": sent.owner},
        "labels": {"labels": dict(sent.labels)},
        "defaults.pose_model": {"pose_model": sent.defaults.pose_model},
        "defaults.expression": {"expression": sent.defaults.expression},
        "defaults.mouth_overrides": {
            "mouth": mouth_of(
                sent.defaults.mouth_overrides, at="character.defaults.mouth_overrides"
            )
        },
    }
    defaults = [path for path in values if path.startswith("defaults.")]
    values["defaults"] = {key: value for path in defaults for key, value in values[path].items()}
    for path in mask or list(values):
        if path not in values:
            raise InvalidArgumentError(
                f"{path!r} cannot be changed.",
                reason="FIELD_NOT_UPDATABLE",
                field="update_mask",
                path=path,
            )
        present = replace(present, **values[path])
    return present
