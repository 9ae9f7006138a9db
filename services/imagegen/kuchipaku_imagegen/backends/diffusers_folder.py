"""What a folder of diffusers (https://github.com/huggingface/diffusers) says about its model."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kuchipaku_contract.limits import LIMITS

#: Parameters of models that cannot be looked into: about those of SDXL, and of all before it.
_PARAMETERS_XL: Final = 3_500_000_000
_PARAMETERS: Final = 1_400_000_000
#: A file's table of contents; those of the largest models have some hundred kilobytes.
_MAX_HEADER_BYTES: Final = 32 * 2**20
#: Steps and guidance that a model is made for, where they are not those of Stable Diffusion.
DEFAULTS_FILE: Final = "kuchipaku.json"
#: Files that `from_pretrained` loads without being told of a variant: no ".fp16." and the like.
_PLAIN_FILE: Final = re.compile(r"[^.]+(-\d+-of-\d+)?\.safetensors")


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """Sizes and defaults, known before the model is loaded."""

    size_px: int
    size_multiple_px: int
    step_count: int
    guidance_scale: float
    parameter_count: int


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
    steps, guidance = _pace(scheduler, _json(folder / DEFAULTS_FILE), is_xl=is_xl)
    parameters = sum(_parameters(path) for path in _loaded_files(folder, index))
    usual = _PARAMETERS_XL if is_xl else _PARAMETERS
    return FolderFacts(size, max(8, shrink), steps, guidance, parameters or usual)


def _loaded_files(folder: Path, index: dict[str, Any]) -> list[Path]:
    """The weights of the components that the index names; other files may lie beside them."""
    return [
        path
        for name, kind in index.items()
        if isinstance(kind, list) and any(kind)
        for path in sorted((folder / name).glob("*.safetensors"))
        if _PLAIN_FILE.fullmatch(path.name)
    ]


def _parameters(path: Path) -> int:
    """How many numbers a safetensors file holds, by its table of contents."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                return 0
            table = json.loads(stream.read(length))
        return sum(
            math.prod(entry["shape"]) for name, entry in table.items() if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0  # a damaged file is told of when it is loaded


def _pace(scheduler: dict[str, Any], own: dict[str, Any], *, is_xl: bool) -> tuple[int, float]:
    """Steps and guidance that the folder asks for, or else that fit the scheduler."""
    usual_steps, usual_guidance = _usual_pace(scheduler, is_xl=is_xl)
    steps, guidance = own.get("step_count"), own.get("guidance_scale")
    if not isinstance(steps, int) or not 1 <= steps <= LIMITS.max_diffusion_steps:
        steps = usual_steps
    if not isinstance(guidance, int | float) or not 0 <= guidance <= LIMITS.max_guidance_scale:
        guidance = usual_guidance
    return steps, float(guidance)


def _usual_pace(scheduler: dict[str, Any], *, is_xl: bool) -> tuple[int, float]:
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
