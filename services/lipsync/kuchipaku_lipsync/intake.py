"""Audio on its way in: checked, counted and brought together piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError, ResourceExhaustedError
from kuchipaku_lipsync.speech import SAMPLE_RATE
from kuchipaku_media.audio import AudioClip, audio_file_assembler, decode_audio
from kuchipaku_media.pcm import PcmDecoder, PcmFormat, check_channels, check_sample_rate
from kuchipaku_media.resampling import MonoResampler

_RETRY_AFTER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class AudioLayout:
    """How the bytes are to be read; no `pcm_format` means a file that tells by itself."""

    pcm_format: PcmFormat | None = None
    sample_rate: int = 0
    channels: int = 1


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """A whole audio file, not decoded yet."""

    data: bytes

    def clip(self) -> AudioClip:
        """Decodes it to 16 kHz. Raises what `decode_audio` raises."""
        return decode_audio(self.data, sample_rate=SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class RawAudio:
    """Samples at 16 kHz: float32 (n,) in -1..1."""

    samples: NDArray[np.float32]

    def clip(self) -> AudioClip:
        """The samples as a clip."""
        return AudioClip(self.samples, SAMPLE_RATE)


Audio = EncodedAudio | RawAudio


class Intake(Protocol):
    """Collects one recording. Raises InvalidArgumentError for bad audio."""

    def push(self, data: bytes) -> int:
        """Takes a piece; returns how many bytes are kept of it."""
        ...

    def finish(self) -> Audio:
        """The whole recording."""
        ...


class FileIntake:
    """Collects an audio file within the byte limit. It is decoded by the worker."""

    def __init__(self) -> None:
        self._assembler = audio_file_assembler("audio")

    def push(self, data: bytes) -> int:
        self._assembler.push(data)
        return len(data)

    def finish(self) -> EncodedAudio:
        data = self._assembler.finish()
        if not data:
            raise InvalidArgumentError("The audio is empty.", reason="AUDIO_EMPTY", field="audio")
        return EncodedAudio(data)


class PcmIntake:
    """Decodes, mixes and resamples raw samples as they come: what is kept is 16 kHz mono."""

    def __init__(self, pcm_format: PcmFormat, sample_rate: int, channels: int) -> None:
        self._decoder = PcmDecoder(pcm_format, sample_rate, channels, field="audio")
        self._resampler = MonoResampler(sample_rate, SAMPLE_RATE)
        self._pieces: list[NDArray[np.float32]] = []

    def push(self, data: bytes) -> int:
        piece = self._resampler.push(self._decoder.push(data))
        if len(piece):
            self._pieces.append(piece)
        return int(piece.nbytes)

    def finish(self) -> RawAudio:
        self._decoder.finish()
        samples = np.concatenate([*self._pieces, self._resampler.finish()])
        self._pieces.clear()
        return RawAudio(np.ascontiguousarray(samples, np.float32))


def intake_for(layout: AudioLayout, field: str) -> Intake:
    """A collector for audio of this layout; errors in the layout name `field`'s subfields."""
    if layout.pcm_format is None:
        return FileIntake()
    check_sample_rate(layout.sample_rate, f"{field}.sample_rate_hertz")
    check_channels(layout.channels, f"{field}.channel_count")
    return PcmIntake(layout.pcm_format, layout.sample_rate, layout.channels)


class ByteBudget:
    """Bytes that all calls of a server may hold together. For one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, count: int) -> None:
        """Takes `count` bytes. Raises ResourceExhaustedError with reason AUDIO_BUFFER_FULL."""
        if self.used + count > self.limit:
            raise ResourceExhaustedError(
                "The server holds as much audio as it can.",
                reason="AUDIO_BUFFER_FULL",
                retry_after_s=_RETRY_AFTER_S,
            )
        self.used += count

    def give_back(self, count: int) -> None:
        """Gives back `count` bytes taken before."""
        self.used -= count
