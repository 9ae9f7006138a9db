"""Bidirectional calls of the services behind, and patience with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio

from kuchipaku.calls import keep_status
from kuchipaku_contract.errors import (
    InternalError,
    KuchipakuError,
    ResourceExhaustedError,
    UnavailableError,
)

from .peers import translated

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
T = TypeVar("T")

_FIRST_PAUSE_S = 0.2


class PeerStream(Generic[RequestT, ResponseT]):
    """A bidirectional call of a service behind. One writer and one reader at a time.

    When the service ends the call, `read` raises its error, whatever a `write` meets meanwhile:
    a write is where the end is noticed, and the reader is who knows why.
    """

    def __init__(self, peer: str, call: Any, response_type: type[ResponseT]) -> None:
        """Wrap a fresh call of `peer`."""
        self._peer = peer
        self._call = keep_status(call)
        self._response_type = response_type

    async def write(self, request: RequestT) -> bool:
        """Send a request; False where the call has ended, of which `read` tells."""
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        return True

    async def done_writing(self) -> None:
        """Half-close."""
        try:
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def read(self) -> ResponseT | None:
        """The next response, or None at the end. Raises what the service reports."""
        with translated(self._peer):
            response = await self._call.read()
        return response if isinstance(response, self._response_type) else None

    async def responses(self) -> AsyncIterator[ResponseT]:
        """All responses. Raises what the service reports."""
        while (response := await self.read()) is not None:
            yield response

    async def first(self, request: RequestT) -> ResponseT:
        """Send the config and return the answer, by which the service has accepted the work."""
        await self.write(request)
        response = await self.read()
        if response is None:
            raise InternalError(
                f"The {self._peer} service did not start.", reason="PEER_PROTOCOL", peer=self._peer
            )
        return response

    def cancel(self) -> None:
        """Give the call up. Without effect on one that has ended."""
        self._call.cancel()


async def patiently(attempt: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """Repeat an attempt that a full or departing service refuses, for up to `patience_s`.

    For work that this server has accepted, and of which nothing has been sent yet.
    """
    deadline = asyncio.get_running_loop().time() + patience_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except (ResourceExhaustedError, UnavailableError) as refusal:
            wait = _wait_after(refusal, pause)
            if asyncio.get_running_loop().time() + wait > deadline:
                raise
        await asyncio.sleep(wait)
        pause *= 2


def _wait_after(refusal: KuchipakuError, pause: float) -> float:
    # The hint is an estimate for the slot's whole term; asking a little earlier costs nothing.
    return min(pause, refusal.retry_after_s) if refusal.retry_after_s else pause
