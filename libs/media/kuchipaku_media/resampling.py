"""Sample-rate conversion of mono audio that comes in pieces."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


class MonoResampler:
    """Resamples a mono stream; piecewise or whole, the output is the same to rounding.

    soxr's high-quality filter; the output is clipped to -1..1, which the filter may overshoot.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._stream: soxr.ResampleStream | None = None
        if source_rate != target_rate:
            self._stream = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32")

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the output that ``samples``, float32 of shape (n,), complete."""
        if self._stream is None:
            return samples
        return _clipped(self._stream.resample_chunk(samples))

    def finish(self) -> NDArray[np.float32]:
        """Return what the filter still holds."""
        rest = np.empty(0, np.float32)
        if self._stream is None:
            return rest
        return _clipped(self._stream.resample_chunk(rest, last=True))


def _clipped(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(samples, -1.0, 1.0)
