"""Samples as they come, made ready for recognition: no DC offset, loud enough, in whole frames."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.speech import (
    CLIPPED_SHARE,
    FULL_LEVEL,
    QUIET_DBFS,
    SAMPLES_PER_CS,
    SILENT_DBFS,
    TARGET_DBFS,
    dbfs,
    to_int16,
)

# The mean of this long a stretch is the DC offset; it follows a drift at that pace.
_DC_SPAN_CS: Final = 100
# The level is that of the loudest stretch of this length.
_LEVEL_CS: Final = 25
# Share of the gain's way that is gone in each frame.
_GAIN_PACE: Final = 0.05
# Levels this far back are forgotten.
_LEVEL_MEMORY: Final = 40
_LOUD_QUANTILE: Final = 0.9
_SPEECH_MEMORY_CS: Final = 1_000
_MIN_RMS: Final = 1e-4


class Conditioner:
    """Cuts samples into frames of 10 ms, without DC offset and, when very quiet, raised."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._offset = 0.0
        self._offset_weight = 0.0
        self._gain = 1.0
        self._wanted_gain = 1.0
        self._levels: deque[float] = deque(maxlen=_LEVEL_MEMORY)
        self._block: list[float] = []
        self._count = 0
        self._clipped = 0
        self.boosted = False
        self.loudest_dbfs = dbfs(0.0)

    @property
    def clipped(self) -> bool:
        """Whether many samples are at full scale."""
        return self._clipped > CLIPPED_SHARE * self._count

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames (k, 160) that ``samples``, float32 (n,) at 16 kHz, complete."""
        self._count += len(samples)
        self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_LEVEL))
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        count = len(joined) // SAMPLES_PER_CS
        self._rest = joined[count * SAMPLES_PER_CS :]
        frames = joined[: count * SAMPLES_PER_CS].reshape(count, SAMPLES_PER_CS)
        return self._raised(self._centred(frames)) if count else frames

    def finish(self) -> NDArray[np.float32]:
        """The samples that do not fill a frame, with silence behind them: (0 or 1, 160)."""
        if len(self._rest) == 0:
            return np.zeros((0, SAMPLES_PER_CS), np.float32)
        return self.push(np.zeros(SAMPLES_PER_CS - len(self._rest), np.float32))

    def _centred(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.empty_like(frames)
        for index, mean in enumerate(frames.mean(axis=1).tolist()):
            self._offset_weight = min(self._offset_weight + 1.0, _DC_SPAN_CS)
            self._offset += (mean - self._offset) / self._offset_weight
            result[index] = frames[index] - self._offset
        return result

    def _raised(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        gains = np.empty((len(frames), 1), np.float32)
        for index, power in enumerate(np.mean(np.square(frames), axis=1).tolist()):
            self._measure(power)
            self._gain += (self._wanted_gain - self._gain) * _GAIN_PACE
            gains[index] = self._gain
        return np.clip(frames * gains, -1.0, 1.0) if self.boosted else frames

    def _measure(self, power: float) -> None:
        self._block.append(power)
        if len(self._block) < _LEVEL_CS:
            return
        self._levels.append(dbfs(float(np.sqrt(np.mean(self._block)))))
        self._block.clear()
        level = max(self._levels)
        self.loudest_dbfs = max(self.loudest_dbfs, level)
        quiet = SILENT_DBFS < level < QUIET_DBFS
        self._wanted_gain = 10 ** ((TARGET_DBFS - level) / 20) if quiet else 1.0
        self.boosted = self.boosted or quiet


class LiveLoudness:
    """RMS of stretches of the last seconds against the level of the speech so far, 0 to 1."""

    def __init__(self, memory_cs: int) -> None:
        """Answer for the last ``memory_cs`` frames."""
        self._power: deque[float] = deque(maxlen=memory_cs)
        self._speech: deque[float] = deque(maxlen=_SPEECH_MEMORY_CS)
        self._end_cs = 0
        self._fresh = 0
        self._level = 0.0

    def push(self, frames: NDArray[np.float32], speaking: list[bool]) -> None:
        """Take frames (k, 160), and whether there is speech in each."""
        power = np.mean(np.square(frames), axis=1).tolist()
        self._power.extend(power)
        self._end_cs += len(power)
        self._speech.extend(value for value, on in zip(power, speaking, strict=True) if on)
        if not any(speaking):
            return
        self._fresh += len(power)
        # The level moves slowly; at first every frame counts.
        if self._fresh >= min(len(self._speech) // 10, _LEVEL_CS):
            self._fresh = 0
            self._level = float(np.sqrt(np.quantile(self._speech, _LOUD_QUANTILE)))

    def over(self, start_cs: int, end_cs: int) -> float:
        """Loudness over ``start_cs`` <= t < ``end_cs``; 0 where nobody has spoken yet."""
        origin = self._end_cs - len(self._power)
        values = list(self._power)[max(start_cs - origin, 0) : max(end_cs - origin, 0)]
        if not values or self._level < _MIN_RMS:
            return 0.0
        return min(float(np.sqrt(np.mean(values))) / self._level, 1.0)


def half_rate(frames: NDArray[np.float32]) -> list[bytes]:
    """Each frame (k, 160) at 8 kHz as 16-bit samples, by the mean of two."""
    halves = frames.reshape(len(frames), -1, 2).mean(axis=2)
    return [row.tobytes() for row in to_int16(halves)]
