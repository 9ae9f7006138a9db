"""The frame codec: RGBA frames to the bytes of ``kuchipaku.type.v1.Frame`` and back.

`FrameEncoder` and `FrameDecoder` hold the state of one stream; `kuchipaku.frames.messages`
turns their frames into protobuf messages. NumPy and zstandard only; decoding PNG frames needs
Pillow.
"""

from __future__ import annotations

from kuchipaku.frames.decoder import FrameDecoder
from kuchipaku.frames.encoder import DEFAULT_KEYFRAME_INTERVAL, FrameEncoder
from kuchipaku.frames.types import CodedFrame, FrameCodecError, FrameEncoding, Rgba

__all__ = [
    "DEFAULT_KEYFRAME_INTERVAL",
    "CodedFrame",
    "FrameCodecError",
    "FrameDecoder",
    "FrameEncoder",
    "FrameEncoding",
    "Rgba",
]
