"""What a folder of diffusers (https://github.com/huggingface/diffusers) says about its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_UNKNOWN_BYTES: Final = 6 * 2**30


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """Sizes and defaults, known before the model is loaded."""

    size_px: int
    size_multiple_px: int
    step_count: int
    guidance_scale: float
    weight_bytes: int


def read_facts(source: str) -> FolderFacts:
    """Read a local folder; for a hub id, and for what a folder does not say, the usual values."""
    folder = Path(source)
    index = _json(folder / "model_index.json")
    unet = _json(folder / "unet" / "config.json")
    vae = _json(folder / "vae" / "config.json")
    scheduler = _json(folder / "scheduler" / "scheduler_config.json")
    shrink = 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
    is_xl = "XL" in str(index.get("_class_name", source)).upper()
    side = unet.get("sample_size")
    size = side * shrink if isinstance(side, int) else (1024 if is_xl else 512)
    steps, guidance = _pace(scheduler, is_xl=is_xl)
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    return FolderFacts(size, max(8, shrink), steps, guidance, weights or _UNKNOWN_BYTES)


def _pace(scheduler: dict[str, Any], *, is_xl: bool) -> tuple[int, float]:
    """Steps and guidance that fit the scheduler."""
    kind = str(scheduler.get("_class_name", ""))
    if kind in ("LCMScheduler", "TCDScheduler"):
        return 4, 1.0
    if (
        kind == "EulerAncestralDiscreteScheduler"
        and scheduler.get("timestep_spacing") == "trailing"
    ):
        # The recipe of SD-Turbo and SDXL-Turbo: one step, no guidance.
        return 1, 0.0
    return (30, 5.0) if is_xl else (25, 7.0)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
