"""Bytes of a stream to samples at 16 kHz, as they come."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.demuxed import DemuxedSource
from kuchipaku_lipsync.live.gathering import MAX_SECONDS, not_decodable
from kuchipaku_lipsync.live.mp3 import Mp3Source, is_mp3_frame
from kuchipaku_lipsync.live.wav import WavSource, read_wav_head
from kuchipaku_lipsync.speech import SAMPLE_RATE
from kuchipaku_media.pcm import PcmDecoder, empty
from kuchipaku_media.resampling import MonoResampler
from kuchipaku_media.signature import demuxer_for, length_of_id3

# Enough to tell every container by its signature.
_SIGNATURE_BYTES: Final = 64
# Titles and pictures may stand in front of the sound.
_MAX_HEAD_BYTES: Final = 1 << 20


class Source(Protocol):
    """Raises InvalidArgumentError for bad audio, as `decode_audio`."""

    def push(self, data: bytes) -> NDArray[np.float32]:
        """The samples (n,) at 16 kHz that ``data`` completes."""
        ...

    def finish(self) -> NDArray[np.float32]:
        """The last ones."""
        ...

    def close(self) -> None:
        """Free what is held, at any time."""
        ...


def source_for(layout: AudioLayout) -> Source:
    """What reads audio of this layout."""
    return FileSource() if layout.pcm_format is None else PcmSource(layout)


class PcmSource:
    """Raw samples."""

    def __init__(self, layout: AudioLayout) -> None:
        assert layout.pcm_format is not None  # noqa: S101 - see source_for
        self._decoder = PcmDecoder(
            layout.pcm_format,
            layout.sample_rate,
            layout.channels,
            field="audio",
            max_duration_s=MAX_SECONDS,
        )
        self._resampler = MonoResampler(layout.sample_rate, SAMPLE_RATE)

    def push(self, data: bytes) -> NDArray[np.float32]:
        return self._resampler.push(self._decoder.push(data))

    def finish(self) -> NDArray[np.float32]:
        self._decoder.finish()
        return self._resampler.finish()

    def close(self) -> None:
        pass


class FileSource:
    """An audio file that is still arriving, read by what gives its samples soonest."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._look_at = _SIGNATURE_BYTES
        self._reader: Source | None = None

    def push(self, data: bytes) -> NDArray[np.float32]:
        if self._reader is not None:
            return self._reader.push(data)
        self._head += data
        if len(self._head) < self._look_at:
            return np.zeros(0, np.float32)
        head = bytes(self._head)
        opened = _opened(head)
        if isinstance(opened, int):
            self._look_at = opened
            return np.zeros(0, np.float32)
        self._head.clear()
        self._reader, start = opened
        return self._reader.push(head[start:])

    def finish(self) -> NDArray[np.float32]:
        if self._reader is not None:
            return self._reader.finish()
        raise not_decodable() if self._head else empty("audio")

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _opened(head: bytes) -> tuple[Source, int] | int:
    """What reads a file that begins so, and from which byte on; or how many bytes it takes to tell.

    Raises InvalidArgumentError for what is no audio.
    """
    tag = length_of_id3(head)
    if len(head) < tag + _SIGNATURE_BYTES <= _MAX_HEAD_BYTES:
        return tag + _SIGNATURE_BYTES
    demuxer = demuxer_for(head)
    if demuxer is None:
        raise not_decodable()
    if demuxer == "wav":
        layout = read_wav_head(head)
        if isinstance(layout, int):
            if layout > _MAX_HEAD_BYTES:
                raise not_decodable()
            return layout
        if layout is not None:
            return WavSource(layout), layout.data_start
    if demuxer == "mp3" and is_mp3_frame(head[tag:]):
        return Mp3Source(), tag
    return DemuxedSource(demuxer), 0
