"""JPEG_ALPHA frames: colours as a JPEG, alpha lossless under Zstandard.

Layout, all integers little-endian:

====== ====== =======================================================================
offset bytes  meaning
====== ====== =======================================================================
0      1      alpha: 0 everything is opaque and nothing follows the JPEG; 1 a plane
1      3      0
4      4      n, length of the JPEG in bytes
8      n      baseline JPEG, 8 bits, 3 components (YCbCr)
8 + n  rest   a Zstandard frame of height*width bytes: alpha, row by row
====== ====== =======================================================================
"""

from __future__ import annotations

import struct

import numpy as np
import zstandard

from kuchipaku.frames.pictures import open_picture
from kuchipaku.frames.types import DEFAULT_JPEG_QUALITY, Rgba, not_decodable, wrong_size
from kuchipaku.frames.zstdframe import unpack

_HEADER = struct.Struct("<B3sI")
_OPAQUE, _PLANE = 0, 1
_NO_FLAGS = bytes(3)

_START_OF_IMAGE = b"\xff\xd8"
_BASELINE = 0xC0
_SCAN = 0xDA
_SEGMENTS = range(0xC0, 0xFF)
_LONE = range(0xD0, 0xDA)


def encode_jpeg_alpha(
    pixels: Rgba, compressor: zstandard.ZstdCompressor, quality: int = 0
) -> bytes:
    """Return ``pixels`` (height, width, 4) as a JPEG_ALPHA frame.

    Colour is not subsampled: drawn lines are thin and of strong colour. Needs simplejpeg, which
    leaves other threads running while it works.

    Args:
        pixels: uint8, straight alpha.
        compressor: packs the alpha plane; it must write content sizes, as it does by default.
        quality: 1 to 100; 0 means 85.
    """
    import simplejpeg  # noqa: PLC0415 - only senders need it

    jpeg: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels),
        quality=quality or DEFAULT_JPEG_QUALITY,
        colorspace="RGBA",
        colorsubsampling="444",
        fastdct=False,
    )
    alpha = np.ascontiguousarray(pixels[..., 3])
    if (alpha == 255).all():
        return _HEADER.pack(_OPAQUE, _NO_FLAGS, len(jpeg)) + jpeg
    plane = compressor.compress(alpha.data)
    return _HEADER.pack(_PLANE, _NO_FLAGS, len(jpeg)) + jpeg + plane


def decode_jpeg_alpha(
    data: bytes, width: int, height: int, decompressor: zstandard.ZstdDecompressor
) -> Rgba:
    """Return the pixels of a frame of exactly ``width`` x ``height``.

    Colours of pixels whose alpha is 0 mean nothing.

    Raises `FrameCodecError` for anything else and ``ImportError`` without Pillow.
    """
    if len(data) < _HEADER.size:
        raise not_decodable("is shorter than its header")
    kind, flags, length = _HEADER.unpack_from(data)
    jpeg, plane = data[_HEADER.size : _HEADER.size + length], data[_HEADER.size + length :]
    if kind not in (_OPAQUE, _PLANE) or flags != _NO_FLAGS:
        raise not_decodable("has an unknown kind of alpha")
    if len(jpeg) != length or (kind == _OPAQUE and plane):
        raise not_decodable("has another length than its parts")
    if _declared_size(jpeg) != (width, height):
        raise wrong_size("The JPEG has another size", width, height)
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., 3] = 255
    if kind == _PLANE:
        alpha = np.frombuffer(unpack(decompressor, plane, width * height), np.uint8)
        pixels[..., 3] = alpha.reshape(height, width)
    pixels[..., :3] = open_picture(jpeg, "JPEG", "RGB", width, height)
    return pixels


def _declared_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height by the frame header of a baseline JPEG of three components."""
    if not jpeg.startswith(_START_OF_IMAGE):
        raise not_decodable("holds no JPEG")
    at = 2
    while at + 4 <= len(jpeg):
        mark, kind, length = struct.unpack_from(">BBH", jpeg, at)
        if mark != 0xFF or kind not in _SEGMENTS or kind in _LONE or kind == _SCAN or length < 2:
            break
        if kind == _BASELINE:
            if len(jpeg) < at + 10:
                break
            depth, height, width, components = struct.unpack_from(">BHHB", jpeg, at + 4)
            if (depth, components) != (8, 3):
                break
            return width, height
        at += 2 + length
    raise not_decodable("holds no baseline JPEG of three components")
