"""What the containers with sound share: one video track, one audio track, one sink."""

from __future__ import annotations

import contextlib
from typing import Protocol

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from kuchipaku_compositor.encoders.base import Check, VideoOptions
from kuchipaku_compositor.encoders.tracks import AudioTrack, VideoTrack


class Sink(Protocol):
    """Where the container's bytes go until they are taken."""

    def take(self, max_bytes: int) -> bytes:
        """The next bytes, at most `max_bytes`."""

    def clear(self) -> None:
        """Forget all bytes."""


class FilmEncoder:
    """A `VideoEncoder` over a PyAV container; subclasses open it and choose the codecs."""

    def __init__(self, container: OutputContainer, sink: Sink, video: VideoTrack) -> None:
        """Take over an open container with its video track."""
        self._container = container
        self._sink = sink
        self._video = video
        self._audio: AudioTrack | None = None

    def _add_audio(self, codec: str, bits_per_s: int, options: VideoOptions) -> None:
        if options.has_sound:
            self._audio = AudioTrack(self._container, codec, bits_per_s)

    def add_frame(self, pixels: NDArray[np.uint8]) -> None:
        """See `VideoEncoder`."""
        self._video.add(pixels)

    def add_samples(self, samples: NDArray[np.float32]) -> None:
        """See `VideoEncoder`."""
        if self._audio is not None:
            self._audio.add(samples)

    def finish(self, check: Check) -> None:
        """See `VideoEncoder`."""
        if self._audio is not None:
            self._audio.finish()
        check()
        self._video.finish()
        self._container.close()

    def take(self, max_bytes: int) -> bytes:
        """See `VideoEncoder`."""
        return self._sink.take(max_bytes)

    def close(self) -> None:
        """See `VideoEncoder`."""
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        self._sink.clear()
