"""Audio that comes, and may turn out to be live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.pace import Pace, PaceMeter
from kuchipaku_lipsync.live.sources import FileSource
from kuchipaku_lipsync.speech import SAMPLE_RATE

# A server that was held up itself first reads what has come meanwhile.
_LEAST_PATIENCE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of audio; `waited_s` is for how long it has been on its way to here."""

    data: bytes
    waited_s: float = 0.0


class Late:
    """Stands for a piece that has not come in time."""


LATE: Final = Late()


class PatientReader:
    """Reads pieces one by one, and can give up waiting for one without losing it."""

    def __init__(self, pieces: AsyncIterator[Piece]) -> None:
        self._pieces = pieces
        self._coming: asyncio.Task[Piece | None] | None = None

    async def next(self, within_s: float | None = None) -> Piece | Late | None:
        """The next piece; None at the end; LATE if neither comes within the time.

        Raises what the pieces raise.
        """
        if self._coming is None:
            self._coming = asyncio.create_task(self._read())
        await asyncio.wait({self._coming}, timeout=within_s)
        if not self._coming.done():
            return LATE
        came, self._coming = self._coming, None
        return came.result()

    async def rest(self) -> AsyncIterator[bytes]:
        """The audio of all the others."""
        while isinstance(piece := await self.next(), Piece):
            yield piece.data

    async def close(self) -> None:
        """Read no more."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)

    async def _read(self) -> Piece | None:
        return await anext(self._pieces, None)


class Arrivals:
    """Keeps what has come until it is known how it comes."""

    def __init__(self, layout: AudioLayout, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meter = PaceMeter()
        self._heard = bytearray()
        pcm = layout.pcm_format
        width = pcm.dtype.itemsize if pcm else 0
        self._bytes_per_s = layout.sample_rate * layout.channels * width
        self._file = FileSource() if pcm is None else None
        self._file_samples = 0

    async def take(self, piece: Piece) -> Pace:
        """Note a piece."""
        if self._meter.pace is Pace.FASTER:
            return Pace.FASTER
        now = self._clock()
        self._heard += piece.data
        try:
            seconds = await self._seconds(piece.data)
        except InvalidArgumentError:
            # Whoever listens to it finds out what is wrong with it.
            pace = self._meter.cannot_tell()
        else:
            pace = self._meter.take(len(piece.data), seconds, now, piece.waited_s)
        if pace is Pace.FASTER:
            self._heard.clear()
        return pace

    def wait_is_over(self) -> Pace:
        """Nothing has come for `patience_s`."""
        return self._meter.wait_is_over()

    @property
    def patience_s(self) -> float | None:
        """How long the next piece, or the end, may take before this counts as live; None: for
        ever.
        """
        due = self._meter.due
        return None if due is None else max(_LEAST_PATIENCE_S, due - self._clock())

    @property
    def kept(self) -> int:
        """Bytes that are kept to be heard again."""
        return len(self._heard)

    @property
    def heard(self) -> bytes:
        """All that has come; nothing any more of what comes faster."""
        return bytes(self._heard)

    def close(self) -> None:
        """At any time."""
        if self._file is not None:
            self._file.close()

    async def _seconds(self, data: bytes) -> float:
        if self._file is None:
            return len(self._heard) / self._bytes_per_s
        # In a thread: live speech must not wait behind it.
        self._file_samples += len(await asyncio.to_thread(self._file.push, data))
        return self._file_samples / SAMPLE_RATE
