"""WebM: VP9, with alpha where the backdrop is transparent, and Opus."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.encoders.base import Check, Container, VideoOptions
from kuchipaku_compositor.encoders.edges import bleed_edges
from kuchipaku_compositor.encoders.film import FilmEncoder
from kuchipaku_compositor.encoders.sink import SeekableSink
from kuchipaku_compositor.encoders.tracks import VideoCodec, VideoTrack

# The muxer may hold packets of one track for as long as the other has none.
_CONTAINER = {"max_interleave_delta": "0"}
_AUDIO_BITS_PER_S = 96_000


def _codec(options: VideoOptions) -> VideoCodec:
    return VideoCodec(
        "libvpx-vp9",
        "yuva420p" if options.backdrop.is_transparent else "yuv420p",
        gop_s=5.0,
        options={
            "deadline": "realtime",
            "cpu-used": "6",
            "row-mt": "1",
            "crf": str(round(55 - 0.4 * options.quality)),
            "b": "0",
            # Hidden reference frames cannot carry alpha.
            "auto-alt-ref": "0",
        },
    )


class WebmEncoder(FilmEncoder):
    """VP9 4:2:0, BT.709, with straight alpha in BlockAdditions, and Opus.

    The file is complete before its first byte can be taken: duration and seek index are written
    into it at the end, without which game engines and browsers cannot seek or loop it. Frames
    of odd width or height gain one column or row, as 4:2:0 needs.
    """

    def __init__(self, options: VideoOptions) -> None:
        """Open the container."""
        size = Container.WEBM.picture_size(options.width, options.height)
        painter = options.backdrop.painter(*size)

        def prepare(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
            painted = painter.paint(pixels)
            return bleed_edges(painted) if options.backdrop.is_transparent else painted

        self._file = SeekableSink()
        container = av.open(self._file.file, "w", format="webm", options=_CONTAINER)
        video = VideoTrack(container, _codec(options), options, size, prepare)
        super().__init__(container, self._file, video)
        self._add_audio("libopus", _AUDIO_BITS_PER_S, options)

    def finish(self, check: Check) -> None:
        """See `VideoEncoder`."""
        super().finish(check)
        self._file.seal()
