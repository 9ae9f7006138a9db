"""A client of the gateway for asyncio programs.

Usage::

    from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway

    async with Client("127.0.0.1:50050") as client:
        prompt = gateway.PromptSource(prompt="girl, silver hair, red eyes", seed=7)
        created = await client.create_character(gateway.CreateCharacterRequest(prompt=prompt))
        config = gateway.RenderVideoConfig(character=created.character.name, text="Hello!")
        with open("hello.mp4", "wb") as film:
            async for part in client.render_video(config, audio):
                film.write(part.chunk.data)

Every method raises a `kuchipaku_contract.errors.KuchipakuError` that carries reason, field and
metadata of the service's answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from kuchipaku.calls import keep_status
from kuchipaku.errors import error_from_rpc
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from kuchipaku.type.v1 import audio_pb2
from kuchipaku_contract.errors import InternalError
from kuchipaku_contract.limits import LIMITS

DEFAULT_ADDRESS = "127.0.0.1:50050"

_Item = TypeVar("_Item")

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", LIMITS.max_message_bytes),
    ("grpc.max_send_message_length", LIMITS.max_message_bytes),
)


class Client:
    """One connection to a gateway. Use it as an async context manager."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        api_key: str | None = None,
    ) -> None:
        """Prepare a connection; nothing is sent before the first call.

        `address` is ``host:port`` or ``unix:/path``. Without `credentials` the connection is not
        encrypted.
        """
        self._metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
        self._stub = gateway_grpc.GatewayServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection; running calls are cancelled."""
        await self._channel.close()

    async def create_character(
        self,
        request: gateway.CreateCharacterRequest,
        on_progress: Callable[[gateway.CreateCharacterProgress], None] | None = None,
    ) -> gateway.CreateCharacterResult:
        """Make a character; `on_progress` hears of every step."""
        result: gateway.CreateCharacterResult | None = None
        call = self._stub.CreateCharacter(request, metadata=self._metadata)
        async with _errors_translated():
            try:
                async for answer in call:
                    if answer.WhichOneof("payload") == "result":
                        result = answer.result
                    elif on_progress is not None:
                        on_progress(answer.progress)
            finally:
                call.cancel()
        if result is None:
            message = "The gateway's answer ended without a character."
            raise InternalError(message, reason="ANSWER_INCOMPLETE")
        return result

    async def get_character(self, name: str, *, full: bool = False) -> gateway.Character:
        """The character ``characters/{id}``, with its canvas if `full`."""
        view = gateway.CHARACTER_VIEW_FULL if full else gateway.CHARACTER_VIEW_BASIC
        request = gateway.GetCharacterRequest(name=name, view=view)
        async with _errors_translated():
            answer = await self._stub.GetCharacter(request, metadata=self._metadata)
        return answer.character

    async def list_characters(
        self, request: gateway.ListCharactersRequest
    ) -> AsyncIterator[gateway.Character]:
        """All characters that the request selects, page by page."""
        page = gateway.ListCharactersRequest()
        page.CopyFrom(request)
        async with _errors_translated():
            while True:
                answer = await self._stub.ListCharacters(page, metadata=self._metadata)
                for character in answer.characters:
                    yield character
                if not answer.next_page_token:
                    return
                page.page_token = answer.next_page_token

    async def update_character(
        self, character: gateway.Character, paths: Sequence[str] = ()
    ) -> gateway.Character:
        """Change the character of that name and return what it is now.

        `paths` says what to change, as ``labels`` or ``defaults.expression``; all that can be
        changed if empty. An etag in `character` must be the present one.
        """
        request = gateway.UpdateCharacterRequest(
            character=character, update_mask=FieldMask(paths=paths)
        )
        async with _errors_translated():
            answer = await self._stub.UpdateCharacter(request, metadata=self._metadata)
        return answer.character

    async def delete_character(self, name: str) -> None:
        """Remove a character."""
        async with _errors_translated():
            request = gateway.DeleteCharacterRequest(name=name)
            await self._stub.DeleteCharacter(request, metadata=self._metadata)

    async def render_video(
        self, config: gateway.RenderVideoConfig, audio: bytes
    ) -> AsyncGenerator[gateway.RenderVideoResponse]:
        """The stream of answers for one recording; the file is the concatenation of the chunks.

        Closing the generator (`contextlib.aclosing`) ends the work.
        """
        requests = [gateway.RenderVideoRequest(config=config)]
        requests += [
            gateway.RenderVideoRequest(audio=audio_pb2.AudioChunk(data=part))
            for part in chunks(audio)
        ]
        call = keep_status(self._stub.RenderVideo(_stream(requests), metadata=self._metadata))
        async with _errors_translated():
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()

    async def bake_sprites(
        self, request: gateway.BakeSpritesRequest
    ) -> AsyncGenerator[gateway.BakeSpritesResponse]:
        """The stream of answers for one set of sprite sheets; pieces of a file follow each other.

        Closing the generator (`contextlib.aclosing`) ends the work.
        """
        call = self._stub.BakeSprites(request, metadata=self._metadata)
        async with _errors_translated():
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()

    async def speak(
        self, requests: AsyncIterator[gateway.SpeakRequest]
    ) -> AsyncGenerator[gateway.SpeakResponse]:
        """A live session: whatever `requests` yields goes out, the answers come back.

        Closing the generator (`contextlib.aclosing`) ends the session.
        """
        call = keep_status(self._stub.Speak(requests, metadata=self._metadata))
        async with _errors_translated():
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()


def chunks(data: bytes, size: int = 256 * 1024) -> Iterable[bytes]:
    """Cut `data` into pieces that fit into messages."""
    return (data[start : start + size] for start in range(0, len(data), size))


async def _stream(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    for item in items:
        yield item


@asynccontextmanager
async def _errors_translated() -> AsyncIterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_from_rpc(error) from error
