"""One live call: audio from the client to a worker, cues from there to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from kuchipaku_lipsync.live.inbox import Inbox
from kuchipaku_lipsync.live.listener import LiveStep, LiveSummary
from kuchipaku_lipsync.live.pool import LiveCall


async def listen_live(
    call: LiveCall, pieces: AsyncIterator[bytes], latency_s: float, unit_bytes: int = 1
) -> AsyncGenerator[LiveStep | LiveSummary, None]:
    """Steps as they come and, at the end of the pieces, the summary.

    What comes is handed on in multiples of ``unit_bytes``: less of it would lead to no cues yet.
    Where no audio comes for longer than usual, what there is becomes final without look-ahead.
    Raises what ``pieces`` raises, and InvalidArgumentError for bad audio.
    """
    inbox = Inbox(latency_s, unit_bytes)
    filling = asyncio.create_task(inbox.fill(pieces))
    try:
        while (data := await inbox.take()) is not None:
            if data:
                yield await call.push(data)
            else:
                yield await call.pause()
                await inbox.wait()
        await filling
        step, summary = await call.finish()
        yield step
        yield summary
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
