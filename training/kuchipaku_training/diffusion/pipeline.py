"""The whole model as a pipeline of diffusers: put together, written to a folder, and run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoPipelineForText2Image, StableDiffusionPipeline
from numpy.typing import NDArray

from kuchipaku_imagegen.backends.diffusers_folder import DEFAULTS_FILE
from kuchipaku_training.checkpoints import put_averaged, put_weights, read_checkpoint
from kuchipaku_training.diffusion import networks
from kuchipaku_training.diffusion.denoiser import Denoiser
from kuchipaku_training.diffusion.latents import LinearLatents

#: What the folder asks for where the caller does not say; read by the image generation service.
STEP_COUNT: Final = 20
GUIDANCE_SCALE: Final = 3.0
_BATCH: Final = 8


@dataclass(frozen=True)
class Trained:
    """Averaged weights of the trainings, and their steps."""

    pipe: StableDiffusionPipeline
    decoder_steps: int
    reader_steps: int
    unet_steps: int


def load_trained(work: Path) -> Trained:
    """Put the trained parts in `work` together, in float32.

    Raises FailedPreconditionError if a checkpoint or the latents are missing.
    """
    runs = work / "runs"
    decoder = read_checkpoint(runs / "decoder.pt")
    vae = networks.build_autoencoder(LinearLatents.load(work / "latents.npz"))
    put_weights(vae.decoder, decoder["average"], runs / "decoder.pt")
    tokenizer = networks.build_tokenizer()
    denoiser = Denoiser(tokenizer)
    unet = put_averaged(denoiser, runs / "unet.pt")
    # A training that started from other weights needs no reader.
    reader = runs / "reader.pt"
    reader_steps = int(read_checkpoint(reader)["step"]) if reader.exists() else 0
    pipe = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=denoiser.text.eval(),
        tokenizer=tokenizer,
        unet=denoiser.unet.eval(),
        scheduler=networks.build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return Trained(pipe, int(decoder["step"]), reader_steps, int(unet["step"]))


def write_folder(trained: Trained, folder: Path) -> None:
    """Write the pipeline to `folder`: float16 safetensors, configurations and the defaults.

    The weights of `trained` are rounded to float16.
    """
    trained.pipe.to(dtype=torch.float16)
    trained.pipe.save_pretrained(folder, safe_serialization=True)
    defaults = {
        "format": 1,
        "step_count": STEP_COUNT,
        "guidance_scale": GUIDANCE_SCALE,
    }
    (folder / DEFAULTS_FILE).write_text(json.dumps(defaults, indent=2) + "\n", "utf-8")


def open_folder(folder: Path) -> Any:
    """Load a folder as the image generation service does on a CPU."""
    pipe = AutoPipelineForText2Image.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(
    pipe: Any,
    prompts: list[str],
    seed: int,
    negative: str = "",
    *,
    guidance: float = GUIDANCE_SCALE,
    steps: int = STEP_COUNT,
) -> NDArray[np.uint8]:
    """Pictures (n, 256, 256, 3) of prompts, with the seeds seed, seed + 1, ..."""
    parts = []
    for start in range(0, len(prompts), _BATCH):
        chosen = prompts[start : start + _BATCH]
        seeds = range(seed + start, seed + start + len(chosen))
        with torch.inference_mode():
            drawn = pipe(
                prompt=chosen,
                negative_prompt=[negative] * len(chosen),
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=[torch.Generator("cpu").manual_seed(one) for one in seeds],
                output_type="np",
            ).images
        parts.append(np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8))
    return np.concatenate(parts)
