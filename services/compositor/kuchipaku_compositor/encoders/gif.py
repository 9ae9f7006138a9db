"""GIF: one palette for the whole animation, 1-bit transparency, no sound."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku.frames import CodedFrame, FrameDecoder, FrameEncoder, FrameEncoding
from kuchipaku_compositor.encoders.base import VideoOptions
from kuchipaku_compositor.encoders.palette import Histogram, Palette
from kuchipaku_compositor.encoders.sink import StreamSink

# GIF counts time in hundredths of a second.
_TIME_BASE = Fraction(1, 100)


class GifEncoder:
    """Animated GIF in two passes.

    The palette can only be chosen when all colours are known, so the frames are kept, losslessly
    compressed, until `finish`. Pixels of alpha below one half become transparent.
    """

    def __init__(self, options: VideoOptions) -> None:
        size = options.width, options.height
        self._painter = options.backdrop.painter(*size)
        self._frame_rate = options.frame_rate
        self._size = size
        self._histogram = Histogram()
        self._store = FrameEncoder(FrameEncoding.DELTA_ZSTD, *size)
        self._coded: list[CodedFrame] = []
        self._sink = StreamSink()

    def add_frame(self, pixels: NDArray[np.uint8]) -> None:
        """See `VideoEncoder`."""
        painted = self._painter.paint(pixels)
        coded = self._store.encode(painted)
        self._coded.append(coded)
        if coded.same_as_frame_id is None:
            self._histogram.add(painted)

    def add_samples(self, samples: NDArray[np.float32]) -> None:
        """Sound is left out."""

    def finish(self) -> None:
        """See `VideoEncoder`."""
        palette = self._histogram.palette()
        decoder = FrameDecoder(FrameEncoding.DELTA_ZSTD, *self._size)
        options = {"loop": "0", "final_delay": str(round(1 / self._frame_rate / _TIME_BASE))}
        with av.open(self._sink, "w", format="gif", options=options) as container:
            stream = container.add_stream("gif", rate=100)
            assert isinstance(stream, av.VideoStream)  # noqa: S101 - narrows add_stream's union
            stream.width, stream.height = self._size
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = _TIME_BASE
            for index, coded in enumerate(self._coded):
                pixels = decoder.decode(coded)
                if coded.same_as_frame_id is None or index == len(self._coded) - 1:
                    container.mux(stream.encode(self._indexed(pixels, palette, index)))
            container.mux(stream.encode(None))
        self._coded.clear()

    def _indexed(self, pixels: NDArray[np.uint8], palette: Palette, index: int) -> av.VideoFrame:
        indices = palette.indices(pixels)
        frame = av.VideoFrame.from_ndarray((indices, palette.argb), format="pal8")  # type: ignore[arg-type]
        frame.time_base = _TIME_BASE
        frame.pts = round(index / self._frame_rate / _TIME_BASE)
        return frame

    def take(self, max_bytes: int) -> bytes:
        """See `VideoEncoder`."""
        return self._sink.take(max_bytes)

    def close(self) -> None:
        """See `VideoEncoder`."""
        self._coded.clear()
        self._sink.clear()
