"""MP4: H.264 and AAC over a backdrop."""

from __future__ import annotations

import av

from kuchipaku_compositor.encoders.base import Container, VideoOptions
from kuchipaku_compositor.encoders.film import FilmEncoder
from kuchipaku_compositor.encoders.sink import StreamSink
from kuchipaku_compositor.encoders.tracks import VideoCodec, VideoTrack

# Fragments begin at keyframes. The header waits for the first packets (delay_moov), since only
# then is the sound's priming known that its edit list cuts off.
_CONTAINER = {
    "movflags": "+frag_keyframe+delay_moov+default_base_moof",
    # The muxer may hold packets of one track for as long as the other has none.
    "max_interleave_delta": "0",
}
_AUDIO_BITS_PER_S = 128_000


# B-frames would halve the size, but they shift the picture by two frames and leave it to an edit
# list to shift it back, which players built on Media Source Extensions do not read.
_NO_B_FRAMES = "0"


def _codec(options: VideoOptions) -> VideoCodec:
    crf = 45 - 0.35 * options.quality
    return VideoCodec(
        "libx264",
        "yuv420p",
        options={
            "preset": "veryfast",
            "tune": "animation",
            "crf": f"{crf:.1f}",
            "bf": _NO_B_FRAMES,
        },
    )


class Mp4Encoder(FilmEncoder):
    """Fragmented MP4: H.264 4:2:0, BT.709, and AAC.

    Bytes can be taken as far as both tracks have come: a film whose sound runs beside its frames
    plays while it comes, one whose sound is added last comes when it is finished.
    Frames of odd width or height gain one column or row of the backdrop, as 4:2:0 needs.
    """

    def __init__(self, options: VideoOptions) -> None:
        """Open the container."""
        size = Container.MP4.picture_size(options.width, options.height)
        painter = options.backdrop.painter(*size)
        sink = StreamSink()
        container = av.open(sink, "w", format="mp4", options=_CONTAINER)
        video = VideoTrack(container, _codec(options), options, size, painter.paint)
        super().__init__(container, sink, video)
        self._add_audio("aac", _AUDIO_BITS_PER_S, options)
