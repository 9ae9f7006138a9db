"""Where encoders write: bytes that can be taken while more are written."""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO

_IN_MEMORY_BYTES = 16 * 1024 * 1024


class StreamSink:
    """A file object that can only be written; takes each byte once and then forgets it."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()

    def write(self, data: bytes) -> int:
        """Add ``data``."""
        self._pieces.append(bytes(data))
        return len(data)

    def take(self, max_bytes: int) -> bytes:
        """Return and forget the oldest bytes, at most ``max_bytes``."""
        taken: list[bytes] = []
        room = max_bytes
        while room > 0 and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        return b"".join(taken)

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()


class SeekableSink:
    """A temporary file for containers that go back to complete their header.

    Nothing can be taken before `seal`. Small files stay in memory; the folder of larger ones is
    the platform's (``TMPDIR``).
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
        self._sealed = False

    @property
    def file(self) -> IO[bytes]:
        """The file to write to."""
        return self._file

    def seal(self) -> None:
        """Declare the file complete."""
        self._file.seek(0)
        self._sealed = True

    def take(self, max_bytes: int) -> bytes:
        """Return the next bytes of the complete file."""
        return self._file.read(max_bytes) if self._sealed and not self._file.closed else b""

    def clear(self) -> None:
        """Delete the file."""
        self._file.close()
