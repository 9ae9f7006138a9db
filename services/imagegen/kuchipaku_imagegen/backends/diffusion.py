"""Stable Diffusion and its kin by diffusers, which is imported when the first is loaded.

Every picture has a generator of its own, made from its seed on the CPU, so that neither the batch
nor the device decides what is drawn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kuchipaku_contract.errors import (
    FailedPreconditionError,
    KuchipakuError,
    ResourceExhaustedError,
)
from kuchipaku_imagegen.modelcache import ModelCache

from .base import Capabilities, Drawing, Order, Progress
from .batching import AbandonedError, Device, Job
from .diffusers_folder import read_facts

Rgba = NDArray[np.uint8]
#: Previews in the course of one picture.
_PREVIEWS: Final = 5


@dataclass(frozen=True, slots=True)
class DiffusionSpec:
    """A model as the settings name it."""

    name: str
    source: str
    """Folder or hub id."""
    lora: Path | None = None
    lora_scale: float = 1.0
    lcm: bool = False
    """Use the scheduler of latent consistency models."""
    step_count: int | None = None
    guidance_scale: float | None = None
    size_px: int | None = None
    license: str = "as its publisher says"


@dataclass(frozen=True, slots=True)
class DiffusionOptions:
    """Where and how models run."""

    device: str = "auto"
    allow_downloads: bool = False


class DiffusionBackend:
    """One diffusers pipeline: text to picture, and picture to picture."""

    def __init__(
        self, spec: DiffusionSpec, options: DiffusionOptions, cache: ModelCache, device: Device
    ) -> None:
        """Nothing is loaded before the first picture."""
        self._spec, self._options = spec, options
        self._cache, self._device = cache, device
        facts = read_facts(spec.source)
        self._parameters = facts.parameter_count
        steps = 4 if spec.lcm else facts.step_count
        guidance = 1.0 if spec.lcm else facts.guidance_scale
        self.capabilities = Capabilities(
            name=spec.name,
            description=f"Diffusion model {Path(spec.source).name}.",
            license=spec.license,
            supports_negative_prompt=True,
            supports_init_image=True,
            default_size_px=spec.size_px or facts.size_px,
            size_multiple_px=facts.size_multiple_px,
            step_count=spec.step_count or steps,
            chooses_steps=True,
            guidance_scale=guidance if spec.guidance_scale is None else spec.guidance_scale,
            takes_free_text=True,
            waits_for_device=True,
        )

    def draw(self, order: Order, on_progress: Progress) -> Iterator[Drawing]:
        """See `ImageBackend.draw`.

        Raises `FailedPreconditionError`: DIFFUSERS_NOT_INSTALLED, MODEL_NOT_LOADABLE,
        MODEL_TOO_LARGE; `ResourceExhaustedError` OUT_OF_MEMORY.
        """
        return self._device.draw(order, self._key(order), self._run, on_progress)

    def _key(self, order: Order) -> tuple[object, ...]:
        start = b"" if order.init_image is None else order.init_image.tobytes()
        settings = (order.width_px, order.height_px, order.step_count, order.guidance_scale)
        picture = (hashlib.sha256(start).hexdigest(), order.init_strength)
        return (self._spec.name, *settings, *picture)

    def _run(self, jobs: list[Job]) -> list[Rgba]:
        load = partial(_load, self._spec, self._options)
        size = self._parameters * (2 if _device(self._options).startswith("cuda") else 4)
        try:
            with self._cache.use(self._spec.name, size, load) as pipeline:
                return pipeline.draw(jobs, self._device)
        except (KuchipakuError, AbandonedError):
            raise
        except Exception as error:
            if "OutOfMemory" in type(error).__name__ or isinstance(error, MemoryError):
                raise ResourceExhaustedError(
                    "The picture does not fit into the memory of the device: ask for a smaller "
                    "one, or for fewer.",
                    reason="OUT_OF_MEMORY",
                ) from error
            raise


class _Pipeline:
    """A loaded pipeline. Used by one thread at a time."""

    def __init__(self, pipe: Any, torch: Any, preview: NDArray[np.float32] | None) -> None:
        self._pipe, self._torch, self._preview = pipe, torch, preview
        self._from_picture: Any = None

    def draw(self, jobs: list[Job], device: Device) -> list[Rgba]:
        """Draw a batch."""
        order = jobs[0].order
        pipe, given = self._pipe, self._arguments(jobs)
        step_count = order.step_count
        if order.init_image is None:
            given |= {"width": order.width_px, "height": order.height_px}
        else:
            pipe = self._picture_pipe()
            # diffusers runs the last `strength` of the steps; of few steps that would be none.
            whole = max(step_count, math.ceil(1.0 / order.init_strength))
            step_count = min(whole, int(whole * order.init_strength))
            given |= {
                "image": [_start(order)] * len(jobs),
                "strength": order.init_strength,
                "num_inference_steps": whole,
            }
        given["callback_on_step_end"] = partial(self._stepped, jobs, device, step_count)
        device.progress(jobs, 0, step_count, None)
        with self._torch.inference_mode():
            output = pipe(**given)
        return [_rgba(picture) for picture in output.images]

    def _arguments(self, jobs: list[Job]) -> dict[str, Any]:
        order = jobs[0].order
        generators = [self._torch.Generator("cpu").manual_seed(job.seed % 2**63) for job in jobs]
        return {
            "prompt": [job.order.prompt for job in jobs],
            "negative_prompt": [job.order.negative_prompt for job in jobs],
            "num_inference_steps": order.step_count,
            "guidance_scale": order.guidance_scale,
            "generator": generators,
            "output_type": "np",
            "callback_on_step_end_tensor_inputs": ["latents"],
        }

    def _picture_pipe(self) -> Any:
        if self._from_picture is None:
            kinds = import_module("diffusers")
            self._from_picture = kinds.AutoPipelineForImage2Image.from_pipe(self._pipe)
            self._from_picture.set_progress_bar_config(disable=True)
        return self._from_picture

    def _stepped(
        self,
        jobs: list[Job],
        device: Device,
        step_count: int,
        _pipe: Any,
        step: int,
        _time: Any,
        tensors: dict[str, Any],
    ) -> dict[str, Any]:
        """Called by diffusers after each step; what it raises ends the work."""
        previews = None
        if (step + 1) % math.ceil(step_count / _PREVIEWS) == 0:
            previews = self._previews(tensors["latents"])
        device.progress(jobs, min(step + 1, step_count), step_count, previews)
        return tensors

    def _previews(self, latents: Any) -> list[Rgba] | None:
        if self._preview is None:
            return None
        values = latents.detach().float().cpu().numpy().transpose(0, 2, 3, 1)
        colour = values @ self._preview[:-1] + self._preview[-1]
        return [_rgba(picture) for picture in np.nan_to_num(colour)]


def _start(order: Order) -> Image.Image:
    """The picture to start from, on white where it is transparent, cropped to the wanted shape."""
    picture = Image.fromarray(np.asarray(order.init_image))
    ground = Image.new("RGBA", picture.size, "white")
    whole = Image.alpha_composite(ground, picture).convert("RGB")
    return ImageOps.fit(whole, (order.width_px, order.height_px), Image.Resampling.LANCZOS)


def _rgba(picture: NDArray[np.floating[Any]]) -> Rgba:
    """RGBA of values (h, w, 3) in 0..1."""
    levels = np.rint(np.clip(np.nan_to_num(picture), 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.dstack([levels, np.full(levels.shape[:2], 255, np.uint8)])


def _load(spec: DiffusionSpec, options: DiffusionOptions) -> _Pipeline:
    try:
        torch, kinds = import_module("torch"), import_module("diffusers")
        texts = import_module("transformers")
    except ImportError as error:
        raise FailedPreconditionError(
            "diffusers is not installed: install kuchipaku-imagegen[diffusion].",
            reason="DIFFUSERS_NOT_INSTALLED",
            model=spec.name,
        ) from error
    device = _device(options)
    precision = torch.float16 if device.startswith("cuda") else torch.float32
    try:
        kinds.utils.logging.disable_progress_bar()
        texts.utils.logging.disable_progress_bar()
        pipe = kinds.AutoPipelineForText2Image.from_pretrained(
            spec.source,
            dtype=precision,
            use_safetensors=True,
            local_files_only=not options.allow_downloads,
        )
        if spec.lora is not None:
            _add_lora(pipe, spec)
    except KuchipakuError:
        raise
    except Exception as error:  # whatever a damaged or foreign folder makes diffusers raise
        raise FailedPreconditionError(
            f"The model {spec.name} cannot be loaded: its folder is missing, damaged, without "
            "safetensors files, or of a kind that is not supported.",
            reason="MODEL_NOT_LOADABLE",
            model=spec.name,
        ) from error
    if spec.lcm:
        pipe.scheduler = kinds.LCMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    pipe.to(device)
    return _Pipeline(pipe, torch, _preview_map(pipe, torch))


def _device(options: DiffusionOptions) -> str:
    if options.device != "auto":
        return options.device
    try:
        torch = import_module("torch")
    except ImportError:
        return "cpu"
    return "cuda" if torch.cuda.is_available() else "cpu"


def _add_lora(pipe: Any, spec: DiffusionSpec) -> None:
    place = _adapter_file(Path(str(spec.lora)))
    try:
        import_module("peft")
    except ImportError as error:
        raise FailedPreconditionError(
            "LoRA needs peft: install kuchipaku-imagegen[diffusion].",
            reason="PEFT_NOT_INSTALLED",
            model=spec.name,
        ) from error
    pipe.load_lora_weights(str(place.parent), weight_name=place.name, local_files_only=True)
    pipe.fuse_lora(lora_scale=spec.lora_scale)
    pipe.unload_lora_weights()


def _adapter_file(place: Path) -> Path:
    if place.is_dir():
        files = sorted(place.glob("*.safetensors"))
        if not files:
            raise FileNotFoundError(f"no safetensors file in {place}")
        return files[0]
    if place.suffix != ".safetensors":
        raise ValueError("a LoRA is a safetensors file; others could hold code")
    return place


def _preview_map(pipe: Any, torch: Any) -> NDArray[np.float32] | None:
    """The linear map (channels + 1, 3) from latents to colours that is nearest to the decoder."""
    vae = pipe.vae
    channels = int(vae.config.latent_channels)
    generator = torch.Generator("cpu").manual_seed(0)
    latents = torch.randn(1, channels, 16, 16, generator=generator).to(vae.device, vae.dtype)
    scale = float(getattr(vae.config, "scaling_factor", 1.0) or 1.0)
    with torch.inference_mode():
        picture = vae.decode(latents / scale, return_dict=False)[0].float()
    if not bool(torch.isfinite(picture).all()):
        return None
    small = torch.nn.functional.adaptive_avg_pool2d(picture, (16, 16))[0].cpu().numpy()
    colour = small.transpose(1, 2, 0).reshape(-1, 3) * 0.5 + 0.5
    values = latents[0].float().cpu().numpy().transpose(1, 2, 0).reshape(-1, channels)
    table = np.concatenate([values, np.ones((len(values), 1), np.float32)], 1)
    return np.asarray(np.linalg.lstsq(table, colour, rcond=None)[0], np.float32)
