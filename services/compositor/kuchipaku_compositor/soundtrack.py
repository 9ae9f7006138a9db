"""Speech as it arrives, turned into mono samples at the sound track's rate."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.encoders import SAMPLE_RATE
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.audio import PcmDecoder, PcmFormat, audio_file_assembler, decode_audio
from kuchipaku_media.resampling import MonoResampler


class Soundtrack(Protocol):
    """Takes audio in pieces cut anywhere and gives samples, mono at `SAMPLE_RATE`, in -1..1."""

    def push(self, data: bytes) -> NDArray[np.float32]:
        """Return the samples that ``data`` completes."""

    def finish(self) -> NDArray[np.float32]:
        """Return the rest. Raises what `kuchipaku_media.audio` raises for bad audio."""


class PcmSoundtrack:
    """Raw samples; they come out as they go in."""

    def __init__(
        self,
        pcm_format: PcmFormat,
        sample_rate: int,
        channels: int,
        *,
        field: str = "audio",
        max_duration_s: float = LIMITS.max_audio_duration_s,
    ) -> None:
        self._decoder = PcmDecoder(
            pcm_format, sample_rate, channels, field=field, max_duration_s=max_duration_s
        )
        self._resampler = MonoResampler(sample_rate, SAMPLE_RATE)

    def push(self, data: bytes) -> NDArray[np.float32]:
        """See `Soundtrack`."""
        return self._resampler.push(self._decoder.push(data))

    def finish(self) -> NDArray[np.float32]:
        """See `Soundtrack`."""
        self._decoder.finish()
        return self._resampler.finish()


class FileSoundtrack:
    """An audio file. It may be cut anywhere, so that it is decoded once it is complete.

    Its samples all come from `finish`; until then no container gives away interleaved video.
    """

    def __init__(
        self, *, field: str = "audio", max_duration_s: float = LIMITS.max_audio_duration_s
    ) -> None:
        self._file = audio_file_assembler(field)
        self._field = field
        self._max_duration_s = max_duration_s

    def push(self, data: bytes) -> NDArray[np.float32]:
        """See `Soundtrack`."""
        self._file.push(data)
        return np.empty(0, np.float32)

    def finish(self) -> NDArray[np.float32]:
        """See `Soundtrack`."""
        clip = decode_audio(
            self._file.finish(),
            field=self._field,
            sample_rate=SAMPLE_RATE,
            max_duration_s=self._max_duration_s,
        )
        return clip.samples
