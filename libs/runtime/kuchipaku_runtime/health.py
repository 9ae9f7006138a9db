"""Health of servers, also behind TLS and API keys."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import grpc.aio

from kuchipaku_runtime.channel import connect
from kuchipaku_runtime.settings import ChannelSettings

SERVING: Final = "SERVING"
UNREACHABLE: Final = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer of one server."""

    address: str
    status: str
    """``SERVING``, ``NOT_SERVING``, ``SERVICE_UNKNOWN`` or ``UNREACHABLE``."""
    seconds: float
    """Time to the answer, connecting included."""
    detail: str = ""
    """Why the server is unreachable."""

    @property
    def healthy(self) -> bool:
        """Whether the server takes calls."""
        return self.status == SERVING


async def check_health(
    address: str,
    settings: ChannelSettings | None = None,
    *,
    service: str = "",
    timeout_s: float = 3.0,
) -> HealthReport:
    """Ask the server at ``address`` for the health of ``service`` (empty: of all of it)."""
    started = time.monotonic()
    async with connect(address, settings) as peer:
        try:
            status, detail = await peer.check(service, timeout_s=timeout_s), ""
        except grpc.aio.AioRpcError as error:
            status, detail = UNREACHABLE, f"{error.code().name}: {error.details()}"
    return HealthReport(address, status, time.monotonic() - started, detail)
