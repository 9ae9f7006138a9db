"""Animated WebP: full transparency, no sound."""

from __future__ import annotations

import contextlib

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.encoders.base import Check, VideoOptions
from kuchipaku_compositor.encoders.sink import StreamSink


class WebpEncoder:
    """Animated WebP by libwebp: lossy with straight alpha, lossless at quality 100.

    The container begins with its length, so that nothing can be taken before `finish`.
    """

    def __init__(self, options: VideoOptions) -> None:
        self._painter = options.backdrop.painter(options.width, options.height)
        self._time_base = 1 / options.frame_rate
        self._count = 0
        self._sink = StreamSink()
        self._container = av.open(self._sink, "w", format="webp", options={"loop": "0"})
        lossless = options.quality >= 100
        stream = self._container.add_stream(
            "libwebp_anim",
            rate=options.frame_rate,
            options={
                "lossless": str(int(lossless)),
                "quality": str(options.quality),
                "compression_level": "2",
            },
        )
        assert isinstance(stream, av.VideoStream)  # noqa: S101 - narrows add_stream's union
        stream.width, stream.height = options.width, options.height
        stream.pix_fmt = "bgra"
        self._stream = stream

    def add_frame(self, pixels: NDArray[np.uint8]) -> None:
        """See `VideoEncoder`."""
        painted = np.ascontiguousarray(self._painter.paint(pixels))
        frame = av.VideoFrame.from_ndarray(painted, format="rgba").reformat(format="bgra")
        frame.pts = self._count
        frame.time_base = self._time_base
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def add_samples(self, samples: NDArray[np.float32]) -> None:
        """Sound is left out."""

    def finish(self, check: Check) -> None:
        """See `VideoEncoder`."""
        check()
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def take(self, max_bytes: int) -> bytes:
        """See `VideoEncoder`."""
        return self._sink.take(max_bytes)

    def close(self) -> None:
        """See `VideoEncoder`."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()
        self._sink.clear()
