"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from kuchipaku_runtime import ChannelSettings, ServiceSettings, service_config


class GatewaySettings(ServiceSettings):
    """``KUCHIPAKU_GATEWAY_...``."""

    model_config = service_config("gateway")

    address: str = Field(
        default="127.0.0.1:50050", description="host:port (port 0: any free one) or unix:/path."
    )
    imagegen_address: str = Field(
        default="127.0.0.1:50051",
        description="Image generation: host:port, unix:/path or dns:///name:port.",
    )
    pose_address: str = Field(default="127.0.0.1:50052", description="Pose service.")
    lipsync_address: str = Field(default="127.0.0.1:50053", description="Lip sync service.")
    compositor_address: str = Field(default="127.0.0.1:50054", description="Compositor service.")
    peers: ChannelSettings = Field(
        default_factory=ChannelSettings, description="How the services behind are reached."
    )
    store_url: str = Field(
        default_factory=lambda: f"file://{Path('kuchipaku-data').resolve()}",
        description="fsspec URL of the character store, for example file:///var/lib/kuchipaku; by "
        "default kuchipaku-data in the working directory.",
    )
    sessions: int = Field(
        default=32, ge=1, le=10_000, description="Speak sessions served at the same time."
    )
    openings: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Speak sessions opened at the same time; others wait, so that in a rush frames "
        "and refusals need not.",
    )
    videos: int = Field(
        default=4, ge=1, le=1000, description="Videos and sets of sprites made at the same time."
    )
    creations: int = Field(
        default=8, ge=1, le=1000, description="Characters made at the same time."
    )
    queue_limit: int = Field(
        default=16,
        ge=0,
        le=1024,
        description="Videos, sprites and creations that may wait before others are refused.",
    )
    backlog_mib: int = Field(
        default=64, ge=1, le=1024, description="What may wait in a session, above all audio."
    )
    config_timeout_s: float = Field(
        default=30.0, gt=0, description="How long a stream may take to send its config."
    )
    idle_timeout_s: float = Field(
        default=600.0, gt=0, description="How long a session may do nothing."
    )
    peer_patience_s: float = Field(
        default=10.0,
        ge=0,
        description="How long a full service behind is asked again before a call fails.",
    )
