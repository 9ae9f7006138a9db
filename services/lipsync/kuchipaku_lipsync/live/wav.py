"""WAV files while they come: raw samples behind a header.

FFmpeg gathers 64 KiB of the samples first, two seconds of speech, to see whether they are
something else in disguise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.live.gathering import Gatherer, not_decodable
from kuchipaku_media.pcm import check_channels, check_sample_rate, to_mono

_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_DTYPES: Final[dict[tuple[int, int], str]] = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "u1",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
# Written where the length was not known yet, or stands elsewhere (RF64).
_UNKNOWN_LENGTHS: Final = frozenset({0, 0x7FFFFFFF, 0xFFFFFFFF})
_CHUNK_HEAD_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class WavLayout:
    """How the samples lie."""

    kind: int
    bits: int
    channels: int
    rate: int
    data_start: int
    data_bytes: int | None
    """None: up to the end of the file."""

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return self.bits // 8 * self.channels


def read_wav_head(head: bytes) -> WavLayout | int | None:
    """The layout; before the samples begin, of how many bytes more can be told; None where they
    are coded, which is FFmpeg's matter. Raises InvalidArgumentError for a broken header.
    """
    fmt: bytes | None = None
    position = 12
    while position + _CHUNK_HEAD_BYTES <= len(head):
        name, size = struct.unpack_from("<4sI", head, position)
        position += _CHUNK_HEAD_BYTES
        if name == b"data":
            if fmt is None:
                raise not_decodable()
            return _layout(fmt, position, None if size in _UNKNOWN_LENGTHS else size)
        if name == b"fmt ":
            fmt = head[position : position + size]
        position += size + size % 2
    return position + _CHUNK_HEAD_BYTES


def _layout(fmt: bytes, start: int, size: int | None) -> WavLayout | None:
    if len(fmt) < 16:
        raise not_decodable()
    kind, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", fmt)
    if kind == _EXTENSIBLE and len(fmt) >= 26:
        (kind,) = struct.unpack_from("<H", fmt, 24)
    if (kind, bits) not in _DTYPES or frame_bytes != bits // 8 * channels:
        return None
    check_sample_rate(rate, "audio")
    check_channels(channels, "audio")
    return WavLayout(kind, bits, channels, rate, start, size)


class WavSource:
    """The samples of a file, each as soon as its last byte is there."""

    def __init__(self, layout: WavLayout) -> None:
        """``layout``: see `read_wav_head`; what is pushed begins behind the header."""
        self._layout = layout
        self._left = layout.data_bytes
        self._rest = b""
        self._gatherer = Gatherer()

    def push(self, data: bytes) -> NDArray[np.float32]:
        if self._left is not None:
            # Behind the samples stand titles and the like.
            data = data[: self._left]
            self._left -= len(data)
        joined = self._rest + data
        whole = len(joined) - len(joined) % self._layout.frame_bytes
        self._rest = joined[whole:]
        if whole:
            interleaved = self._samples(joined[:whole]).reshape(-1, self._layout.channels)
            self._gatherer.add(to_mono(interleaved, "audio"), self._layout.rate)
        return self._gatherer.taken()

    def finish(self) -> NDArray[np.float32]:
        return self._gatherer.finish()

    def close(self) -> None:
        pass

    def _samples(self, data: bytes) -> NDArray[Any]:
        values = np.frombuffer(data, _DTYPES[self._layout.kind, self._layout.bits])
        if self._layout.bits != 24:
            return values
        wide = np.zeros((len(values) // 3, 4), np.uint8)
        wide[:, 1:] = values.reshape(-1, 3)
        return wide.view("<i4")
