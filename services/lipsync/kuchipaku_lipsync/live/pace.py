"""Whether audio comes as fast as it plays: from a microphone, and not from a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final

from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.sources import probe_seconds

# When it is first looked, and when it is settled.
_LOOK_AFTER_S: Final = 0.25
_SETTLED_AFTER_S: Final = 2.0
# Looking into a file that is still coming takes longer.
_LOOK_INTO_FILE_AFTER_S: Final = 0.5
_FILE_PAUSE_FACTOR: Final = 2.0
# Clocks differ and networks send in bursts.
_TOLERANCE: Final = 1.3

# So far ahead of its playing no live audio is.
_FAR_AHEAD_S: Final = 8.0
_FAR_AHEAD_BYTES: Final = 4 << 20

SecondsOf = Callable[[bytes, float], Awaitable[float]]


async def seconds_of(head: bytes, limit_s: float) -> float:
    """How long the beginning of an audio file lasts, or `limit_s` if that is less.

    In a thread: a look at a few seconds is short, and live speech must not wait behind it.
    """
    return await asyncio.to_thread(probe_seconds, head, limit_s)


class Pace(Enum):
    """How audio comes."""

    UNDECIDED = auto()
    REAL_TIME = auto()
    FASTER = auto()


class PaceMeter:
    """Decides from the first two seconds. What comes whole, or ends by then, is not live."""

    def __init__(
        self,
        layout: AudioLayout,
        seconds_of: SecondsOf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``seconds_of`` tells how long the beginning of a file lasts, up to a limit."""
        self._layout = layout
        self._seconds_of = seconds_of
        self._clock = clock
        self._begun = 0.0
        self._first_bytes = 0
        self._heard = bytearray()
        self._look_after_s = _LOOK_AFTER_S if layout.pcm_format else _LOOK_INTO_FILE_AFTER_S
        self.pace = Pace.UNDECIDED

    async def take(self, data: bytes) -> Pace:
        """Note the arrival of ``data``."""
        if self.pace is not Pace.UNDECIDED:
            return self.pace
        self._heard += data
        if not self._first_bytes:
            self._begun, self._first_bytes = self._clock(), len(data)
            return self.pace
        elapsed = self._clock() - self._begun
        if self._is_far_ahead(elapsed):
            return self._settle(Pace.FASTER)
        if elapsed < self._look_after_s:
            return self.pace
        # The first piece may hold what was gathered before it was sent.
        share = 1.0 - self._first_bytes / len(self._heard)
        seconds = await self._seconds(elapsed) * share
        if 0.0 < seconds <= _TOLERANCE * elapsed:
            return self._settle(Pace.REAL_TIME)
        if elapsed > _SETTLED_AFTER_S:
            return self._settle(Pace.FASTER)
        if self._layout.pcm_format is None:
            self._look_after_s = elapsed * _FILE_PAUSE_FACTOR
        return self.pace

    @property
    def heard(self) -> bytes:
        """All that has been taken; nothing any more of what comes faster."""
        return bytes(self._heard)

    def _settle(self, pace: Pace) -> Pace:
        self.pace = pace
        if pace is Pace.FASTER:
            self._heard.clear()
        return pace

    def _is_far_ahead(self, elapsed: float) -> bool:
        if len(self._heard) > _FAR_AHEAD_BYTES:
            return True
        is_raw = self._layout.pcm_format is not None
        return is_raw and self._raw_seconds() > elapsed + _FAR_AHEAD_S

    async def _seconds(self, elapsed: float) -> float:
        if self._layout.pcm_format is None:
            return await self._seconds_of(bytes(self._heard), elapsed + _FAR_AHEAD_S)
        return self._raw_seconds()

    def _raw_seconds(self) -> float:
        pcm = self._layout.pcm_format
        width = pcm.dtype.itemsize if pcm else 1
        return len(self._heard) / (self._layout.sample_rate * self._layout.channels * width)
