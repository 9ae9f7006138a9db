"""What the frame codec's two halves share: coded frames, geometry, errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
"""uint8 of shape (height, width, 4): straight alpha, sRGB, rows from the top."""

MAX_DEAD_BAND = 16
"""Largest error per channel, in levels of 255, that a delta stream may be allowed."""
MAX_QUALITY = 100
DEFAULT_JPEG_QUALITY = 85


class FrameEncoding(StrEnum):
    """How one frame's pixels are coded; names are those of ``kuchipaku.type.v1.FrameEncoding``."""

    RAW = "RAW"
    DELTA_ZSTD = "DELTA_ZSTD"
    PNG = "PNG"
    WEBP = "WEBP"
    JPEG_ALPHA = "JPEG_ALPHA"


class FrameCodecError(ValueError):
    """A frame does not fit its stream. ``reason`` is one of the constants below in capitals.

    FRAME_OUT_OF_ORDER, FRAME_REFERENCE_UNKNOWN, FRAME_NOT_DECODABLE, FRAME_SIZE_WRONG.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def not_decodable(what: str) -> FrameCodecError:
    """The error for data that is not what the encoding says."""
    return FrameCodecError("FRAME_NOT_DECODABLE", f"The frame {what}.")


def wrong_size(what: str, width: int, height: int) -> FrameCodecError:
    """The error for data that holds another amount of pixels than the stream's frames."""
    return FrameCodecError("FRAME_SIZE_WRONG", f"{what}; the frame has {width}x{height} pixels.")


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """One frame as it travels: either ``data`` or ``same_as_frame_id`` is set.

    ``base_frame_id`` names the frame that a delta starts from and is None in keyframes.
    """

    frame_id: int
    data: bytes | None = None
    base_frame_id: int | None = None
    same_as_frame_id: int | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of coded pixels; 0 for a reference."""
        return 0 if self.data is None else len(self.data)
