"""Settings of the C library's allocator that suit messages of about a megabyte.

By default glibc maps and unmaps every large buffer, which costs five to ten times the copying
itself when frames are serialised. Larger thresholds keep such buffers on the heap; the price is
memory kept at its high-water mark, so the thresholds stay small against a container's limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# A container gives at most this share of its memory to what the heap keeps in reserve.
_RESERVE_SHARE: Final = 8

# Parameters of mallopt(3).
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


@dataclass(frozen=True, slots=True)
class AllocatorOptions:
    """Thresholds in MiB and the number of heaps; 0 leaves a parameter alone."""

    mmap_threshold_mib: int
    trim_threshold_mib: int
    top_pad_mib: int
    arenas: int

    def bounded(self, memory_limit_bytes: int | None) -> AllocatorOptions:
        """Return the options with thresholds that a memory limit can bear."""
        if memory_limit_bytes is None:
            return self
        most = max(1, memory_limit_bytes // MIB // _RESERVE_SHARE)
        return AllocatorOptions(
            mmap_threshold_mib=min(self.mmap_threshold_mib, most),
            trim_threshold_mib=min(self.trim_threshold_mib, most),
            top_pad_mib=min(self.top_pad_mib, most),
            arenas=self.arenas,
        )


def memory_limit_bytes() -> int | None:
    """Return the memory limit of this process's control group; None when there is none."""
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = int(path.read_text())
            # Version 1 writes "no limit" as a number near the largest one.
            return limit if limit < 1 << 60 else None
    return None


def tune_allocator(options: AllocatorOptions) -> bool:
    """Apply ``options``, bounded by the container's limit; False where glibc is not in use."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    bounded = options.bounded(memory_limit_bytes())
    parameters = (
        (_M_MMAP_THRESHOLD, bounded.mmap_threshold_mib * MIB),
        (_M_TRIM_THRESHOLD, bounded.trim_threshold_mib * MIB),
        (_M_TOP_PAD, bounded.top_pad_mib * MIB),
        (_M_ARENA_MAX, bounded.arenas),
    )
    results = [
        library.mallopt(parameter, min(value, 0x7FFFFFFF))
        for parameter, value in parameters
        if value
    ]
    return all(results)
