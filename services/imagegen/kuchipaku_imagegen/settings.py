"""Settings of the image generation service."""

from __future__ import annotations

from pydantic import Field

from kuchipaku_runtime import ServiceSettings, service_config


class ImagegenSettings(ServiceSettings):
    """``KUCHIPAKU_IMAGEGEN_...``."""

    model_config = service_config("imagegen")

    address: str = Field(
        default="127.0.0.1:50051", description="host:port (port 0: any free one) or unix:/path."
    )
    jobs: int = Field(
        default=2, ge=1, le=64, description="Pictures drawn or fitted at the same time."
    )
    queue_limit: int = Field(
        16, ge=0, le=1024, description="Requests that may wait for a job before others are refused."
    )
