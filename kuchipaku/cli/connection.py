"""How a command reaches a running service."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc

from kuchipaku.client import DEFAULT_ADDRESS, Client
from kuchipaku_contract.limits import LIMITS

_Command = TypeVar("_Command", bound=Callable[..., Any])

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", LIMITS.max_message_bytes),
    ("grpc.max_send_message_length", LIMITS.max_message_bytes),
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a service may want to see of us, and we of it."""

    api_key: str | None = None
    tls_ca: Path | None = None
    """PEM file of the authorities that sign services; without it nothing is encrypted."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with every call."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """What the connection is encrypted with, if it is."""
        if self.tls_ca is None:
            return None
        return grpc.ssl_channel_credentials(self.tls_ca.read_bytes())

    def channel(self, address: str) -> grpc.aio.Channel:
        """A connection to any service."""
        if (credentials := self.credentials) is None:
            return grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)

    def client(self, address: str) -> Client:
        """A connection to a gateway."""
        return Client(address, credentials=self.credentials, api_key=self.api_key)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs somewhere."""

    address: str
    access: Access

    def client(self) -> Client:
        """A connection to it."""
        return self.access.client(self.address)


def access_options(command: _Command) -> _Command:
    """Add --api-key and --tls-ca; the command gets them as ``access``."""

    @functools.wraps(command)
    def with_access(*, api_key: str | None, tls_ca: Path | None, **given: Any) -> Any:
        return command(**given, access=Access(api_key, tls_ca))

    api_key = click.option(
        "--api-key", envvar="KUCHIPAKU_API_KEY", help="API key for a service that wants one."
    )
    tls_ca = click.option(
        "--tls-ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="KUCHIPAKU_TLS_CA",
        help="Use TLS; PEM file of the authorities that may have signed the service.",
    )
    wrapped: Any = api_key(tls_ca(with_access))
    return wrapped  # type: ignore[no-any-return]


def gateway_options(command: _Command) -> _Command:
    """Add --gateway, --api-key and --tls-ca; the command gets them as ``gateway``."""

    @functools.wraps(command)
    def with_gateway(*, gateway: str, access: Access, **given: Any) -> Any:
        return command(**given, gateway=Gateway(gateway, access))

    address = click.option(
        "--gateway",
        default=DEFAULT_ADDRESS,
        show_default=True,
        envvar="KUCHIPAKU_GATEWAY",
        help="Address of the gateway, host:port or unix:/path.",
    )
    wrapped: Any = address(access_options(with_gateway))
    return wrapped  # type: ignore[no-any-return]
