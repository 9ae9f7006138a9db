"""The time line of one video: frames at a constant rate and sound beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.encoders import SAMPLE_RATE, Check, VideoEncoder
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

# Audio that ends this much of a frame into the next one does not get a frame of its own.
_FRAME_SLACK = 1e-3
_SILENCE_PIECE = SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class FilmSummary:
    """Frames and seconds of a finished video."""

    frame_count: int
    duration_s: float


class Film:
    """Places frames and samples on the time line and hands them to an encoder in order.

    A frame lasts until the next one is due: what is left out is filled with the frame before.
    The video lasts as long as the longer of frames and sound; the last frame is held, or the
    sound followed by silence, to the end. A single frame may take long that way: ``check`` is
    called between all that is encoded, and what it raises ends the step.
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        frame_rate: Fraction,
        *,
        check: Check,
        max_duration_s: float = LIMITS.max_audio_duration_s,
    ) -> None:
        self._encoder = encoder
        self._check = check
        self._frame_rate = frame_rate
        self._max_duration_s = max_duration_s
        self._max_frames = math.ceil(max_duration_s * frame_rate)
        self._last: NDArray[np.uint8] | None = None
        self._frame_count = 0
        self._sample_count = 0

    @property
    def frame_count(self) -> int:
        """Frames encoded so far."""
        return self._frame_count

    def add_frame(self, pixels: NDArray[np.uint8], offset_s: float | None = None) -> None:
        """Add a frame: uint8 of shape (height, width, 4).

        ``offset_s`` is when it is due; None means directly after the frame before. Raises
        `InvalidArgumentError` with FRAME_OFFSET_NOT_INCREASING where the frame before is due
        at the same time or later, and VIDEO_TOO_LONG.
        """
        index = self._frame_count
        if offset_s is not None:
            index = round(offset_s * self._frame_rate)
        if index < self._frame_count:
            raise InvalidArgumentError(
                f"The frame at {offset_s:.3f} s is not later than the one before it.",
                reason="FRAME_OFFSET_NOT_INCREASING",
                field="frames.frames.offset",
            )
        if index >= self._max_frames:
            raise self._too_long()
        self._hold_until(index, pixels if self._last is None else self._last)
        self._encode(pixels)

    def add_samples(self, samples: NDArray[np.float32]) -> None:
        """Add the next mono samples at `SAMPLE_RATE`."""
        self._sample_count += len(samples)
        # The resampler may end a sample later than the audio that was checked before it.
        if self._sample_count > (self._max_duration_s + 1) * SAMPLE_RATE:
            raise self._too_long()
        self._encoder.add_samples(samples)

    def finish(self, *, silent: bool = False) -> FilmSummary:
        """Fill up the shorter of frames and sound; ``silent`` means silence where no sound came.

        Raises FRAMES_MISSING without any frame.
        """
        if self._last is None:
            raise InvalidArgumentError(
                "No frame was sent.", reason="FRAMES_MISSING", field="frames"
            )
        audio_frames = self._sample_count * self._frame_rate / SAMPLE_RATE
        self._hold_until(math.ceil(audio_frames - _FRAME_SLACK), self._last)
        duration = self._frame_count / self._frame_rate
        if self._sample_count or silent:
            self._add_silence(round(duration * SAMPLE_RATE) - self._sample_count)
        return FilmSummary(self._frame_count, float(duration))

    def _add_silence(self, count: int) -> None:
        for start in range(0, count, _SILENCE_PIECE):
            self._check()
            piece = min(_SILENCE_PIECE, count - start)
            self._encoder.add_samples(np.zeros(piece, np.float32))

    def _hold_until(self, index: int, pixels: NDArray[np.uint8]) -> None:
        while self._frame_count < index:
            self._encode(pixels)

    def _encode(self, pixels: NDArray[np.uint8]) -> None:
        self._check()
        self._encoder.add_frame(pixels)
        self._last = pixels
        self._frame_count += 1

    def _too_long(self) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"The video is longer than the limit of {self._max_duration_s:g} s.",
            reason="VIDEO_TOO_LONG",
            field="frames",
            limit_s=self._max_duration_s,
        )
