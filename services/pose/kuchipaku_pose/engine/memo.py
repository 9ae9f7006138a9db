"""A memory of computed values, bounded in bytes, for several threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class MemoStatistics:
    """Counters since the start and the state now."""

    hits: int
    misses: int
    evictions: int
    entries: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Lookup(Generic[V]):
    """Answer of `Memo.claim`: a value, a value under way elsewhere, or the duty to compute it."""

    value: V | None = None
    pending: Future[V] | None = None

    @property
    def claimed(self) -> bool:
        """Whether the caller must compute the value and then call `publish` or `abandon`."""
        return self.value is None and self.pending is None


class Memo(Generic[V]):
    """Least-recently-used values by key, within ``max_bytes``.

    Two threads never compute the same value: the first that asks gets the claim, later ones get
    a future. A caller that holds several claims must settle them all before it waits for a
    future; then two callers cannot wait for each other.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._pending: dict[Hashable, Future[V]] = {}
        self._nbytes = 0
        self._hits = self._misses = self._evictions = 0

    def claim(self, key: Hashable) -> Lookup[V]:
        """Look ``key`` up, or take on its computation."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                self._hits += 1
                return Lookup(value=entry[0])
            pending = self._pending.get(key)
            if pending is not None:
                self._hits += 1
                return Lookup(pending=pending)
            self._misses += 1
            self._pending[key] = Future()
            return Lookup()

    def get(self, key: Hashable) -> V | None:
        """Return the value of ``key`` if it is there; never takes a claim."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return entry[0]

    def publish(self, key: Hashable, value: V, nbytes: int) -> None:
        """Settle a claim with ``value``, which takes ``nbytes``.

        A value larger than the whole memory is handed to those who wait and not kept.
        """
        with self._lock:
            pending = self._pending.pop(key)
            if nbytes <= self.max_bytes:
                self._entries[key] = (value, nbytes)
                self._nbytes += nbytes
                while self._nbytes > self.max_bytes:
                    _, (_, freed) = self._entries.popitem(last=False)
                    self._nbytes -= freed
                    self._evictions += 1
        pending.set_result(value)

    def abandon(self, key: Hashable, error: BaseException) -> None:
        """Settle a claim without a value; those who wait get ``error``."""
        with self._lock:
            pending = self._pending.pop(key)
        pending.set_exception(error)

    def clear(self) -> None:
        """Forget all values; claims stay."""
        with self._lock:
            self._entries.clear()
            self._nbytes = 0

    def statistics(self) -> MemoStatistics:
        """Return the counters."""
        with self._lock:
            return MemoStatistics(
                self._hits, self._misses, self._evictions, len(self._entries), self._nbytes
            )
