"""The receiving half of the frame codec."""

from __future__ import annotations

import numpy as np
import zstandard

from kuchipaku.frames.jpegalpha import decode_jpeg_alpha
from kuchipaku.frames.png import decode_png
from kuchipaku.frames.types import CodedFrame, FrameCodecError, FrameEncoding, Rgba, not_decodable
from kuchipaku.frames.webp import decode_webp
from kuchipaku.frames.window import Picture, ReferenceWindow
from kuchipaku.frames.zstdframe import unpack


class FrameDecoder:
    """Decodes the frames of one stream in order.

    Memory is bounded by ``reference_window_bytes`` plus a frame, whatever the stream claims.
    Frames are returned read-only since later frames may refer to them; copy before changing.
    Every method raises `FrameCodecError` for what does not fit the stream, and the stream
    cannot go on after that. Not safe for use by several threads at once.
    """

    def __init__(
        self,
        encoding: FrameEncoding,
        width: int,
        height: int,
        *,
        reference_window_bytes: int = 0,
    ) -> None:
        self._encoding = encoding
        self._width = width
        self._height = height
        self._frame_bytes = width * height * 4
        self._window = ReferenceWindow(reference_window_bytes)
        self._zstd = zstandard.ZstdDecompressor()
        self._epoch: int | None = None
        self._next_id = 0

    def enter_epoch(self, epoch: int) -> None:
        """Tell the epoch of the frames that follow; a change forgets all earlier frames."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._next_id = 0
            self._window.clear()

    def decode(self, frame: CodedFrame) -> Rgba:
        """Return the frame's pixels: uint8 of shape (height, width, 4), read-only."""
        if frame.frame_id != self._next_id:
            raise FrameCodecError(
                "FRAME_OUT_OF_ORDER",
                f"Frame {self._next_id} was expected, frame {frame.frame_id} came.",
            )
        if frame.same_as_frame_id is not None:
            pixels = self._repeat(frame.frame_id, frame.same_as_frame_id)
        else:
            pixels = self._decode_data(frame)
            pixels.flags.writeable = False
            self._window.add(frame.frame_id, Picture(pixels))
        self._next_id += 1
        return pixels

    def _repeat(self, frame_id: int, known_id: int) -> Rgba:
        picture = self._window.take_over(known_id, frame_id)
        if picture is None:
            raise self._unknown(frame_id, known_id)
        return picture.pixels

    def _decode_data(self, frame: CodedFrame) -> Rgba:
        data = frame.data
        if not data:
            raise not_decodable("has no data")
        if frame.base_frame_id is not None and self._encoding is not FrameEncoding.DELTA_ZSTD:
            raise FrameCodecError(
                "FRAME_REFERENCE_UNKNOWN",
                f"Frame {frame.frame_id} names a base, which {self._encoding} frames do not have.",
            )
        match self._encoding:
            case FrameEncoding.RAW:
                return self._shaped(data)
            case FrameEncoding.DELTA_ZSTD:
                delta = self._shaped(unpack(self._zstd, data, self._frame_bytes))
                return self._undo_delta(delta, frame)
            case FrameEncoding.PNG:
                return decode_png(data, self._width, self._height)
            case FrameEncoding.WEBP:
                return decode_webp(data, self._width, self._height)
            case FrameEncoding.JPEG_ALPHA:
                return decode_jpeg_alpha(data, self._width, self._height, self._zstd)

    def _undo_delta(self, delta: Rgba, frame: CodedFrame) -> Rgba:
        if frame.base_frame_id is None:
            return delta
        base = self._window.find(frame.base_frame_id)
        if base is None:
            raise self._unknown(frame.frame_id, frame.base_frame_id)
        return np.add(base.pixels, delta)

    def _shaped(self, data: bytes) -> Rgba:
        if len(data) != self._frame_bytes:
            raise FrameCodecError(
                "FRAME_SIZE_WRONG",
                f"A frame of {self._width}x{self._height} has {self._frame_bytes} bytes of "
                f"pixels, not {len(data)}.",
            )
        return np.frombuffer(data, np.uint8).reshape(self._height, self._width, 4)

    @staticmethod
    def _unknown(frame_id: int, known_id: int) -> FrameCodecError:
        return FrameCodecError(
            "FRAME_REFERENCE_UNKNOWN",
            f"Frame {frame_id} refers to frame {known_id}, which is not in the window.",
        )
