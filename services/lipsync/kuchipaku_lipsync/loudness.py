"""How loud each cue is, against the level of the speech around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.speech import SAMPLES_PER_CS, Speech

# The level that counts as loud: most vowels reach it, a single shout does not set it.
_LOUD_QUANTILE: Final = 0.9
# Below this RMS (16-bit steps) there is no speech to compare with.
_MIN_LEVEL: Final = 1.0


class LoudnessMeter:
    """RMS of any stretch of a clip relative to the speech level of the whole clip, 0 to 1."""

    def __init__(self, speech: Speech) -> None:
        count = speech.duration_cs
        frames = speech.samples[: count * SAMPLES_PER_CS].reshape(count, SAMPLES_PER_CS)
        power: NDArray[np.float64] = np.mean(
            np.square(frames, dtype=np.float32), axis=1, dtype=np.float64
        )
        # Sums up to each frame, so that the mean over any stretch is one subtraction.
        self._energy = np.concatenate(([0.0], np.cumsum(power)))
        self._level = _speech_level(power, [(s.start_cs, s.end_cs) for s in speech.segments])

    def over(self, start_cs: int, end_cs: int) -> float:
        """Loudness over `start_cs` <= t < `end_cs`; 0 where nobody speaks at all."""
        last = len(self._energy) - 1
        start, end = min(start_cs, last), min(end_cs, last)
        if start >= end or self._level < _MIN_LEVEL:
            return 0.0
        mean = (self._energy[end] - self._energy[start]) / (end - start)
        return float(min(np.sqrt(max(mean, 0.0)) / self._level, 1.0))


def _speech_level(power: NDArray[np.float64], segments: Sequence[tuple[int, int]]) -> float:
    if not segments:
        return 0.0
    spoken = np.concatenate([power[start:end] for start, end in segments])
    return float(np.sqrt(np.quantile(spoken, _LOUD_QUANTILE))) if len(spoken) else 0.0
