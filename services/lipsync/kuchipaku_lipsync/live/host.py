"""The inside of a live worker: several streams, each fed by short jobs in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuchipaku_contract.errors import InternalError
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.listener import LiveListener, LiveOptions, LiveStep, LiveSummary
from kuchipaku_lipsync.live.sources import Source, source_for


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


def _stream(key: int) -> _Stream:
    stream = _STREAMS.get(key)
    if stream is None:
        raise InternalError("The worker of this stream was replaced.", reason="WORKER_DIED")
    return stream
