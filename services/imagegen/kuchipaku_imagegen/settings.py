"""Settings of the image generation service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kuchipaku_contract.limits import LIMITS
from kuchipaku_runtime import ServiceSettings, service_config

from .prompts import AVOIDED, PLACE, PORTRAIT


def default_models_folder() -> Path:
    """Where the starter networks are: models/starter of a checkout, or below the environment."""
    in_checkout = Path(__file__).resolve().parents[3] / "models" / "starter"
    if in_checkout.is_dir():
        return in_checkout
    return Path(sys.prefix) / "share" / "kuchipaku" / "models"


class ImageModelSettings(BaseModel):
    """One image model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(
        pattern=r"^(diffusers|gan):.+$",
        description="diffusers:FOLDER, diffusers:HUB/ID or gan:FILE.onnx.",
    )
    lora: Path | None = Field(default=None, description="LoRA file or folder (safetensors).")
    lora_scale: float = Field(default=1.0, ge=-4, le=4, description="Strength of the LoRA.")
    lcm: bool = Field(default=False, description="Use the scheduler of LCM models.")
    step_count: int | None = Field(default=None, ge=1, le=LIMITS.max_diffusion_steps)
    guidance_scale: float | None = Field(default=None, ge=0, le=LIMITS.max_guidance_scale)
    size_px: int | None = Field(default=None, ge=64, le=LIMITS.max_generated_side_px, multiple_of=8)
    license: str = Field(default="as its publisher says", max_length=200)


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
        default=16,
        ge=0,
        le=1024,
        description="Requests that may wait for a job before others are refused.",
    )
    models: dict[str, ImageModelSettings] = Field(
        default_factory=dict,
        description='Image models beside the illustrator, as JSON: {"NAME": {"source": '
        '"diffusers:FOLDER", "lora": ..., "lcm": ..., "step_count": ..., "guidance_scale": ..., '
        '"size_px": ..., "license": ...}}; "gan:FILE.onnx" is a source, too.',
    )
    default_model: str = Field(
        default="illustrator", description="Image model of requests that name none."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where diffusion models run: auto, cpu, cuda or cuda:N.",
    )
    network_device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="Where matting, head finding and GANs run."
    )
    network_threads: int = Field(
        default=1, ge=1, le=64, description="Threads of one run of those networks."
    )
    model_memory_mib: int = Field(
        default=12_288, ge=1, description="Diffusion models that are kept loaded together."
    )
    batch_limit: int = Field(
        default=4, ge=1, le=16, description="Pictures that a diffusion model draws together."
    )
    allow_downloads: bool = Field(
        default=False, description="Let diffusers and rembg fetch models that are not there."
    )
    starter_models: Path = Field(
        default_factory=default_models_folder,
        description="Folder with matting/ and headbox/. By default models/starter of the checkout, "
        "or share/kuchipaku/models of the environment.",
    )
    matting_model: str = Field(
        default="", description="Default of RemoveBackground; empty: starter, if it is there."
    )
    rembg_folder: Path | None = Field(
        default=None, description="Folder with rembg's models, NAME.onnx each; none: without rembg."
    )
    cascade_file: Path | None = Field(
        default=None, description="OpenCV cascade that finds faces in the head-box network's place."
    )
    prompt_template: str = Field(
        default=PORTRAIT, max_length=2000, description="What models that take free text are given."
    )
    negative_template: str = Field(
        default=AVOIDED, max_length=2000, description="The same for negative prompts."
    )
    blocklist_file: Path | None = Field(
        default=None, description="File of words and phrases, one a line, that no prompt may hold."
    )

    @field_validator("prompt_template", "negative_template")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        if PLACE not in value:
            raise ValueError(f"a prompt template needs {PLACE}")
        return value

    @field_validator("models")
    @classmethod
    def _names_are_plain(
        cls, value: dict[str, ImageModelSettings]
    ) -> dict[str, ImageModelSettings]:
        for name in value:
            if not name or name == "illustrator" or len(name) > 64 or not name.isprintable():
                raise ValueError(f"{name!r} cannot be the name of an image model")
        return value
