"""One video in the making: coded frames and audio in, the bytes of a file out.

Everything here blocks and computes; the service calls it from a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kuchipaku.frames import CodedFrame, FrameCodecError, FrameDecoder, FrameEncoding
from kuchipaku_compositor.backdrop import Backdrop
from kuchipaku_compositor.encoders import SAMPLE_RATE, Container, VideoOptions, open_encoder
from kuchipaku_compositor.film import Film, FilmSummary
from kuchipaku_compositor.soundtrack import FileSoundtrack, PcmSoundtrack, Soundtrack
from kuchipaku_contract.errors import (
    CancelledByClientError,
    FailedPreconditionError,
    InvalidArgumentError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.audio import PcmFormat

# Ten seconds; a cancelled job encodes no further than that.
_SAMPLES_PIECE = 10 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class FrameStream:
    """How the frames are coded that will come."""

    encoding: FrameEncoding
    width: int
    height: int
    reference_window_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AudioStream:
    """How the audio is coded that will come; ``pcm_format`` is None for a file."""

    pcm_format: PcmFormat | None = None
    sample_rate: int = 0
    channels: int = 1


@dataclass(frozen=True, slots=True)
class CompositionOptions:
    """What is to be made of what. ``audio`` is None for a silent video."""

    container: Container
    frames: FrameStream
    frame_rate: Fraction
    backdrop: Backdrop
    audio: AudioStream | None = None
    quality: int = 75
    max_duration_s: float = LIMITS.max_audio_duration_s
    threads: int = 2


class Composition:
    """Composes one video. Call `close` in any case.

    All methods but `cancel` are called from one thread at a time.
    """

    def __init__(self, options: CompositionOptions) -> None:
        frames = options.frames
        self._has_sound = options.audio is not None and options.container.has_sound
        self._decoder = FrameDecoder(
            frames.encoding,
            frames.width,
            frames.height,
            reference_window_bytes=frames.reference_window_bytes,
        )
        self._soundtrack = _open_soundtrack(options)
        self._sound_came = False
        self._encoder = open_encoder(
            options.container,
            VideoOptions(
                width=frames.width,
                height=frames.height,
                frame_rate=options.frame_rate,
                backdrop=options.backdrop,
                quality=options.quality,
                has_sound=self._has_sound,
                threads=options.threads,
            ),
        )
        self._cancelled = threading.Event()
        self._film = Film(
            self._encoder,
            options.frame_rate,
            check=self._check_cancelled,
            max_duration_s=options.max_duration_s,
        )

    @property
    def frame_count(self) -> int:
        """Frames encoded so far."""
        return self._film.frame_count

    def add_frames(self, epoch: int, frames: Iterable[tuple[CodedFrame, float | None]]) -> None:
        """Decode and encode frames with their offsets in seconds.

        Raises `InvalidArgumentError` with the reasons of `FrameCodecError` and of
        `Film.add_frame`, and `CancelledByClientError` once `cancel` was called.
        """
        try:
            self._decoder.enter_epoch(epoch)
            for coded, offset_s in frames:
                self._film.add_frame(self._decoder.decode(coded), offset_s)
        except FrameCodecError as error:
            raise InvalidArgumentError(
                str(error), reason=error.reason, field="frames.frames"
            ) from error

    def add_audio(self, data: bytes) -> None:
        """Add a piece of audio. Raises AUDIO_UNEXPECTED where none was announced."""
        if self._soundtrack is None:
            raise FailedPreconditionError(
                "The config has no audio_format, so that no audio can follow.",
                reason="AUDIO_UNEXPECTED",
                field="audio",
            )
        self._check_cancelled()
        self._sound_came = self._sound_came or bool(data)
        self._film.add_samples(self._soundtrack.push(data))

    def finish(self) -> FilmSummary:
        """Complete the file; `take` then gives the rest of it.

        Where none of the announced audio has come, the video is silent.
        """
        if self._soundtrack is not None and self._sound_came:
            rest = self._soundtrack.finish()
            for start in range(0, len(rest), _SAMPLES_PIECE):
                self._check_cancelled()
                self._film.add_samples(np.asarray(rest[start : start + _SAMPLES_PIECE]))
        self._check_cancelled()
        summary = self._film.finish(silent=self._has_sound and not self._sound_came)
        self._encoder.finish(self._check_cancelled)
        return summary

    def take(self) -> bytes:
        """Return the next bytes of the file, at most a chunk, or none where there are none yet."""
        return self._encoder.take(LIMITS.max_chunk_bytes)

    def cancel(self) -> None:
        """Make running and later calls end soon. May be called from any thread."""
        self._cancelled.set()

    def close(self) -> None:
        """Free everything."""
        self._encoder.close()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledByClientError("The caller has gone.", reason="CALLER_GONE")


def _open_soundtrack(options: CompositionOptions) -> Soundtrack | None:
    audio = options.audio
    if audio is None:
        return None
    if audio.pcm_format is None:
        return FileSoundtrack(max_duration_s=options.max_duration_s)
    return PcmSoundtrack(
        audio.pcm_format,
        audio.sample_rate,
        audio.channels,
        max_duration_s=options.max_duration_s,
    )
