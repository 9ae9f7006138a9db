"""PNG for frames: writing needs only zlib, reading needs Pillow.

Every row gets the Up filter, which suits flat drawn pictures and is one subtraction for the
whole frame; general-purpose writers choose a filter per row at several times the cost.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

from kuchipaku.frames.types import FrameCodecError, Rgba

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
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
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def decode_png(data: bytes, width: int, height: int) -> Rgba:
    """Return the pixels of a PNG of exactly ``width`` x ``height``.

    Raises `FrameCodecError` for anything else and ``ImportError`` without Pillow.
    """
    from PIL import Image  # noqa: PLC0415 - a client without PNG frames needs no Pillow

    expected = struct.pack(">II", width, height)
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        raise FrameCodecError("FRAME_NOT_DECODABLE", "The frame is not a PNG.")
    if data[16:24] != expected:
        raise FrameCodecError("FRAME_SIZE_WRONG", f"The PNG frame is not {width}x{height}.")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            pixels = np.array(image.convert("RGBA"), np.uint8)
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise FrameCodecError("FRAME_NOT_DECODABLE", "The PNG frame is damaged.") from error
    if pixels.shape != (height, width, 4):
        raise FrameCodecError("FRAME_SIZE_WRONG", f"The PNG frame is not {width}x{height}.")
    return pixels
