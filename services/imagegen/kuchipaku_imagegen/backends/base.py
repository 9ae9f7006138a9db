"""What draws pictures: one interface, whatever stands behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

Rgba = NDArray[np.uint8]


class Progress(Protocol):
    """Hears of the work. Both raise to end it: let it through."""

    def __call__(self, index: int, step: int, step_count: int, preview: Rgba | None = None) -> None:
        """Picture `index` has done `step` of `step_count` steps; `preview` is a small picture."""
        ...

    def check(self) -> None:
        """Tell nothing; only ask whether the work is still wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do, told to callers and checked before work begins."""

    name: str
    description: str
    license: str
    supports_negative_prompt: bool = False
    supports_init_image: bool = False
    draws_canvases: bool = False
    """The pictures are framed and cut out as a canvas has to be."""
    fixed_size_px: int | None = None
    """Side of the square pictures, where it cannot be chosen."""
    default_size_px: int = 512
    size_multiple_px: int = 8
    step_count: int = 1
    chooses_steps: bool = False
    """Steps and guidance can be chosen."""
    guidance_scale: float = 0.0
    ignores_prompt: bool = False
    supports_interpolation: bool = False
    takes_free_text: bool = False
    """The prompt goes to the model within the template for portraits."""
    waits_for_device: bool = False
    """Drawing is mostly waiting for a turn on a device that is shared."""
    chooses_size: bool = True
    """Whether a size can be asked for; `fixed_size_px` and this one's lack forbid it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request. Sizes, steps and guidance are the effective ones."""

    prompt: str
    negative_prompt: str
    seed: int
    image_count: int
    width_px: int = 0
    height_px: int = 0
    step_count: int = 1
    guidance_scale: float = 0.0
    init_image: Rgba | None = None
    init_strength: float = 0.75
    end_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, and what became of the prompt."""

    pixels: Rgba
    """(height, width, 4) uint8, straight alpha, sRGB."""
    seed: int
    recognised: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    index: int | None = None
    """Which of the pictures; None: they come in order."""


class ImageBackend(Protocol):
    """Draws pictures from prompts. Blocking: callers run it in a thread."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def draw(self, order: Order, on_progress: Progress) -> Iterator[Drawing]:
        """Yield `image_count` pictures, made with the seeds seed, seed + 1, ...

        What `on_progress` raises at a step ends the work there.
        """
        ...


def effective_size(capabilities: Capabilities, width_px: int, height_px: int) -> tuple[int, int]:
    """The size that is drawn; 0 stands for the backend's own, and is what is returned for one
    that only drawing tells.

    Raises `InvalidArgumentError` SIZE_NOT_SUPPORTED for a size that it cannot draw.
    """
    fixed = capabilities.fixed_size_px
    own = fixed or capabilities.default_size_px
    for name, value in (("width_px", width_px), ("height_px", height_px)):
        if not value:
            continue
        if not capabilities.chooses_size:
            raise _size_error(f"{capabilities.name} draws pictures of its own size.", name)
        if fixed and value != fixed:
            message = f"{capabilities.name} draws pictures of {fixed} pixels a side."
            raise _size_error(message, name)
        least, most = LIMITS.min_generated_side_px, LIMITS.max_generated_side_px
        multiple = capabilities.size_multiple_px
        if not fixed and (not least <= value <= most or value % multiple):
            message = f"{name} is {least}-{most} and divisible by {multiple}."
            raise _size_error(message, name)
    if not capabilities.chooses_size:
        return 0, 0
    return width_px or own, height_px or own


def _size_error(message: str, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason="SIZE_NOT_SUPPORTED", field=field)


def effective_steps(
    capabilities: Capabilities, step_count: int, guidance_scale: float
) -> tuple[int, float]:
    """Steps and guidance that are used; 0 stands for the backend's own.

    Raises `InvalidArgumentError`: STEP_COUNT_OUT_OF_RANGE, GUIDANCE_SCALE_OUT_OF_RANGE.
    """
    if not 0 <= step_count <= LIMITS.max_diffusion_steps:
        raise InvalidArgumentError(
            f"step_count is 1-{LIMITS.max_diffusion_steps}.",
            reason="STEP_COUNT_OUT_OF_RANGE",
            field="step_count",
            limit=LIMITS.max_diffusion_steps,
        )
    if not math.isfinite(guidance_scale) or not 0 <= guidance_scale <= LIMITS.max_guidance_scale:
        raise InvalidArgumentError(
            f"guidance_scale is 0-{LIMITS.max_guidance_scale:g}.",
            reason="GUIDANCE_SCALE_OUT_OF_RANGE",
            field="guidance_scale",
            limit=LIMITS.max_guidance_scale,
        )
    if not capabilities.chooses_steps:
        return capabilities.step_count, 0.0
    return step_count or capabilities.step_count, guidance_scale or capabilities.guidance_scale
