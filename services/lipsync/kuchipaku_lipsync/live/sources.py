"""Bytes of a stream to samples at 16 kHz, as they come."""

from __future__ import annotations

import io
import threading
from typing import Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.speech import SAMPLE_RATE
from kuchipaku_media.audio import audio_frame_samples
from kuchipaku_media.pcm import PcmDecoder, empty, too_long
from kuchipaku_media.resampling import MonoResampler
from kuchipaku_media.signature import demuxer_for

# Enough to tell every container by its signature, unless it begins with a large tag.
_SIGNATURE_BYTES: Final = 64
_MAX_TAG_BYTES: Final = 1 << 20
# A decoder that has not come to rest by then hangs; the stream fails, not the worker.
_DECODE_TIMEOUT_S: Final = 20.0
_MAX_SECONDS: Final = LIMITS.max_live_audio_duration_s


class Source(Protocol):
    """Raises InvalidArgumentError for bad audio, as `decode_audio`."""

    def push(self, data: bytes) -> NDArray[np.float32]:
        """The samples (n,) at 16 kHz that ``data`` completes."""
        ...

    def finish(self) -> NDArray[np.float32]:
        """The last ones."""
        ...

    def close(self) -> None:
        """Free what is held, at any time."""
        ...


def source_for(layout: AudioLayout) -> Source:
    """What reads audio of this layout."""
    return FileSource() if layout.pcm_format is None else PcmSource(layout)


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


class PcmSource:
    """Raw samples."""

    def __init__(self, layout: AudioLayout) -> None:
        assert layout.pcm_format is not None  # noqa: S101 - see source_for
        self._decoder = PcmDecoder(
            layout.pcm_format,
            layout.sample_rate,
            layout.channels,
            field="audio",
            max_duration_s=_MAX_SECONDS,
        )
        self._resampler = MonoResampler(layout.sample_rate, SAMPLE_RATE)

    def push(self, data: bytes) -> NDArray[np.float32]:
        return self._resampler.push(self._decoder.push(data))

    def finish(self) -> NDArray[np.float32]:
        self._decoder.finish()
        return self._resampler.finish()

    def close(self) -> None:
        pass


class FileSource:
    """An audio file that is still arriving, decoded in a thread of its own.

    FFmpeg asks for bytes when it wants them, so it sits behind a pipe: `push` hands bytes over
    and returns when all of them have been used.
    """

    def __init__(self) -> None:
        self._pipe = _Pipe()
        self._head = b""
        self._thread: threading.Thread | None = None
        self._samples: list[NDArray[np.float32]] = []
        self._failure: BaseException | None = None
        self._resampler: MonoResampler | None = None
        self._rate = 0
        self._count = 0

    def push(self, data: bytes) -> NDArray[np.float32]:
        if self._thread is None:
            self._head += data
            if not self._recognised():
                return np.zeros(0, np.float32)
            data, self._head = self._head, b""
            self._start(data)
        self._pipe.write(data)
        return self._taken()

    def finish(self) -> NDArray[np.float32]:
        if self._thread is None:
            raise _not_decodable() if self._head else empty("audio")
        self._pipe.end()
        rest = self._taken()
        self._thread.join(_DECODE_TIMEOUT_S)
        if self._count == 0:
            raise empty("audio")
        last = self._resampler.finish() if self._resampler else np.zeros(0, np.float32)
        return np.concatenate([rest, last])

    def close(self) -> None:
        self._pipe.break_off()

    def _recognised(self) -> bool:
        if len(self._head) < _SIGNATURE_BYTES:
            return False
        if demuxer_for(self._head) is not None:
            return True
        if self._head[:3] == b"ID3" and len(self._head) < _MAX_TAG_BYTES:
            return False
        raise _not_decodable()

    def _start(self, head: bytes) -> None:
        self._thread = threading.Thread(target=self._decode, args=(demuxer_for(head),), daemon=True)
        self._thread.start()

    def _taken(self) -> NDArray[np.float32]:
        if not self._pipe.wait_until_used(_DECODE_TIMEOUT_S):
            raise _not_decodable()
        if self._failure is not None:
            raise self._failure
        samples, self._samples = self._samples, []
        return np.concatenate(samples) if samples else np.zeros(0, np.float32)

    def _decode(self, demuxer: str | None) -> None:
        try:
            # Nothing is looked at ahead: a few packets tell what the stream is.
            options = {"probesize": "4096", "analyzeduration": "100000"}
            with av.open(self._pipe, "r", format=demuxer, container_options=options) as container:
                if not container.streams.audio:
                    raise _not_decodable()
                for frame in container.decode(audio=0):
                    self._take(frame)
        except InvalidArgumentError as error:
            self._failure = error
        except Exception as error:
            self._failure = None if self._pipe.broken else _not_decodable()
            if self._failure is not None:
                self._failure.__cause__ = error
        finally:
            self._pipe.break_off()

    def _take(self, frame: av.AudioFrame) -> None:
        if self._resampler is None:
            self._rate = frame.sample_rate
            self._resampler = MonoResampler(self._rate, SAMPLE_RATE)
        elif frame.sample_rate != self._rate:
            raise _not_decodable()
        self._count += frame.samples
        if self._count > _MAX_SECONDS * self._rate:
            raise too_long(_MAX_SECONDS, "audio")
        self._samples.append(self._resampler.push(audio_frame_samples(frame, "audio")))


def _not_decodable() -> InvalidArgumentError:
    return InvalidArgumentError(
        "The audio is damaged, of an unknown format, or of one that cannot be read as it comes.",
        reason="AUDIO_NOT_DECODABLE",
        field="audio",
    )


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
