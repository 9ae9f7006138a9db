"""``kuchipaku-health ADDRESS``: ask a service's health, for containers and scripts.

Exit status 0: SERVING; 1: it answers otherwise; 2: it does not answer, or usage is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from kuchipaku_runtime.health import UNREACHABLE, check_health
from kuchipaku_runtime.settings import ChannelSettings

_LIMIT_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask once, print the answer, return the exit status."""
    parser = argparse.ArgumentParser(prog="kuchipaku-health", description="Ask a service's health.")
    parser.add_argument("address", help="host:port or unix:/path")
    parser.add_argument("--service", default="", help="gRPC service; all of the server without it")
    parser.add_argument("--tls-ca", type=Path, help="use TLS; PEM file of the authorities")
    parser.add_argument("--tls-server-name", help="name in the certificate, where it differs")
    given = parser.parse_args(arguments)
    settings = ChannelSettings(
        tls=given.tls_ca is not None,
        tls_ca_file=given.tls_ca,
        tls_server_name=given.tls_server_name,
    )
    check = check_health(given.address, settings, service=given.service, timeout_s=_LIMIT_S)
    report = asyncio.run(check)
    sys.stdout.write(f"{report.status}\n")
    if report.healthy:
        return 0
    return 2 if report.status == UNREACHABLE else 1


if __name__ == "__main__":
    sys.exit(main())
