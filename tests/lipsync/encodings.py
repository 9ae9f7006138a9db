"""Files made from samples."""

from __future__ import annotations

import io
from collections.abc import Mapping

import av
import numpy as np

from kuchipaku_media.audio import AudioClip


def encoded(
    clip: AudioClip,
    container: str,
    codec: str,
    options: Mapping[str, str] | None = None,
    *,
    rate: int = 0,
    layout: str = "mono",
    bit_rate: int = 0,
) -> bytes:
    """The clip as a file of FFmpeg's `container`, with its `options`."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=dict(options or {})) as output:
        stream = output.add_stream(codec, rate=rate or clip.sample_rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(
            (clip.samples * 32_767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = clip.sample_rate
        resampler = av.AudioResampler(stream.format, layout, stream.rate, stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return buffer.getvalue()
