"""Where services listen on one machine: ports in a row, and whether a place is free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

FIRST_PORT: Final = 50050
"""Of the gateway; the others follow."""
SERVICES: Final[Mapping[str, int]] = {
    "imagegen": FIRST_PORT + 1,
    "pose": FIRST_PORT + 2,
    "lipsync": FIRST_PORT + 3,
    "compositor": FIRST_PORT + 4,
    "gateway": FIRST_PORT,
}
"""Names of the services with their ports; the gateway comes last, as it needs the others."""
LAST_FIRST_PORT: Final = 65535 - (len(SERVICES) - 1)


def loopback_addresses(services: Iterable[str], first_port: int) -> dict[str, str]:
    """Addresses on 127.0.0.1, in the usual order from `first_port` on."""
    shift = first_port - FIRST_PORT
    return {name: f"127.0.0.1:{SERVICES[name] + shift}" for name in services}


def taken(addresses: Mapping[str, str]) -> dict[str, str]:
    """Those of the addresses (``127.0.0.1:port`` or ``unix:/path``) where somebody listens."""
    return {name: address for name, address in addresses.items() if _is_taken(address)}


def _is_taken(address: str) -> bool:
    path = address.removeprefix("unix:")
    if path != address:
        return Path(path).is_socket() and _answers(path)
    host, _, port = address.rpartition(":")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As servers do: what a former one has left behind (TIME_WAIT) is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            # About all else the service itself says more.
            return error.errno == errno.EADDRINUSE
    return False


def _answers(path: str) -> bool:
    # The file of a socket outlives a server that was killed.
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
