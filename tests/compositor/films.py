"""Frames, sounds and the decoding of finished files."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku.frames import FrameEncoder, FrameEncoding
from kuchipaku_compositor.backdrop import Backdrop
from kuchipaku_compositor.composition import (
    AudioStream,
    Composition,
    CompositionOptions,
    FrameStream,
)
from kuchipaku_compositor.encoders import Container
from kuchipaku_compositor.film import FilmSummary
from kuchipaku_media.audio import PcmFormat

Frames = list[NDArray[np.uint8]]


def disc(shift: int = 0, width: int = 96, height: int = 80) -> NDArray[np.uint8]:
    """An orange disc with a soft edge on nothing."""
    rows, columns = np.mgrid[0:height, 0:width]
    distance = np.hypot(rows - height / 2, columns - width / 2 - shift)
    alpha = np.clip(30 - distance, 0, 1) * 255
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :3] = (240, 130, 30)
    pixels[..., 3] = alpha
    pixels[alpha == 0] = 0
    return pixels


def flash_film(count: int, flash: int, width: int = 96, height: int = 80) -> Frames:
    """Black frames with a single white one."""
    frames = [np.zeros((height, width, 4), np.uint8) for _ in range(count)]
    for frame in frames:
        frame[..., 3] = 255
    frames[flash][:] = 255
    return frames


def beep(seconds: float, at_s: float, rate: int = 48_000) -> NDArray[np.float32]:
    """Silence with ten milliseconds of a tone."""
    samples = np.zeros(round(seconds * rate), np.float32)
    start = round(at_s * rate)
    tone = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(rate // 100) / rate)
    samples[start : start + len(tone)] = tone
    return samples


def compose(
    frames: Frames,
    container: Container = Container.MP4,
    *,
    samples: NDArray[np.float32] | None = None,
    rate: int = 48_000,
    fps: Fraction = Fraction(25),
    backdrop: Backdrop | None = None,
    audio_first: bool = True,
    quality: int = 75,
    offsets: list[float] | None = None,
) -> tuple[bytes, FilmSummary]:
    """Make a video through the domain's own door and return its bytes."""
    height, width = frames[0].shape[:2]
    if backdrop is None:
        backdrop = Backdrop() if container.has_alpha else Backdrop((200, 100, 50))
    composition = Composition(
        CompositionOptions(
            container=container,
            frames=FrameStream(FrameEncoding.DELTA_ZSTD, width, height),
            frame_rate=fps,
            backdrop=backdrop,
            audio=None if samples is None else AudioStream(PcmFormat.F32LE, rate, 1),
            quality=quality,
        )
    )
    encoder = FrameEncoder(FrameEncoding.DELTA_ZSTD, width, height)
    coded = [encoder.encode(frame) for frame in frames]
    due = offsets or [float(index / fps) for index in range(len(frames))]
    audio = b"" if samples is None else samples.astype("<f4").tobytes()
    out = bytearray()
    try:
        if samples is not None and audio_first:
            composition.add_audio(audio[:1001])
            composition.add_audio(audio[1001:])
        for frame, offset in zip(coded, due, strict=True):
            composition.add_frames(0, [(frame, offset)])
            out += composition.take()
        if samples is not None and not audio_first:
            composition.add_audio(audio)
        summary = composition.finish()
        while chunk := composition.take():
            out += chunk
    finally:
        composition.close()
    return bytes(out), summary


def video_frames(data: bytes) -> list[tuple[float, NDArray[np.uint8]]]:
    """Presentation times in seconds and RGB pixels."""
    with av.open(io.BytesIO(data), "r") as container:
        return [
            (frame.time, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            for frame in container.decode(video=0)
        ]


def alpha_frames(data: bytes) -> Frames:
    """RGBA frames of a WebM; FFmpeg's own VP9 decoder would drop the alpha."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames = []
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux(video=0):
            if packet.size:
                frames += decoder.decode(packet)
    frames += decoder.decode(None)
    return [np.asarray(frame.to_ndarray(format="rgba"), np.uint8) for frame in frames]


def sound(data: bytes) -> tuple[float, NDArray[np.float32], int]:
    """Time of the first sample in seconds, mono samples and their rate."""
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([np.asarray(frame.to_ndarray(), np.float32)[0] for frame in frames])
    return float(frames[0].time or 0), samples.astype(np.float32), frames[0].sample_rate


def animation(data: bytes) -> list[tuple[int, NDArray[np.uint8]]]:
    """Durations in milliseconds and RGBA pixels of a GIF or WebP."""
    frames = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            frames.append((int(image.info["duration"]), np.array(image.convert("RGBA"))))
    return frames
