"""Rules that all client streams of the protocol share.

The first message is the config and comes once; every message has a payload; pieces of audio are
bounded. Requests are known by their shape alone, so that this stays free of generated code.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar

from kuchipaku_contract.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    KuchipakuError,
)
from kuchipaku_contract.limits import LIMITS


class StreamRequest(Protocol):
    """A request whose content is the oneof ``payload``."""

    def WhichOneof(self, oneof_group: Any, /) -> Any:  # noqa: N802 - protobuf's name
        """The name of the field that is set, or None."""


RequestT = TypeVar("RequestT", bound=StreamRequest)


async def next_within(requests: AsyncIterator[RequestT], seconds: float | None) -> RequestT | None:
    """The next request, or None at the end of the client's side.

    Raises `DeadlineExceededError`, reason INPUT_STALLED, where neither comes within ``seconds``;
    None waits without end.
    """
    try:
        async with asyncio.timeout(seconds) as patience:
            return await anext(requests, None)
    except TimeoutError:
        if not patience.expired():
            raise
        raise DeadlineExceededError(
            f"No message came for {seconds:g} s.", reason="INPUT_STALLED", limit_s=seconds
        ) from None


async def take_config(
    requests: AsyncIterator[RequestT], *, within_s: float | None = None
) -> RequestT:
    """The first request, which holds the config.

    Raises `FailedPreconditionError`, reason CONFIG_MISSING, where it holds something else or does
    not come at all, and INPUT_STALLED like `next_within`.
    """
    first = await next_within(requests, within_s)
    if first is None or first.WhichOneof("payload") != "config":
        raise FailedPreconditionError(
            "The first message of the stream has to be the config.",
            reason="CONFIG_MISSING",
            field="config",
        )
    return first


def misplaced(payload: str | None) -> KuchipakuError:
    """The error for a later message without a place: a second config, or nothing at all."""
    if payload == "config":
        return FailedPreconditionError(
            "The config was sent already.", reason="CONFIG_TWICE", field="config"
        )
    return InvalidArgumentError("The message is empty.", reason="PAYLOAD_MISSING", field="payload")


def check_chunk(data: bytes) -> None:
    """Raise `InvalidArgumentError`, reason CHUNK_TOO_LARGE, for too long a piece of audio."""
    if len(data) > LIMITS.max_chunk_bytes:
        raise InvalidArgumentError(
            f"A piece of audio has at most {LIMITS.max_chunk_bytes} bytes; this one has "
            f"{len(data)}.",
            reason="CHUNK_TOO_LARGE",
            field="audio.data",
            limit_bytes=LIMITS.max_chunk_bytes,
        )
