"""PNG for frames: writing needs only zlib, reading needs Pillow.

Every row gets the Up filter, which suits flat drawn pictures and is one subtraction for the
whole frame; general-purpose writers choose a filter per row at several times the cost.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from kuchipaku.frames.pictures import open_picture
from kuchipaku.frames.types import Rgba, not_decodable, wrong_size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_RGBA_8_BIT = (8, 6, 0, 0, 0)
_FILTER_UP = 2


def encode_png(pixels: Rgba, level: int = 1) -> bytes:
    """Return ``pixels`` as an 8-bit RGBA PNG; ``level`` is zlib's, 0 to 9."""
    height, width, _ = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(height, width * 4)
    rows = np.empty((height, 1 + width * 4), np.uint8)
    rows[:, 0] = _FILTER_UP
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *_RGBA_8_BIT)),
            _chunk(b"IDAT", zlib.compress(rows.data, level)),
            _END,
        )
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def decode_png(data: bytes, width: int, height: int) -> Rgba:
    """Return the pixels of a PNG of exactly ``width`` x ``height``.

    Raises `FrameCodecError` for anything else and ``ImportError`` without Pillow.
    """
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        raise not_decodable("is not a PNG")
    if data[16:24] != struct.pack(">II", width, height):
        raise wrong_size("The PNG has another size", width, height)
    if not data.endswith(_END):
        raise not_decodable("is a PNG cut off, or followed by something else")
    if tuple(data[24:29]) != _RGBA_8_BIT:
        raise not_decodable("is not a PNG of 8-bit RGBA without interlacing")
    return open_picture(data, "PNG", "RGBA", width, height)
