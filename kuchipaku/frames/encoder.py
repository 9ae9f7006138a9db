"""The sending half of the frame codec."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import zstandard

from kuchipaku.frames.png import encode_png
from kuchipaku.frames.types import CodedFrame, FrameEncoding, Rgba
from kuchipaku.frames.window import Picture, ReferenceWindow

DEFAULT_KEYFRAME_INTERVAL = 250


class FrameEncoder:
    """Codes the frames of one stream.

    Frames are numbered from 0 within an epoch. A frame whose picture the receiver still has
    becomes a reference: either because ``key`` names its content, which spares the comparison,
    or because its pixels equal the previous frame's. Otherwise its pixels are coded; for
    DELTA_ZSTD as the bytewise difference modulo 256 to the previous frame, under Zstandard, with
    a keyframe at the start of each epoch and after every ``keyframe_interval`` frames.

    The encoder keeps the arrays it is given, without a copy where they are read-only
    (``array.flags.writeable = False``): such an array must not change any more. It holds at
    most ``reference_window_bytes`` of them, and always one. Not safe for use by several threads
    at once.

    Usage::

        encoder = FrameEncoder(FrameEncoding.DELTA_ZSTD, 512, 512)
        coded = encoder.encode(pixels, pose_key)
    """

    def __init__(
        self,
        encoding: FrameEncoding,
        width: int,
        height: int,
        *,
        keyframe_interval: int = DEFAULT_KEYFRAME_INTERVAL,
        reference_window_bytes: int = 0,
        level: int = 1,
    ) -> None:
        if keyframe_interval < 1:
            raise ValueError("keyframe_interval must be at least 1")
        self._encoding = encoding
        self._shape = (height, width, 4)
        self._keyframe_interval = keyframe_interval
        self._window = ReferenceWindow(reference_window_bytes)
        self._level = level
        self._zstd = zstandard.ZstdCompressor(level=level)
        self._epoch = 0
        self._next_id = 0
        self._last_keyframe = 0

    @property
    def epoch(self) -> int:
        """Number of the current epoch, from 0."""
        return self._epoch

    def start_epoch(self, epoch: int | None = None) -> None:
        """Begin a new epoch: ids start at 0 and nothing refers to what was sent before.

        ``epoch`` is its number, by default one more than the last.
        """
        self._epoch = self._epoch + 1 if epoch is None else epoch
        self._next_id = 0
        self._last_keyframe = 0
        self._window.clear()

    def encode(self, pixels: Rgba, key: Hashable | None = None) -> CodedFrame:
        """Code the next frame: uint8 of shape (height, width, 4).

        Frames with equal keys must have equal pixels. Raises ``ValueError`` for another dtype
        or shape than the stream's.
        """
        if pixels.dtype != np.uint8 or pixels.shape != self._shape:
            raise ValueError(f"expected uint8 {self._shape}, got {pixels.dtype} {pixels.shape}")
        if key is not None and (known := self._window.find_key(key)) is not None:
            return self._refer(known)
        previous = self._window.find(self._next_id - 1)
        if previous is not None and np.array_equal(previous.pixels, pixels):
            return self._refer(self._next_id - 1)
        return self._code(pixels, previous, key)

    def _refer(self, known_id: int) -> CodedFrame:
        frame_id = self._next_id
        self._next_id += 1
        self._window.take_over(known_id, frame_id)
        return CodedFrame(frame_id, same_as_frame_id=known_id)

    def _code(self, pixels: Rgba, previous: Picture | None, key: Hashable | None) -> CodedFrame:
        frame_id = self._next_id
        self._next_id += 1
        kept = pixels.copy() if pixels.flags.writeable else pixels
        self._window.add(frame_id, Picture(kept, key))
        if self._encoding is FrameEncoding.PNG:
            return CodedFrame(frame_id, encode_png(kept, self._level))
        if self._encoding is FrameEncoding.RAW:
            return CodedFrame(frame_id, kept.tobytes())
        if previous is None or frame_id - self._last_keyframe > self._keyframe_interval:
            self._last_keyframe = frame_id
            return CodedFrame(frame_id, self._zstd.compress(np.ascontiguousarray(kept).data))
        delta = np.subtract(kept, previous.pixels, order="C")
        return CodedFrame(frame_id, self._zstd.compress(delta.data), base_frame_id=frame_id - 1)
