"""Typed settings of a service, read from the environment and the command line.

A service subclasses `ServiceSettings`::

    class PoseSettings(ServiceSettings):
        model_config = service_config("pose")
        pack: Path = Field(default=Path("models/starter"), description="Folder of the pack.")

so that ``KUCHIPAKU_POSE_PACK`` and ``--pack`` set the field. Nested models take two
underscores: ``KUCHIPAKU_GATEWAY_PEERS__API_KEY``. No other module reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kuchipaku_contract import LIMITS
from kuchipaku_runtime.address import Address

_REDACTED = "**********"
_PREFIX = "KUCHIPAKU_"
MIN_API_KEY_CHARS = 16


def service_config(service: str) -> SettingsConfigDict:
    """Return the ``model_config`` of the settings of ``service``, as ``pose``."""
    if not re.fullmatch(r"[a-z][a-z0-9]*", service):
        raise ValueError(f"service name must be lower case letters and digits: {service!r}")
    return SettingsConfigDict(
        env_prefix=f"{_PREFIX}{service.upper()}_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
        cli_prog_name=f"kuchipaku-{service}",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )


class ChannelSettings(BaseModel):
    """How a client reaches its peers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tls: bool = Field(default=False, description="Use TLS towards the peer.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that sign peers; the system's without it.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate chain that this client shows (mutual TLS)."
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM private key of that certificate."
    )
    tls_server_name: str | None = Field(
        default=None,
        description="Name expected in the peer's certificate when it differs from the host.",
    )
    api_key: SecretStr | None = Field(default=None, description="API key sent with every call.")
    load_balancing: Literal["round_robin", "pick_first"] = Field(
        default="round_robin",
        description="Policy over the addresses that a peer's name resolves to.",
    )
    max_message_bytes: int = Field(
        default=LIMITS.max_message_bytes,
        gt=0,
        description="Largest gRPC message, either way, in bytes.",
    )
    keepalive_time_s: float = Field(
        default=60.0, ge=30.0, description="Seconds without traffic before the peer is pinged."
    )
    keepalive_timeout_s: float = Field(
        default=20.0,
        gt=0,
        description="Seconds without an answer to a ping until the connection is dead.",
    )

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        if not self.tls and (self.tls_certificate_file or self.tls_ca_file):
            raise ValueError("TLS files are given, but tls is off")
        return self


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting, for documentation."""

    variable: str
    default: str
    description: str


class ServiceSettings(BaseSettings):
    """What all services can be told. Immutable; every field is documented in place."""

    model_config = service_config("service")

    address: str = Field(
        default="127.0.0.1:50051",
        description="host:port (port 0: any free one) or unix:/path to listen on.",
    )
    metrics_address: str | None = Field(
        default=None, description="host:port of the Prometheus metrics over HTTP; none without it."
    )
    insecure: bool = Field(
        default=False,
        description="Allow an address beyond this machine with neither TLS nor API keys.",
    )
    reflection: bool = Field(default=True, description="Offer gRPC server reflection.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe level that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="One JSON object or one line of text per log record, on stderr."
    )

    tracing_endpoint: str | None = Field(
        default=None,
        pattern="^https?://[^/]+$",
        description="http://host:port or https://host:port of an OTLP collector (gRPC) for "
        "traces; none: no traces. Needs kuchipaku-runtime[tracing].",
    )
    tracing_sample_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Part of the traces begun here that is recorded.",
    )

    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate chain of the server; turns TLS on."
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM private key of the certificate."
    )
    tls_client_ca_file: Path | None = Field(
        default=None, description="PEM authorities of client certificates; turns mutual TLS on."
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Accepted API keys, parted by commas; none: no key is asked for."
    )
    api_keys_file: Path | None = Field(
        default=None, description="File with further API keys, one a line; # starts a comment."
    )

    drain_timeout_s: float = Field(
        default=30.0, ge=0, description="Seconds that running calls get to finish after SIGTERM."
    )
    max_message_bytes: int = Field(
        default=LIMITS.max_message_bytes,
        gt=0,
        description="Largest gRPC message, either way, in bytes.",
    )
    max_concurrent_streams: int = Field(
        default=1000,
        gt=0,
        description="Calls at a time on one connection; more wait at the client.",
    )
    max_connection_age_s: float | None = Field(
        default=600.0,
        gt=0,
        description="Age at which clients are asked to reconnect, so that load spreads.",
    )
    max_connection_age_grace_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds until an aged connection is cut; none: calls finish.",
    )
    keepalive_time_s: float = Field(
        default=60.0, gt=0, description="Seconds without traffic before a client is pinged."
    )
    keepalive_timeout_s: float = Field(
        default=20.0, gt=0, description="Seconds without an answer until a client counts as gone."
    )
    ping_interval_min_s: float = Field(
        default=10.0,
        gt=0,
        description="Clients may ping this often while nothing is sent; whoever pings more is "
        "disconnected (ENHANCE_YOUR_CALM, too_many_pings).",
    )

    malloc_mmap_threshold_mib: int = Field(
        default=32,
        ge=0,
        le=1024,
        description="Allocations of this size bypass the heap; 0: leave alone.",
    )
    malloc_trim_threshold_mib: int = Field(
        default=128,
        ge=0,
        le=4096,
        description="Free memory kept at the heap's top; 0: leave alone.",
    )
    malloc_top_pad_mib: int = Field(
        default=16,
        ge=0,
        le=1024,
        description="Memory added whenever the heap grows; 0: leave alone.",
    )
    malloc_arenas: int = Field(
        default=4, ge=0, le=256, description="Most heaps that threads spread over; 0: leave alone."
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _keys_are_long(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < MIN_API_KEY_CHARS for key in value):
            raise ValueError(f"an API key has at least {MIN_API_KEY_CHARS} characters")
        return value

    @field_validator("address", "metrics_address")
    @classmethod
    def _address_parses(cls, value: str | None) -> str | None:
        if value is not None:
            Address.parse(value)
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError("tls_client_ca_file needs tls_certificate_file and tls_key_file")
        protected = self.tls_certificate_file or self.api_keys or self.api_keys_file
        if not (self.insecure or protected or Address.parse(self.address).is_local):
            raise ValueError(
                f"refusing to listen on {self.address}, which other machines reach, without TLS "
                "or API keys; set them, or insecure=true where the network itself is trusted"
            )
        return self

    @classmethod
    def service_name(cls) -> str:
        """Return the service's short name, taken from the prefix of its variables."""
        return cls.model_config.get("env_prefix", "").removeprefix(_PREFIX).rstrip("_").lower()

    def describe(self) -> dict[str, Any]:
        """Return all values fit for a log: JSON types only, secrets replaced."""
        described = self.model_dump(mode="json")
        described["api_keys"] = [_REDACTED for _ in self.api_keys]
        return described

    @classmethod
    def rows(cls) -> Iterator[SettingRow]:
        """Yield every setting with its variable, default and meaning, for documentation."""
        yield from _rows(cls, cls.model_config.get("env_prefix", ""))


def _rows(model: type[BaseModel], prefix: str) -> Iterator[SettingRow]:
    for name, info in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _rows(info.annotation, f"{variable}__")
            continue
        # A default that a function makes depends on the machine; its description tells it.
        open_ended = info.is_required() or info.default_factory or info.default is None
        text = "" if open_ended else str(info.default)
        yield SettingRow(variable, text, info.description or "")
