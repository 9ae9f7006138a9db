"""The sending half of the frame codec."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import zstandard

from kuchipaku.frames.delta import difference
from kuchipaku.frames.jpegalpha import encode_jpeg_alpha
from kuchipaku.frames.png import encode_png
from kuchipaku.frames.types import (
    MAX_DEAD_BAND,
    MAX_QUALITY,
    CodedFrame,
    FrameEncoding,
    Rgba,
)
from kuchipaku.frames.webp import encode_webp
from kuchipaku.frames.window import Picture, ReferenceWindow

DEFAULT_KEYFRAME_INTERVAL = 250


class FrameEncoder:
    """Codes the frames of one stream.

    Frames are numbered from 0 within an epoch. A frame whose picture the receiver still has
    becomes a reference: either because ``key`` names its content, which spares the comparison,
    or because its pixels equal the previous frame's. Otherwise its pixels are coded; for
    DELTA_ZSTD as the bytewise difference modulo 256 to the previous frame, under Zstandard, with
    a keyframe at the start of each epoch and after every ``keyframe_interval`` frames.

    With a ``dead_band`` a delta stream shows each channel within that many levels of what was
    given: see `kuchipaku.frames.delta`. A frame that the previous one shows well enough becomes
    a reference to it. Keyframes are exact.

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
        dead_band: int = 0,
        quality: int = 0,
    ) -> None:
        """Make the encoder of a stream that has not begun.

        Args:
            encoding: how pixels are coded.
            width: of every frame, in pixels.
            height: likewise.
            keyframe_interval: for DELTA_ZSTD, most frames between two keyframes.
            reference_window_bytes: decoded frames that the receiver keeps.
            level: of Zstandard, or of zlib for PNG.
            dead_band: for DELTA_ZSTD, 0 to 16; 0 is lossless.
            quality: 1 to 100 for WEBP, where 0 is lossless, and JPEG_ALPHA, where 0 means 85.

        Raises:
            ValueError: a value out of range.
        """
        if keyframe_interval < 1:
            raise ValueError("keyframe_interval must be at least 1")
        if not 0 <= dead_band <= MAX_DEAD_BAND:
            raise ValueError(f"dead_band must lie between 0 and {MAX_DEAD_BAND}")
        if not 0 <= quality <= MAX_QUALITY:
            raise ValueError(f"quality must lie between 0 and {MAX_QUALITY}")
        self._encoding = encoding
        self._shape = (height, width, 4)
        self._keyframe_interval = keyframe_interval
        self._window = ReferenceWindow(reference_window_bytes)
        self._level = level
        self._dead_band = dead_band
        self._quality = quality
        self._zstd = zstandard.ZstdCompressor(level=level)
        self._epoch = 0
        self._next_id = 0
        self._last_keyframe = 0

    @property
    def encoding(self) -> FrameEncoding:
        """How pixels are coded."""
        return self._encoding

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
        if self._encoding is FrameEncoding.DELTA_ZSTD:
            return self._code_delta(pixels, previous, key)
        if previous is not None and np.array_equal(previous.pixels, pixels):
            return self._refer(self._next_id - 1)
        kept = pixels.copy() if pixels.flags.writeable else pixels
        return CodedFrame(self._keep(kept, key), self._code_alone(kept))

    def _refer(self, known_id: int) -> CodedFrame:
        frame_id = self._next_id
        self._next_id += 1
        self._window.take_over(known_id, frame_id)
        return CodedFrame(frame_id, same_as_frame_id=known_id)

    def _keep(self, shown: Rgba, key: Hashable | None) -> int:
        frame_id = self._next_id
        self._next_id += 1
        self._window.add(frame_id, Picture(shown, key))
        return frame_id

    def _code_delta(
        self, pixels: Rgba, previous: Picture | None, key: Hashable | None
    ) -> CodedFrame:
        shown = pixels.copy() if pixels.flags.writeable else pixels
        if previous is not None:
            delta = difference(pixels, previous.pixels, self._dead_band)
            if not delta.any():
                return self._refer(self._next_id - 1)
            if self._next_id - self._last_keyframe <= self._keyframe_interval:
                # Later frames build on what the receiver shows, not on what was rendered.
                if self._dead_band:
                    shown = np.add(previous.pixels, delta)
                frame_id = self._keep(shown, key)
                return CodedFrame(frame_id, self._zstd.compress(delta.data), frame_id - 1)
        self._last_keyframe = self._keep(shown, key)
        packed = self._zstd.compress(np.ascontiguousarray(shown).data)
        return CodedFrame(self._last_keyframe, packed)

    def _code_alone(self, pixels: Rgba) -> bytes:
        match self._encoding:
            case FrameEncoding.PNG:
                return encode_png(pixels, self._level)
            case FrameEncoding.WEBP:
                return encode_webp(pixels, self._quality)
            case FrameEncoding.JPEG_ALPHA:
                return encode_jpeg_alpha(pixels, self._zstd, self._quality)
            case _:
                return pixels.tobytes()
