"""GIF: one palette for the whole animation, 1-bit transparency, no sound."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku.frames import CodedFrame, FrameDecoder, FrameEncoder, FrameEncoding
from kuchipaku_compositor.encoders.base import Check, VideoOptions
from kuchipaku_compositor.encoders.palette import Histogram, Palette
from kuchipaku_compositor.encoders.sink import StreamSink

# GIF counts time in hundredths of a second.
_TIME_BASE = Fraction(1, 100)
# Browsers show shorter delays as 100 ms.
_MIN_DELAY = 2


class GifEncoder:
    """Animated GIF in two passes.

    The palette can only be chosen when all colours are known, so the frames are kept, losslessly
    compressed, until `finish`. Pixels of alpha below one half become transparent. Above 50 frames
    a second some are left out, as browsers slow down what is faster; the last one never is.
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

    def finish(self, check: Check) -> None:
        """See `VideoEncoder`."""
        palette = self._histogram.palette()
        decoder = FrameDecoder(FrameEncoding.DELTA_ZSTD, *self._size)
        pictures = itertools.accumulate(coded.same_as_frame_id is None for coded in self._coded)
        shown, final_delay = timeline(pictures, self._frame_rate)
        options = {"loop": "0", "final_delay": str(final_delay)}
        with av.open(self._sink, "w", format="gif", options=options) as container:
            stream = container.add_stream("gif", rate=100)
            assert isinstance(stream, av.VideoStream)  # noqa: S101 - narrows add_stream's union
            stream.width, stream.height = self._size
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = _TIME_BASE
            for index, coded in enumerate(self._coded):
                check()
                pixels = decoder.decode(coded)
                if index in shown:
                    container.mux(stream.encode(_indexed(pixels, palette, shown[index])))
            container.mux(stream.encode(None))
        self._coded.clear()

    def take(self, max_bytes: int) -> bytes:
        """See `VideoEncoder`."""
        return self._sink.take(max_bytes)

    def close(self) -> None:
        """See `VideoEncoder`."""
        self._coded.clear()
        self._sink.clear()


def timeline(pictures: Iterable[int], frame_rate: Fraction) -> tuple[dict[int, int], int]:
    """Which frames are shown when, in hundredths of a second, and how long the last one stays.

    ``pictures`` numbers what each frame shows; a number that stays is a picture that is held. No
    delay is shorter than two hundredths: a picture that would come too soon waits, if it is held,
    and is left out, if not. The last picture is always shown.
    """
    numbers = list(pictures)
    shown: dict[int, int] = {}
    picture, since = None, -_MIN_DELAY
    for index, number in enumerate(numbers):
        due = round(index / frame_rate / _TIME_BASE)
        is_last = index == len(numbers) - 1
        if number != picture and (due >= since + _MIN_DELAY or is_last):
            picture, since = number, max(due, since + _MIN_DELAY)
            shown[index] = since
    end = round(len(numbers) / frame_rate / _TIME_BASE)
    return shown, max(_MIN_DELAY, end - since)


def _indexed(pixels: NDArray[np.uint8], palette: Palette, due: int) -> av.VideoFrame:
    indices = palette.indices(pixels)
    frame = av.VideoFrame.from_ndarray((indices, palette.argb), format="pal8")  # type: ignore[arg-type]
    frame.time_base = _TIME_BASE
    frame.pts = due
    return frame
