"""What all decoders of streamed files have in common: frames to samples at 16 kHz, checked."""

from __future__ import annotations

from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.speech import SAMPLE_RATE
from kuchipaku_media.audio import audio_frame_samples
from kuchipaku_media.pcm import check_sample_rate, empty, too_long
from kuchipaku_media.resampling import MonoResampler

MAX_SECONDS: Final = LIMITS.max_live_audio_duration_s


class Gatherer:
    """Joins what a decoder gives. Raises InvalidArgumentError as `decode_audio`."""

    def __init__(self) -> None:
        self._resampler: MonoResampler | None = None
        self._rate = 0
        self._count = 0
        self._ready: list[NDArray[np.float32]] = []

    def take(self, frame: av.AudioFrame, skip: int = 0) -> None:
        """A decoded frame but for its first ``skip`` samples."""
        self.add(audio_frame_samples(frame, "audio")[skip:], frame.sample_rate)

    def add(self, samples: NDArray[np.float32], rate: int) -> None:
        """Mono samples (n,), -1..1."""
        if self._resampler is None:
            check_sample_rate(rate, "audio")
            self._rate = rate
            self._resampler = MonoResampler(rate, SAMPLE_RATE)
        elif rate != self._rate:
            raise not_decodable()
        self._count += len(samples)
        if self._count > MAX_SECONDS * self._rate:
            raise too_long(MAX_SECONDS, "audio")
        self._ready.append(self._resampler.push(samples))

    def taken(self) -> NDArray[np.float32]:
        """What is ready, once."""
        ready, self._ready = self._ready, []
        return np.concatenate(ready) if ready else np.zeros(0, np.float32)

    def finish(self) -> NDArray[np.float32]:
        """The rest. Raises AUDIO_EMPTY where nothing has been decoded."""
        if self._resampler is None or self._count == 0:
            raise empty("audio")
        self._ready.append(self._resampler.finish())
        return self.taken()


def not_decodable() -> InvalidArgumentError:
    """The error for what no decoder here understands."""
    return InvalidArgumentError(
        "The audio is damaged, of an unknown format, or of one that cannot be read as it comes.",
        reason="AUDIO_NOT_DECODABLE",
        field="audio",
    )
