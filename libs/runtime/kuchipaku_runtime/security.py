"""Who may call: TLS and mutual TLS from files, API keys from metadata."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

import grpc

from kuchipaku_contract import UnauthenticatedError
from kuchipaku_runtime.settings import MIN_API_KEY_CHARS, ChannelSettings, ServiceSettings

Metadata = Iterable[tuple[str, str | bytes]]

_BEARER = "bearer "


def server_credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    """Return the server's TLS credentials; None when TLS is off. Raises OSError."""
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    client_ca = _read(settings.tls_client_ca_file)
    pair = (settings.tls_key_file.read_bytes(), settings.tls_certificate_file.read_bytes())
    return grpc.ssl_server_credentials(
        [pair], root_certificates=client_ca, require_client_auth=client_ca is not None
    )


def channel_credentials(settings: ChannelSettings) -> grpc.ChannelCredentials | None:
    """Return a client's TLS credentials; None when TLS is off. Raises OSError."""
    if not settings.tls:
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=_read(settings.tls_ca_file),
        private_key=_read(settings.tls_key_file),
        certificate_chain=_read(settings.tls_certificate_file),
    )


class ApiKeys:
    """The accepted API keys, kept as digests."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> ApiKeys:
        """Gather the keys of the settings and of their file.

        Raises OSError when the file cannot be read and ValueError when it holds no key, since
        an empty file must not open the door, or one that is too short.
        """
        keys = [key.get_secret_value() for key in settings.api_keys]
        if settings.api_keys_file is not None:
            lines = settings.api_keys_file.read_text(encoding="utf-8").splitlines()
            from_file = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
            if not from_file:
                raise ValueError(f"no API key in {settings.api_keys_file}")
            if any(len(key) < MIN_API_KEY_CHARS for key in from_file):
                raise ValueError(
                    f"an API key in {settings.api_keys_file} has less than "
                    f"{MIN_API_KEY_CHARS} characters"
                )
            keys += from_file
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def authenticate(self, metadata: Metadata) -> str:
        """Return the fingerprint of the caller's key; empty when no keys are in force.

        Reads ``authorization: Bearer KEY`` or ``x-api-key: KEY``. Takes the same time whichever
        key matches, or none. Raises UnauthenticatedError.
        """
        if not self._digests:
            return ""
        offered = _offered_key(metadata)
        if offered is None:
            raise UnauthenticatedError(
                "An API key is needed: send metadata 'authorization: Bearer KEY'.",
                reason="API_KEY_MISSING",
            )
        digest = _digest(offered)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise UnauthenticatedError("The API key is not known.", reason="API_KEY_INVALID")
        return digest.hex()[:12]


def _offered_key(metadata: Metadata) -> str | None:
    for name, value in metadata:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if name == "x-api-key":
            return text
        if name == "authorization" and text[: len(_BEARER)].lower() == _BEARER:
            return text[len(_BEARER) :].strip()
    return None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
