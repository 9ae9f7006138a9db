"""What a video encoder is, and what all of them are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.backdrop import Backdrop

SAMPLE_RATE = 48_000
"""Rate in hertz of every sound track; Opus knows no other."""


Check = Callable[[], None]
"""Called between the parts of a long step; what it raises ends the step."""


class Container(StrEnum):
    """Kinds of video file."""

    MP4 = "mp4"
    WEBM = "webm"
    GIF = "gif"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """Internet media type."""
        return {"mp4": "video/mp4", "webm": "video/webm"}.get(self.value, f"image/{self.value}")

    @property
    def has_alpha(self) -> bool:
        """Whether the background may stay transparent."""
        return self is not Container.MP4

    @property
    def has_sound(self) -> bool:
        """Whether there can be a sound track."""
        return self in (Container.MP4, Container.WEBM)

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the video for frames of ``width`` x ``height``.

        Odd sides gain a column or row where the codec halves the colours' resolution (4:2:0).
        """
        if self in (Container.MP4, Container.WEBM):
            return width + width % 2, height + height % 2
        return width, height


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What a file is to be like.

    ``width`` and ``height`` are the frames' size in pixels; ``quality`` is 1 (smallest) to 100
    (best); ``threads`` bounds the threads of one encoder; ``has_sound`` announces a sound track.
    """

    width: int
    height: int
    frame_rate: Fraction
    backdrop: Backdrop
    quality: int = 75
    has_sound: bool = False
    threads: int = 2


class VideoEncoder(Protocol):
    """Turns frames and sound into the bytes of one file, which can be taken while it grows.

    Frames follow one another at the frame rate and sound starts with the first frame; both may
    run ahead of the other. Methods are called from one thread at a time. After `finish` only
    `take` and `close` are called; `close` frees everything, may come at any time and repeatedly.
    """

    def add_frame(self, pixels: NDArray[np.uint8]) -> None:
        """Add the next frame: uint8 of shape (height, width, 4), straight alpha."""

    def add_samples(self, samples: NDArray[np.float32]) -> None:
        """Add the next mono samples at `SAMPLE_RATE`, in -1..1."""

    def finish(self, check: Check) -> None:
        """Complete the file, calling ``check`` now and then."""

    def take(self, max_bytes: int) -> bytes:
        """Return the next bytes of the file, in order, and none where there are none yet."""

    def close(self) -> None:
        """Free everything."""
