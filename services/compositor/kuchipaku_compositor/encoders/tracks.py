"""Video and audio tracks of a PyAV container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.encoders.base import SAMPLE_RATE, VideoOptions

# ITU-T H.273 code points; the frames are sRGB, which shares BT.709's primaries.
_BT709 = 1
_SRGB_TRANSFER = 13
_LIMITED_RANGE = 1

Prepare = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """An FFmpeg encoder with its pixel format and options."""

    name: str
    pixel_format: str
    gop_s: float = 2.0
    options: dict[str, str] = field(default_factory=dict)


class VideoTrack:
    """Encodes frames at a constant rate.

    ``prepare`` maps a frame to the RGBA pixels that the codec gets; its result's size is the
    track's, ``width`` x ``height``.
    """

    def __init__(
        self,
        container: av.container.OutputContainer,
        codec: VideoCodec,
        options: VideoOptions,
        size: tuple[int, int],
        prepare: Prepare,
    ) -> None:
        self._container = container
        self._time_base = 1 / options.frame_rate
        self._pixel_format = codec.pixel_format
        self._prepare = prepare
        self._count = 0
        self._source: NDArray[np.uint8] | None = None
        self._frame: av.VideoFrame | None = None
        stream = container.add_stream(codec.name, rate=options.frame_rate, options=codec.options)
        assert isinstance(stream, av.VideoStream)  # noqa: S101 - narrows add_stream's union
        stream.width, stream.height = size
        stream.pix_fmt = codec.pixel_format
        context = stream.codec_context
        context.gop_size = max(1, round(options.frame_rate * Fraction(codec.gop_s)))
        context.thread_count = options.threads
        _tag_colors(context)
        self._stream = stream

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Encode the next frame; the same array again is not converted again."""
        if self._frame is None or pixels is not self._source:
            self._frame = self._convert(self._prepare(pixels))
            self._source = pixels
        self._frame.pts = self._count
        self._frame.time_base = self._time_base
        self._count += 1
        self._container.mux(self._stream.encode(self._frame))

    def _convert(self, pixels: NDArray[np.uint8]) -> av.VideoFrame:
        rgba = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgba")
        frame = rgba.reformat(
            format=self._pixel_format, dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        _tag_colors(frame)
        return frame

    def finish(self) -> None:
        """Flush the encoder."""
        self._container.mux(self._stream.encode(None))


def _tag_colors(target: av.VideoCodecContext | av.VideoFrame) -> None:
    target.colorspace = _BT709
    target.color_primaries = _BT709
    target.color_trc = _SRGB_TRANSFER
    target.color_range = _LIMITED_RANGE


class AudioTrack:
    """Encodes mono samples at `SAMPLE_RATE` in pieces of any length.

    The codec's own delay is declared by the container (MP4 edit list, Matroska CodecDelay), so
    that sample 0 is heard with frame 0.
    """

    def __init__(self, container: av.container.OutputContainer, codec: str, bit_rate: int) -> None:
        self._container = container
        stream = container.add_stream(codec, rate=SAMPLE_RATE)
        assert isinstance(stream, av.AudioStream)  # noqa: S101 - narrows add_stream's union
        stream.layout = "mono"
        stream.bit_rate = bit_rate
        # Planar or not is the same for one channel; each codec takes only its own kind.
        stream.format = "flt" if codec == "libopus" else "fltp"
        stream.codec_context.open()
        self._stream = stream
        self._format = stream.codec_context.format
        self._frame_size = stream.codec_context.frame_size
        self._rest = np.empty(0, np.float32)
        self._count = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Encode every whole codec frame that ``samples`` complete."""
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % self._frame_size
        for start in range(0, whole, self._frame_size):
            self._encode(joined[start : start + self._frame_size])
        self._rest = joined[whole:]

    def finish(self) -> None:
        """Encode the rest and flush the encoder."""
        if len(self._rest):
            self._encode(self._rest)
            self._rest = np.empty(0, np.float32)
        self._container.mux(self._stream.encode(None))

    def _encode(self, samples: NDArray[np.float32]) -> None:
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], self._format, "mono")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = self._count
        self._count += len(samples)
        self._container.mux(self._stream.encode(frame))
