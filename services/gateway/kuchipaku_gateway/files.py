"""Whole files in any file system that fsspec knows. Everything here blocks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class Files:
    """Reads and writes files below a root; readers never see half a file."""

    def __init__(self, url: str) -> None:
        """Open the fsspec URL of the root, for example ``file:///var/lib/kuchipaku``."""
        self._fs, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None if there is no such file."""
        full = self._full(path)
        self._fs.invalidate_cache(full)
        try:
            data: Any = self._fs.cat_file(full)
        except FileNotFoundError:
            return None
        return bytes(data)

    def exists(self, path: str) -> bool:
        """Whether there is such a file, whatever earlier listings said."""
        full = self._full(path)
        self._fs.invalidate_cache(full)
        return bool(self._fs.exists(full))

    def write(self, path: str, data: bytes) -> None:
        """Put a file there, in place of an earlier one."""
        if isinstance(self._fs, LocalFileSystem):
            _replace(Path(self._full(path)), data)
        else:  # object stores put an object there as a whole
            self._fs.pipe_file(self._full(path), data)

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._full(path))

    def names(self, folder: str, suffix: str) -> Iterator[str]:
        """Names of the files in a folder that end so, without the ending, in order."""
        full = self._full(folder)
        # Others may have written since: a listing kept by the file system will not do.
        self._fs.invalidate_cache(full)
        try:
            paths = self._fs.ls(full, detail=False, refresh=True)
        except FileNotFoundError:
            return
        names = (path.rsplit("/", 1)[-1] for path in paths)
        yield from sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))

    def has_any(self, folder: str) -> bool:
        """Whether a folder holds files."""
        return any(True for _ in self.names(folder, ""))

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with the files in it."""
        for name in self.names(folder, ""):
            self.remove(f"{folder}/{name}")
        if isinstance(self._fs, LocalFileSystem):  # elsewhere a folder is there as its files are
            with suppress(OSError):
                Path(self._full(folder)).rmdir()

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, as only a move within one file system happens at once.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
