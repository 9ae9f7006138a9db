"""Audio files made for the tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CODECS = {
    "wav": ("wav", "pcm_s16le"),
    "wav24": ("wav", "pcm_s24le"),
    "wavf": ("wav", "pcm_f32le"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "aac": ("adts", "aac"),
    "webm": ("webm", "libopus"),
    "aiff": ("aiff", "pcm_s16be"),
}


def tone(seconds: float, rate: int, hertz: float = 440.0, channels: int = 1) -> NDArray[np.float32]:
    """A sine of half scale, shape (channels, n)."""
    times = np.arange(round(seconds * rate)) / rate
    wave = (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)
    return np.tile(wave, (channels, 1))


def encode(kind: str, samples: NDArray[np.float32], rate: int, **options: str) -> bytes:
    """Encode planar float samples of shape (channels, n) as a file of ``kind``."""
    container_format, codec = CODECS[kind]
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[0]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        _encode_to(path, container_format, codec, layout, samples, rate, options)
        return path.read_bytes()


def _encode_to(
    path: Path,
    container_format: str,
    codec: str,
    layout: str,
    samples: NDArray[np.float32],
    rate: int,
    options: dict[str, str],
) -> None:
    with av.open(path, "w", format=container_format, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        context = stream.codec_context
        context.open()
        resampler = av.AudioResampler(context.format, layout, rate, context.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
        frame.sample_rate = rate
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
