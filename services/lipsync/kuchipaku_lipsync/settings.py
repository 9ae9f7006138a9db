"""Settings of the lip sync service."""

from __future__ import annotations

from pydantic import Field

from kuchipaku_runtime import ServiceSettings, service_config


class LipsyncSettings(ServiceSettings):
    """``KUCHIPAKU_LIPSYNC_...``."""

    model_config = service_config("lipsync")

    address: str = Field(
        default="127.0.0.1:50053", description="host:port (port 0: any free one) or unix:/path."
    )
    workers: int = Field(
        default=2,
        ge=1,
        le=256,
        description="Recogniser processes: as many recordings are recognised at the same time. "
        "Each takes one core and about 220 MB.",
    )
    queue_limit: int = Field(
        default=16,
        ge=0,
        le=4096,
        description="Recordings that may wait for a recogniser before others are refused.",
    )
    live_workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes for audio that is recognised while it comes. Each takes up to one "
        "core, and about 120 MB and up to 13 MB more for each stream.",
    )
    live_streams_per_worker: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Streams that one such process serves; each takes up to 0.08 of a core.",
    )
    rhubarb_path: str = Field(
        default="",
        description="The program of Rhubarb Lip Sync, for those who ask for it. Empty: the one on "
        "the PATH, if any.",
    )
    cache_mib: int = Field(
        default=32,
        ge=0,
        le=65_536,
        description="MiB of answers kept for lines that are heard again; 0: none.",
    )
    preload: bool = Field(
        default=True,
        description="Load the recognisers for English at start instead of at first use.",
    )
    max_streams: int = Field(
        default=128,
        ge=1,
        le=10_000,
        description="Calls that may send audio at the same time.",
    )
    max_buffered_audio_mib: int = Field(
        default=512,
        ge=1,
        le=65_536,
        description="MiB of audio held for all calls together while it arrives and waits.",
    )
    audio_timeout_s: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Longest wait for the next message of a call that sends audio.",
    )
    time_limit_s: float = Field(
        default=900.0,
        gt=0,
        le=86_400,
        description="Longest time that the recognition of one recording may take.",
    )
