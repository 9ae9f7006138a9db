"""How much memory a provider has left, and how much this process takes of it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from kuchipaku_pose.providers.base import ProviderOptions

_CUDA_LIBRARIES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")


class DeviceMemory(Protocol):
    """Memory that runs take."""

    def used_bytes(self) -> int:
        """Return what is taken now."""

    def free_bytes(self) -> int:
        """Return what is left."""


class HostMemory:
    """The machine's memory, within the bound of the container if there is one."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def used_bytes(self) -> int:
        """Return the memory that this process occupies."""
        pages = (self._root / "proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def free_bytes(self) -> int:
        """Return what is available to new allocations."""
        available = _meminfo(self._root / "proc/meminfo", "MemAvailable")
        group = self._root / "sys/fs/cgroup"
        limit = _integer(group / "memory.max")
        taken = _integer(group / "memory.current")
        if limit is None or taken is None:
            return available
        return max(0, min(available, limit - taken))


class CudaMemory:
    """The memory of an NVIDIA GPU, asked of the CUDA runtime that onnxruntime has loaded."""

    def __init__(self, library: Any, device: int) -> None:
        self._library = library
        self._device = device

    def used_bytes(self) -> int:
        """Return what is taken on the device, by whomever."""
        free, total = self._info()
        return total - free

    def free_bytes(self) -> int:
        """Return what is left on the device."""
        return self._info()[0]

    def _info(self) -> tuple[int, int]:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._library.cudaSetDevice(self._device)
        code = self._library.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
        if code:
            raise OSError(f"cudaMemGetInfo failed with {code}")
        return free.value, total.value


def memory_of(
    options: ProviderOptions, load: Callable[[str], Any] = ctypes.CDLL
) -> DeviceMemory | None:
    """Return the memory that ``options`` compute in; None if nobody can tell how much it is."""
    if not options.name.is_gpu:
        return HostMemory() if Path("/proc/self/statm").is_file() else None
    for name in _CUDA_LIBRARIES:
        try:
            return CudaMemory(load(name), options.device)
        except OSError:
            continue
    return None


def _meminfo(path: Path, name: str) -> int:
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{path} does not tell {name}")


def _integer(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
