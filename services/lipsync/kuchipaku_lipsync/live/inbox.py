"""Audio that has come and waits for its worker, in pieces of a useful size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

# Audio beyond this waits at the sender: gRPC's flow control holds it there.
_ROOM_BYTES: Final = 1 << 20
_MAX_PIECE_BYTES: Final = 16_384

_MIN_PATIENCE_S: Final = 0.25
_MAX_PATIENCE_S: Final = 5.0


class Inbox:
    """Filled by one task and emptied by another; holds at most about a MiB."""

    def __init__(self, latency_s: float, unit_bytes: int = 1) -> None:
        """``latency_s``: how soon at most a pause in the arrival is told. Pieces are multiples of
        ``unit_bytes``, but for those before a pause or the end.
        """
        self._unit = unit_bytes
        self._data = bytearray()
        self._ended = False
        self._changed = asyncio.Event()
        self._freed = asyncio.Event()
        self._patience_s = max(latency_s, _MIN_PATIENCE_S)
        self._longest_gap_s = 0.0
        self._arrived_at: float | None = None

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Take all pieces, as there is room."""
        try:
            async for piece in pieces:
                while len(self._data) >= _ROOM_BYTES:
                    self._freed.clear()
                    await self._freed.wait()
                self._note_arrival()
                self._data += piece
                self._changed.set()
        finally:
            self._ended = True
            self._changed.set()

    async def take(self) -> bytes | None:
        """The next bytes; empty ones where nothing has come for a while, None at the end."""
        in_time = await self._wait(self._patience_s + 2 * self._longest_gap_s)
        if in_time and not self._data:
            return None
        size = min(len(self._data), max(_MAX_PIECE_BYTES, self._unit))
        if size > self._unit:
            size -= size % self._unit
        piece = bytes(self._data[:size])
        del self._data[:size]
        self._freed.set()
        return piece

    async def wait(self) -> None:
        """Until there is something to take, however long it lasts."""
        while not self._data and not self._ended:
            self._changed.clear()
            await self._changed.wait()

    async def _wait(self, seconds: float | None) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._data) < self._unit and not self._ended:
                    self._changed.clear()
                    await self._changed.wait()
        return len(self._data) >= self._unit or self._ended

    def _note_arrival(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._arrived_at is not None:
            gap = min(now - self._arrived_at, _MAX_PATIENCE_S)
            self._longest_gap_s = max(0.9 * self._longest_gap_s, gap)
        self._arrived_at = now
