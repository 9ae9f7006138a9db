"""Bounded decoding of speech files: bytes of a known container to mono samples.

Takes wav, aiff, flac, ogg (Vorbis, Opus, FLAC), mp3, aac, m4a/mp4 and webm/matroska through
PyAV. The byte limit is checked before anything is parsed, the demuxer is chosen by signature,
and decoding stops at the first sample beyond the duration limit.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS, MIB
from kuchipaku_media.pcm import (
    AudioClip,
    PcmDecoder,
    PcmFormat,
    check_channels,
    check_sample_rate,
    empty,
    to_mono,
    too_long,
)
from kuchipaku_media.pieces import BytesAssembler
from kuchipaku_media.resampling import MonoResampler
from kuchipaku_media.signature import declares_duration, demuxer_for, is_cut_short

__all__ = [
    "AudioClip",
    "PcmDecoder",
    "PcmFormat",
    "audio_file_assembler",
    "audio_frame_samples",
    "decode_audio",
    "resample",
]

# Encoder priming and padding make a decoded file a little shorter than its header says.
_LENGTH_TOLERANCE_S = 0.1
_LENGTH_TOLERANCE_SAMPLES = 4096


def decode_audio(
    data: bytes,
    *,
    field: str = "audio",
    sample_rate: int | None = None,
    max_duration_s: float = LIMITS.max_audio_duration_s,
) -> AudioClip:
    """Decode an audio file to mono.

    Channels are averaged. With ``sample_rate`` the samples are resampled to it while they are
    decoded, which bounds memory by the rate that is needed; otherwise the file's own rate is
    kept. Raises `InvalidArgumentError` for ``field`` with one of the reasons AUDIO_EMPTY,
    AUDIO_TOO_LARGE (bytes), AUDIO_TOO_LONG (seconds), AUDIO_NOT_DECODABLE (not audio, or
    damaged), AUDIO_TRUNCATED, AUDIO_NOT_FINITE, AUDIO_SAMPLE_RATE_UNSUPPORTED and
    AUDIO_CHANNELS_UNSUPPORTED.
    """
    if not data:
        raise empty(field)
    if len(data) > LIMITS.max_audio_bytes:
        raise _too_large(LIMITS.max_audio_bytes, field)
    demuxer = demuxer_for(data)
    if demuxer is None:
        raise _not_decodable("The file is none of the audio formats that are understood.", field)
    if is_cut_short(data, demuxer):
        raise _truncated(field)
    try:
        with av.open(io.BytesIO(data), "r", format=demuxer) as container:
            return _decode_container(
                container, field, sample_rate, max_duration_s, declares_duration(data, demuxer)
            )
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise _not_decodable("The audio file is damaged or incomplete.", field) from error


def _decode_container(
    container: av.container.InputContainer,
    field: str,
    sample_rate: int | None,
    max_duration_s: float,
    duration_is_declared: bool,
) -> AudioClip:
    if not container.streams.audio:
        raise _not_decodable("The file has no sound track.", field)
    stream = container.streams.audio[0]
    declared_s = _declared_duration(container, stream) if duration_is_declared else 0.0
    if declared_s > max_duration_s + _LENGTH_TOLERANCE_S:
        raise too_long(max_duration_s, field)
    collector = _Collector(field, sample_rate, max_duration_s)
    try:
        for frame in _frames(container, stream):
            collector.push(frame)
    except av.FFmpegError:
        if collector.misses(declared_s):
            raise _truncated(field) from None
        raise
    if collector.misses(declared_s):
        raise _truncated(field)
    return collector.finish()


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    for packet in container.demux(stream):
        yield from packet.decode()


def _declared_duration(container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """Seconds that the file claims to last; the smaller claim where it makes two."""
    claims = []
    if stream.duration and stream.time_base:
        claims.append(float(stream.duration * stream.time_base))
    if container.duration and len(container.streams) == 1:
        claims.append(container.duration / av.time_base)
    return min(claims, default=0.0)


class _Collector:
    """Mixes, checks and joins decoded frames, up to the duration limit."""

    def __init__(self, field: str, sample_rate: int | None, max_duration_s: float) -> None:
        self._field = field
        self._target_rate = sample_rate
        self._max_duration_s = max_duration_s
        self._source_rate = 0
        self._count = 0
        self._pieces: list[NDArray[np.float32]] = []
        self._resampler: MonoResampler | None = None

    def push(self, frame: av.AudioFrame) -> None:
        if self._source_rate == 0:
            self._start(frame.sample_rate)
        elif frame.sample_rate != self._source_rate:
            raise _not_decodable("The sample rate changes within the file.", self._field)
        self._count += frame.samples
        if self._count > self._max_duration_s * self._source_rate:
            raise too_long(self._max_duration_s, self._field)
        mono = audio_frame_samples(frame, self._field)
        self._pieces.append(mono if self._resampler is None else self._resampler.push(mono))

    def _start(self, rate: int) -> None:
        check_sample_rate(rate, self._field)
        self._source_rate = rate
        if self._target_rate is not None:
            self._resampler = MonoResampler(rate, self._target_rate)

    def misses(self, declared_s: float) -> bool:
        """Say whether clearly less came out than ``declared_s`` seconds."""
        if self._source_rate == 0:
            return False
        tolerance_s = _LENGTH_TOLERANCE_S + _LENGTH_TOLERANCE_SAMPLES / self._source_rate
        return self._count / self._source_rate < declared_s - tolerance_s

    def finish(self) -> AudioClip:
        if self._count == 0:
            raise empty(self._field)
        if self._resampler is not None:
            self._pieces.append(self._resampler.finish())
        return AudioClip(np.concatenate(self._pieces), self._target_rate or self._source_rate)


def audio_frame_samples(frame: av.AudioFrame, field: str = "audio") -> NDArray[np.float32]:
    """The mono samples (n,) of a decoded frame, -1..1. Raises as `decode_audio`."""
    return to_mono(_channels_last(frame, field), field)


def _channels_last(frame: av.AudioFrame, field: str) -> NDArray[Any]:
    """The frame's samples as (n, channels)."""
    channels = frame.layout.nb_channels
    check_channels(channels, field)
    samples: NDArray[Any] = frame.to_ndarray()
    return samples.T if frame.format.is_planar else samples.reshape(-1, channels)


def resample(clip: AudioClip, sample_rate: int) -> AudioClip:
    """Return ``clip`` at ``sample_rate`` hertz, by soxr's high-quality filter."""
    if clip.sample_rate == sample_rate:
        return clip
    samples = soxr.resample(clip.samples, clip.sample_rate, sample_rate)
    return AudioClip(np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False), sample_rate)


def audio_file_assembler(field: str = "audio") -> BytesAssembler:
    """A collector for an audio file that arrives in pieces; AUDIO_TOO_LARGE beyond the limit."""
    return BytesAssembler(LIMITS.max_audio_bytes, lambda limit: _too_large(limit, field))


def _too_large(limit: int, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"The audio file is larger than the limit of {limit // MIB} MiB.",
        reason="AUDIO_TOO_LARGE",
        field=field,
        limit_bytes=limit,
    )


def _not_decodable(message: str, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason="AUDIO_NOT_DECODABLE", field=field)


def _truncated(field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "The audio file ends before its own header says it does.",
        reason="AUDIO_TRUNCATED",
        field=field,
    )
