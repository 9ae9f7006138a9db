"""Settings of the compositor service."""

from __future__ import annotations

from pydantic import Field

from kuchipaku_runtime import ServiceSettings, service_config


class CompositorSettings(ServiceSettings):
    """Settings of the compositor service."""

    model_config = service_config("compositor")

    address: str = Field(
        default="127.0.0.1:50054",
        description="Where to listen: host:port or unix:/path.",
    )
    max_concurrent_jobs: int = Field(
        default=2,
        ge=1,
        le=256,
        description="Videos and sprite sheets that are made at the same time.",
    )
    max_queued_jobs: int = Field(
        default=8,
        ge=0,
        le=10_000,
        description="Jobs that wait for a free place before further ones are refused.",
    )
    input_timeout_s: float = Field(
        default=1200.0,
        gt=0,
        le=3600,
        description="Longest wait for the next message of a call, which holds a place meanwhile. "
        "The gateway sends frames once speech is recognised: longer than the lip sync service's "
        "time limit, and than a wait in its queue.",
    )
    encoder_threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Threads of one video encoder.",
    )
    max_gif_duration_s: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Longest GIF or animated WebP in seconds; both grow in memory until they end.",
    )
