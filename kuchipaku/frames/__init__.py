"""The frame codec: RGBA frames to the bytes of ``kuchipaku.type.v1.Frame`` and back.

`FrameEncoder` and `FrameDecoder` hold the state of one stream; `kuchipaku.frames.messages`
turns their frames into protobuf messages. The format is specified in docs/frame-codec.md. NumPy
and zstandard do for RAW and DELTA_ZSTD; decoding PNG, WEBP and JPEG_ALPHA needs Pillow (the extra
``png``), coding WEBP Pillow and coding JPEG_ALPHA simplejpeg.
"""

from __future__ import annotations

from kuchipaku.frames.decoder import FrameDecoder
from kuchipaku.frames.encoder import DEFAULT_KEYFRAME_INTERVAL, FrameEncoder
from kuchipaku.frames.types import (
    DEFAULT_JPEG_QUALITY,
    MAX_DEAD_BAND,
    MAX_QUALITY,
    CodedFrame,
    FrameCodecError,
    FrameEncoding,
    Rgba,
)

__all__ = [
    "DEFAULT_JPEG_QUALITY",
    "DEFAULT_KEYFRAME_INTERVAL",
    "MAX_DEAD_BAND",
    "MAX_QUALITY",
    "CodedFrame",
    "FrameCodecError",
    "FrameDecoder",
    "FrameEncoder",
    "FrameEncoding",
    "Rgba",
]
