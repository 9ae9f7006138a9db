"""Files of most formats, taken apart and decoded by FFmpeg while they come."""

from __future__ import annotations

import threading
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.live.gathering import Gatherer, not_decodable

# A decoder that has not come to rest by then hangs; the stream fails, not the worker.
_DECODE_TIMEOUT_S: Final = 20.0
# Nothing is looked at ahead: what FFmpeg gathers before its first packet makes all cues late.
_OPTIONS: Final = {"probesize": "32", "analyzeduration": "0"}


class DemuxedSource:
    """A file that is still arriving, decoded in a thread of its own.

    FFmpeg asks for bytes when it wants them, so it sits behind a pipe: `push` hands bytes over
    and returns when all of them have been used.
    """

    def __init__(self, demuxer: str) -> None:
        """``demuxer``: FFmpeg's name of the container."""
        self._pipe = _Pipe()
        self._gatherer = Gatherer()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._decode, args=(demuxer,), daemon=True)
        self._thread.start()

    def push(self, data: bytes) -> NDArray[np.float32]:
        self._pipe.write(data)
        self._wait()
        return self._gatherer.taken()

    def finish(self) -> NDArray[np.float32]:
        self._pipe.end()
        self._wait()
        self._thread.join(_DECODE_TIMEOUT_S)
        return self._gatherer.finish()

    def close(self) -> None:
        self._pipe.break_off()

    def _wait(self) -> None:
        if not self._pipe.wait_until_used(_DECODE_TIMEOUT_S):
            raise not_decodable()
        if self._failure is not None:
            raise self._failure

    def _decode(self, demuxer: str) -> None:
        try:
            with av.open(self._pipe, "r", format=demuxer, container_options=_OPTIONS) as container:
                if not container.streams.audio:
                    raise not_decodable()
                for frame in container.decode(audio=0):
                    self._gatherer.take(frame)
        except InvalidArgumentError as error:
            self._failure = error
        except Exception as error:
            self._failure = None if self._pipe.broken else not_decodable()
            if self._failure is not None:
                self._failure.__cause__ = error
        finally:
            self._pipe.break_off()


class _Pipe:
    """What one thread writes and another, the decoder's, reads like a file."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._data = bytearray()
        self._ended = False
        self._hungry = False
        self.broken = False

    def write(self, data: bytes) -> None:
        with self._changed:
            self._data += data
            self._hungry = False
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._hungry = False
            self._changed.notify_all()

    def break_off(self) -> None:
        with self._changed:
            self.broken = True
            self._changed.notify_all()

    def wait_until_used(self, timeout_s: float) -> bool:
        """Whether all has been read and more is wanted, or nothing will be read any more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hungry or self.broken, timeout_s)

    def read(self, size: int) -> bytes:
        """Called by the decoder: at most ``size`` bytes; none at the end."""
        with self._changed:
            while not self._data and not self._ended and not self.broken:
                self._hungry = True
                self._changed.notify_all()
                self._changed.wait()
            part = bytes(self._data[:size])
            del self._data[:size]
            return b"" if self.broken else part
