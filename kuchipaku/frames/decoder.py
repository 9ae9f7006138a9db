"""The receiving half of the frame codec."""

from __future__ import annotations

import numpy as np
import zstandard

from kuchipaku.frames.png import decode_png
from kuchipaku.frames.types import CodedFrame, FrameCodecError, FrameEncoding, Rgba
from kuchipaku.frames.window import Picture, ReferenceWindow


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
        if not frame.data:
            raise FrameCodecError("FRAME_NOT_DECODABLE", f"Frame {frame.frame_id} has no data.")
        if frame.base_frame_id is not None and self._encoding is not FrameEncoding.DELTA_ZSTD:
            raise FrameCodecError(
                "FRAME_REFERENCE_UNKNOWN",
                f"Frame {frame.frame_id} names a base, which {self._encoding} frames do not have.",
            )
        if self._encoding is FrameEncoding.PNG:
            return decode_png(frame.data, self._width, self._height)
        if self._encoding is FrameEncoding.RAW:
            return self._shaped(frame.data)
        return self._undo_delta(self._shaped(self._decompress(frame.data)), frame)

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

    def _decompress(self, data: bytes) -> bytes:
        try:
            # The library trusts a declared content size and allocates it, so it is checked first.
            declared = zstandard.get_frame_parameters(data).content_size
            if declared not in (self._frame_bytes, zstandard.CONTENTSIZE_UNKNOWN):
                raise FrameCodecError(
                    "FRAME_SIZE_WRONG",
                    f"The frame unpacks to {declared} bytes, not {self._frame_bytes}.",
                )
            return self._zstd.decompress(data, max_output_size=self._frame_bytes)
        except zstandard.ZstdError as error:
            raise FrameCodecError("FRAME_NOT_DECODABLE", "The frame is damaged.") from error

    @staticmethod
    def _unknown(frame_id: int, known_id: int) -> FrameCodecError:
        return FrameCodecError(
            "FRAME_REFERENCE_UNKNOWN",
            f"Frame {frame_id} refers to frame {known_id}, which is not in the window.",
        )
