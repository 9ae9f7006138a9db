"""Addresses that servers listen on: ``host:port``, ``[v6]:port`` or ``unix:/path``."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

_UNIX = "unix:"
# sun_path of Linux holds 108 bytes with its terminating zero.
_MAX_UNIX_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. Exactly one of ``path`` and ``host`` is set.

    Usage: ``Address.parse("127.0.0.1:50051")``, ``Address.parse("unix:/run/pose.sock")``
    """

    host: str | None = None
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address; port 0 asks for any free port. Raises ValueError for anything else."""
        if text.startswith(_UNIX):
            return cls(path=_unix_path(text))
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f"{text!r} is neither host:port nor unix:/path")
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"port {port!r} of {text!r} is not a number from 0 to 65535")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"write the IPv6 address of {text!r} in brackets: [{host}]:{port}")
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it. Names other than localhost are not trusted."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host or "").is_loopback
        except ValueError:
            return False

    def with_port(self, port: int) -> Address:
        """Return the address with the port that the system assigned."""
        return Address(host=self.host, port=port, path=self.path)

    def claim(self) -> None:
        """Remove a socket file that a dead server left behind.

        Raises OSError when a server answers there or the path is not a socket: gRPC itself
        would take over the path of a living server without a word.
        """
        if self.path is None or not self.path.exists():
            return
        if not stat.S_ISSOCK(self.path.stat().st_mode):
            raise OSError(f"{self.path} exists and is not a socket")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink(missing_ok=True)
            else:
                raise OSError(f"another server listens on {self.path}")

    def release(self) -> None:
        """Remove the socket file after the server has stopped."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()


def _unix_path(text: str) -> Path:
    rest = text.removeprefix(_UNIX)
    # unix:///path is the form with an empty authority.
    rest = unquote(rest.removeprefix("//"))
    if not rest:
        raise ValueError("unix: needs a path")
    if len(rest.encode()) > _MAX_UNIX_PATH_BYTES:
        raise ValueError(f"socket path is longer than {_MAX_UNIX_PATH_BYTES} bytes: {rest}")
    return Path(rest)
