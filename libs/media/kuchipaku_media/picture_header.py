"""Width and height of a picture from its first bytes, before any decoder allocates for it.

PNG (ISO/IEC 15948), WebP (RFC 9649) and JPEG (ITU-T T.81).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

_PNG = b"\x89PNG\r\n\x1a\n"
# Frame headers of every JPEG process; C4, C8 and CC are tables in the same range of codes.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Segments and fill bytes before the size. Cameras write some dozens; a file of nothing else would
# take seconds.
_MAX_JPEG_STEPS = 10_000
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


class PictureFormat(StrEnum):
    """Formats that are accepted, by Pillow's names."""

    PNG = "PNG"
    WEBP = "WEBP"
    JPEG = "JPEG"


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Format and size in pixels as the file declares them."""

    format: PictureFormat
    width: int
    height: int


def read_header(data: bytes) -> PictureHeader | None:
    """Return the header of a PNG, WebP or JPEG file, or None where ``data`` is none of them.

    Width and height are 0 where the signature is right but the size is missing.
    """
    if data.startswith(_PNG):
        return PictureHeader(PictureFormat.PNG, *_png_size(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return PictureHeader(PictureFormat.WEBP, *_webp_size(data))
    if data.startswith(b"\xff\xd8\xff"):
        return PictureHeader(PictureFormat.JPEG, *_jpeg_size(data))
    return None


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or data[12:16] != b"IHDR":
        return 0, 0
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return (
            int.from_bytes(data[24:27], "little") + 1,
            int.from_bytes(data[27:30], "little") + 1,
        )
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    for _ in range(_MAX_JPEG_STEPS):
        if position + 9 > len(data) or data[position] != 0xFF:
            return 0, 0
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_STANDALONE:
            position += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            position += 2 + length
    return 0, 0
