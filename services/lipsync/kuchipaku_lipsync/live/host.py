"""The inside of a live worker: several streams, each fed by short jobs in turn."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np

from kuchipaku_contract.errors import InternalError
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.listener import LiveListener, LiveOptions, LiveStep, LiveSummary
from kuchipaku_lipsync.live.sources import Source, source_for
from kuchipaku_media.signature import demuxer_for


@dataclass(slots=True)
class _Stream:
    source: Source
    listener: LiveListener


_STREAMS: dict[int, _Stream] = {}


def prepare_live_worker() -> None:
    """Load the models before the first stream."""
    LiveListener().push(np.zeros(16_000, np.float32))
    LiveListener(LiveOptions(text="Hello")).push(np.zeros(16_000, np.float32))


def open_stream(key: int, layout: AudioLayout, options: LiveOptions) -> None:
    """Begin to listen to a stream under the number ``key``."""
    _STREAMS[key] = _Stream(source_for(layout), LiveListener(options))


def feed_stream(key: int, data: bytes) -> LiveStep:
    """The next bytes. Raises InvalidArgumentError for bad audio."""
    stream = _stream(key)
    return stream.listener.push(stream.source.push(data))


def pause_stream(key: int) -> LiveStep:
    """Nothing comes for a while."""
    return _stream(key).listener.pause()


def finish_stream(key: int) -> tuple[LiveStep, LiveSummary]:
    """The end of the audio. Raises InvalidArgumentError for bad audio."""
    stream = _stream(key)
    first = stream.listener.push(stream.source.finish())
    last, summary = stream.listener.finish()
    step = LiveStep(first.cues + last.cues, first.phones + last.phones)
    return step, summary


def close_stream(key: int) -> None:
    """Forget a stream."""
    stream = _STREAMS.pop(key, None)
    if stream is not None:
        stream.source.close()


def probe_seconds(head: bytes, limit_s: float) -> float:
    """How many seconds the beginning of an audio file lasts, or about `limit_s` if that is less;
    0 where that cannot be told yet.
    """
    demuxer = demuxer_for(head)
    if demuxer is None:
        return 0.0
    seconds = 0.0
    try:
        with av.open(io.BytesIO(head), "r", format=demuxer) as container:
            if container.streams.audio:
                for frame in container.decode(audio=0):
                    seconds += frame.samples / frame.sample_rate
                    if seconds > limit_s:
                        break
    except (av.FFmpegError, UnicodeDecodeError):
        # A file that is still coming ends in the middle of something.
        return seconds
    return seconds


def _stream(key: int) -> _Stream:
    stream = _STREAMS.get(key)
    if stream is None:
        raise InternalError("The worker of this stream was replaced.", reason="WORKER_DIED")
    return stream
