"""Files that arrive in pieces."""

from __future__ import annotations

from collections.abc import Callable

from kuchipaku_contract.errors import InvalidArgumentError


class BytesAssembler:
    """Collects the pieces of one encoded file within a byte limit.

    ``oversize`` makes the error that `push` raises once the pieces exceed ``max_bytes``.
    """

    def __init__(self, max_bytes: int, oversize: Callable[[int], InvalidArgumentError]) -> None:
        self._max_bytes = max_bytes
        self._oversize = oversize
        self._pieces: list[bytes] = []
        self._size = 0

    def push(self, data: bytes) -> None:
        """Add ``data``."""
        self._size += len(data)
        if self._size > self._max_bytes:
            self._pieces.clear()
            raise self._oversize(self._max_bytes)
        self._pieces.append(data)

    def finish(self) -> bytes:
        """Return everything that was pushed."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
