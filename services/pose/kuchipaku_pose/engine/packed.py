"""Finished frames as they are remembered."""

from __future__ import annotations

from dataclasses import dataclass

from kuchipaku.frames import CodedFrame, FrameDecoder, FrameEncoder, FrameEncoding
from kuchipaku_pose.conventions import Picture


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """A picture under Zstandard."""

    width: int
    height: int
    coded: CodedFrame

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.coded.size_bytes

    def unpack(self) -> Picture:
        """Return the picture, uint8 (height, width, 4), read-only."""
        decoder = FrameDecoder(FrameEncoding.DELTA_ZSTD, self.width, self.height)
        return decoder.decode(self.coded)


def pack(picture: Picture) -> PackedPicture:
    """Pack a picture, uint8 (height, width, 4).

    A drawn character of 512x512 pixels takes 0.9 ms, 0.5 ms to unpack, and a ninth of the memory.
    """
    height, width = picture.shape[:2]
    encoder = FrameEncoder(FrameEncoding.DELTA_ZSTD, width, height)
    return PackedPicture(width, height, encoder.encode(picture))
