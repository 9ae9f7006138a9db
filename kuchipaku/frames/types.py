"""What the frame codec's two halves share: coded frames, geometry, errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
"""uint8 of shape (height, width, 4): straight alpha, sRGB, rows from the top."""


class FrameEncoding(StrEnum):
    """How one frame's pixels are coded; names are those of ``kuchipaku.type.v1.FrameEncoding``."""

    RAW = "RAW"
    DELTA_ZSTD = "DELTA_ZSTD"
    PNG = "PNG"


class FrameCodecError(ValueError):
    """A frame does not fit its stream. ``reason`` is one of the constants below in capitals.

    FRAME_OUT_OF_ORDER, FRAME_REFERENCE_UNKNOWN, FRAME_NOT_DECODABLE, FRAME_SIZE_WRONG.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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
