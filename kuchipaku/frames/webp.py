"""WebP for frames (RFC 9649), lossless or lossy. Needs Pillow."""

from __future__ import annotations

import io
import struct

from kuchipaku.frames.pictures import open_picture
from kuchipaku.frames.types import Rgba, not_decodable, wrong_size

_HEADER_BYTES = 30
_ANIMATED = 0x02
_SIDE_BITS = 0x3FFF


def encode_webp(pixels: Rgba, quality: int = 0) -> bytes:
    """Return ``pixels`` as a WebP file.

    Args:
        pixels: uint8 (height, width, 4).
        quality: 0 is lossless, colours of transparent pixels included; 1 to 100 is lossy in
            colour, while alpha stays lossless.
    """
    from PIL import Image  # noqa: PLC0415 - see `kuchipaku.frames.pictures`

    file = io.BytesIO()
    # Method 0: the slower ones save 6 to 20 % of the bytes for two to fifteen times the time.
    if quality == 0:
        Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True, method=0, quality=0)
    else:
        Image.fromarray(pixels).save(file, "WEBP", quality=quality, alpha_quality=100, method=0)
    return file.getvalue()


def decode_webp(data: bytes, width: int, height: int) -> Rgba:
    """Return the pixels of a still WebP file of exactly ``width`` x ``height``.

    Raises `FrameCodecError` for anything else and ``ImportError`` without Pillow.
    """
    if len(data) < _HEADER_BYTES or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise not_decodable("is not a WebP file")
    if struct.unpack_from("<I", data, 4)[0] != len(data) - 8:
        raise not_decodable("is a WebP file cut off, or followed by something else")
    if _declared_size(data) != (width, height):
        raise wrong_size("The WebP file has another size", width, height)
    return open_picture(data, "WEBP", "RGBA", width, height)


def _declared_size(data: bytes) -> tuple[int, int]:
    """Width and height by the first chunk, which decoders allocate before they read on."""
    kind, body = data[12:16], data[20:_HEADER_BYTES]
    if kind == b"VP8X":
        if body[0] & _ANIMATED:
            raise not_decodable("is an animated WebP file")
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & _SIDE_BITS) + 1, (bits >> 14 & _SIDE_BITS) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & _SIDE_BITS, height & _SIDE_BITS
    raise not_decodable("is a WebP file of an unknown kind")
