"""Zstandard frames (RFC 8878) of a size that is known beforehand."""

from __future__ import annotations

import zstandard

from kuchipaku.frames.types import FrameCodecError, not_decodable


def unpack(decompressor: zstandard.ZstdDecompressor, data: bytes, size: int) -> bytes:
    """Return the ``size`` bytes that one Zstandard frame, and nothing else, holds in ``data``.

    The frame must declare its size: a decompressor that grows its output as it goes can be made
    to allocate without bound, and one that trusts the declaration allocates it before it looks.

    Raises:
        FrameCodecError: FRAME_SIZE_WRONG, another size or none is declared; FRAME_NOT_DECODABLE,
            damaged, cut off, followed by other bytes, or in need of a dictionary.
    """
    try:
        header = zstandard.get_frame_parameters(data)
        if header.content_size != size:
            raise FrameCodecError(
                "FRAME_SIZE_WRONG", f"The frame does not declare that it unpacks to {size} bytes."
            )
        unpacked = decompressor.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise not_decodable("is damaged") from error
    if len(unpacked) != size:
        raise not_decodable("is damaged")
    return unpacked
