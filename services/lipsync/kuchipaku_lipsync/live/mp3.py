"""MP3 while it comes: each frame as soon as it is there.

FFmpeg's demuxer reads pieces of 1 KiB, a third of a second at 24 kbit/s, and looks at several
before it begins.
"""

from __future__ import annotations

from typing import Any, Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from kuchipaku_lipsync.live.gathering import Gatherer, not_decodable

# What every decoder adds in front, besides what the encoder says it did.
_DECODER_DELAY: Final = 529
# Titles at the end look like damaged frames; more of them than that are damage.
_MAX_BAD_FRAMES: Final = 32


def is_mp3_frame(head: bytes) -> bool:
    """Whether a frame of layer III begins here that tells its own length."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    return bit_rate not in (0, 15) and rate != 3


class Mp3Source:
    """The frames of a file without the tag in front of it."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("mp3float", "r")
        assert isinstance(codec, AudioCodecContext)  # noqa: S101 - by its name
        self._codec = codec
        self._gatherer = Gatherer()
        self._first = True
        self._skip = 0
        self._bad = 0
        self._heard = False

    def push(self, data: bytes) -> NDArray[np.float32]:
        if data:
            self._decode(self._codec.parse(data))
        return self._gatherer.taken()

    def finish(self) -> NDArray[np.float32]:
        self._decode(self._codec.parse(b""))
        if not self._heard:
            raise not_decodable()
        return self._gatherer.finish()

    def close(self) -> None:
        pass

    def _decode(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            if self._first:
                self._first = False
                delay = _encoder_delay(bytes(packet))
                if delay is not None:
                    # A frame that describes the file and holds no sound.
                    self._skip = delay
                    continue
            self._take(packet)

    def _take(self, packet: av.Packet[Any]) -> None:
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError as error:
            self._bad += 1
            if self._bad > _MAX_BAD_FRAMES:
                raise not_decodable() from error
            return
        for frame in frames:
            if isinstance(frame, av.AudioFrame):
                self._bad, self._heard = 0, True
                skip = min(self._skip, frame.samples)
                self._skip -= skip
                self._gatherer.take(frame, skip)


def _encoder_delay(packet: bytes) -> int | None:
    """Samples to leave out in front, where the first frame only describes the file; else None."""
    if packet[36:40] == b"VBRI":
        return 0
    # Behind the header of 4 bytes and 9 to 32 of side information.
    start = max(packet.find(b"Xing", 12, 40), packet.find(b"Info", 12, 40))
    if start < 0:
        return None
    flags = packet[start + 7] if len(packet) > start + 7 else 0
    # Frames, bytes, a table of contents and the quality, as far as they are there.
    sizes = ((1, 4), (2, 4), (4, 100), (8, 4))
    encoder = start + 8 + sum(size for bit, size in sizes if flags & bit)
    if packet[encoder : encoder + 4] not in (b"LAME", b"Lavf", b"Lavc"):
        return 0
    delay = int.from_bytes(packet[encoder + 21 : encoder + 24], "big") >> 12
    return delay + _DECODER_DELAY
