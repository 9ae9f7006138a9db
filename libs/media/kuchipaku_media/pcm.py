"""Raw PCM as it arrives on a stream, in pieces cut anywhere, to mono float samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS


class PcmFormat(StrEnum):
    """Interleaved little-endian PCM layouts, by FFmpeg's names."""

    S16LE = "pcm_s16le"
    F32LE = "pcm_f32le"

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of one sample."""
        return np.dtype("<i2") if self is PcmFormat.S16LE else np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Mono audio.

    ``samples`` is float32 of shape ``(n,)`` in -1..1 and finite; ``sample_rate`` is in hertz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def check_sample_rate(rate: int, field: str) -> None:
    """Refuse rates outside `LIMITS`; reason AUDIO_SAMPLE_RATE_UNSUPPORTED."""
    if not LIMITS.min_sample_rate_hertz <= rate <= LIMITS.max_sample_rate_hertz:
        raise InvalidArgumentError(
            f"The sample rate is {rate} Hz; it must lie between {LIMITS.min_sample_rate_hertz} "
            f"and {LIMITS.max_sample_rate_hertz} Hz.",
            reason="AUDIO_SAMPLE_RATE_UNSUPPORTED",
            field=field,
            sample_rate=rate,
        )


def check_channels(channels: int, field: str) -> None:
    """Refuse channel counts outside `LIMITS`; reason AUDIO_CHANNELS_UNSUPPORTED."""
    if not 1 <= channels <= LIMITS.max_audio_channels:
        raise InvalidArgumentError(
            f"The audio has {channels} channels; 1 to {LIMITS.max_audio_channels} can be mixed.",
            reason="AUDIO_CHANNELS_UNSUPPORTED",
            field=field,
            channels=channels,
        )


def too_long(limit_s: float, field: str) -> InvalidArgumentError:
    """The error for audio beyond ``limit_s`` seconds; reason AUDIO_TOO_LONG."""
    return InvalidArgumentError(
        f"The audio is longer than the limit of {limit_s:g} s.",
        reason="AUDIO_TOO_LONG",
        field=field,
        limit_s=limit_s,
    )


def empty(field: str) -> InvalidArgumentError:
    """The error for audio without a sample; reason AUDIO_EMPTY."""
    return InvalidArgumentError("The audio is empty.", reason="AUDIO_EMPTY", field=field)


def to_mono(samples: NDArray[Any], field: str) -> NDArray[np.float32]:
    """Average the channels of ``samples`` and scale them to -1..1.

    ``samples`` has shape ``(n, channels)`` and is unsigned 8 bit, signed 16 to 64 bit or float.
    Float samples beyond full scale are clipped, as every later consumer would. Raises
    `InvalidArgumentError` (AUDIO_NOT_FINITE) for NaN or infinite samples.
    """
    if samples.dtype == np.uint8:
        scaled = (samples.astype(np.float32) - 128.0) / 128.0
    elif samples.dtype.kind == "i":
        full_scale = float(2 ** (8 * samples.dtype.itemsize - 1))
        scaled = (samples / full_scale).astype(np.float32)
    else:
        if not np.isfinite(samples).all():
            raise InvalidArgumentError(
                "The audio holds NaN or infinite samples.", reason="AUDIO_NOT_FINITE", field=field
            )
        scaled = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    mono = scaled[:, 0] if scaled.shape[1] == 1 else scaled.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(mono, np.float32)


class PcmDecoder:
    """Turns pieces of interleaved PCM, cut at any byte, into mono samples as they come.

    Keeps no more than one incomplete sample frame. Raises `InvalidArgumentError` with reason
    AUDIO_SAMPLE_RATE_UNSUPPORTED, AUDIO_CHANNELS_UNSUPPORTED, AUDIO_NOT_FINITE, AUDIO_TOO_LONG
    or, from `finish`, AUDIO_EMPTY and AUDIO_TRUNCATED.
    """

    def __init__(
        self,
        pcm_format: PcmFormat,
        sample_rate: int,
        channels: int = 1,
        *,
        field: str = "audio",
        max_duration_s: float = LIMITS.max_audio_duration_s,
    ) -> None:
        check_sample_rate(sample_rate, field)
        check_channels(channels, field)
        self._dtype = pcm_format.dtype
        self._channels = channels
        self._frame_bytes = self._dtype.itemsize * channels
        self._field = field
        self._max_duration_s = max_duration_s
        self._max_samples = int(max_duration_s * sample_rate)
        self._rest = b""
        self._count = 0

    def push(self, data: bytes) -> NDArray[np.float32]:
        """Return the mono samples that ``data`` completes: float32 of shape (n,), -1..1."""
        joined = self._rest + data if self._rest else data
        whole = len(joined) - len(joined) % self._frame_bytes
        if self._count + whole // self._frame_bytes > self._max_samples:
            raise too_long(self._max_duration_s, self._field)
        self._rest = joined[whole:]
        interleaved = np.frombuffer(joined, self._dtype, count=whole // self._dtype.itemsize)
        mono = to_mono(interleaved.reshape(-1, self._channels), self._field)
        self._count += len(mono)
        return mono

    def finish(self) -> None:
        """Check that the input ended on a whole sample and was not empty."""
        if self._rest:
            raise InvalidArgumentError(
                f"The audio ends within a sample: {len(self._rest)} of {self._frame_bytes} bytes.",
                reason="AUDIO_TRUNCATED",
                field=self._field,
            )
        if self._count == 0:
            raise empty(self._field)
