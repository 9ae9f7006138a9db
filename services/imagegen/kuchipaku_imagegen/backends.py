"""What draws pictures: one interface, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError, NotFoundError

from .illustrator import render
from .illustrator.prompt import parse_prompt

Rgba = NDArray[np.uint8]
Progress = Callable[[int, int, int], None]
"""Called with (picture, steps done, steps in all). Raises to end the work: let it through."""


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
    step_count: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request."""

    prompt: str
    negative_prompt: str
    seed: int
    image_count: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, and what became of the prompt."""

    pixels: Rgba
    """(height, width, 4) uint8, straight alpha, sRGB."""
    seed: int
    recognised: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


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


class IllustratorBackend:
    """The procedural illustrator: no weights, and the same bytes for the same order."""

    capabilities = Capabilities(
        name="illustrator",
        description="Procedural vector illustrator of anime characters.",
        license="Apache-2.0",
        draws_canvases=True,
        fixed_size_px=512,
    )

    def draw(self, order: Order, on_progress: Progress) -> Iterator[Drawing]:
        """See `ImageBackend.draw`."""
        for index in range(order.image_count):
            on_progress(index, 0, 1)
            seed = order.seed + index
            result = parse_prompt(order.prompt, seed)
            pixels = render(result.attributes)
            on_progress(index, 1, 1)
            yield Drawing(pixels, seed, result.recognised, result.ignored)


class Backends:
    """The backends by name; the first is the default."""

    def __init__(self, backends: tuple[ImageBackend, ...]) -> None:
        """Keep at least one backend."""
        self._by_name = {backend.capabilities.name: backend for backend in backends}
        self.default = backends[0]

    def __iter__(self) -> Iterator[ImageBackend]:
        """All of them, the default first."""
        return iter(self._by_name.values())

    def get(self, name: str) -> ImageBackend:
        """The backend of that name, or the default for an empty one. Raises `NotFoundError`."""
        if not name:
            return self.default
        if name not in self._by_name:
            raise NotFoundError(
                f"There is no image model {name!r}; there is {', '.join(self._by_name)}.",
                reason="IMAGE_MODEL_NOT_FOUND",
                field="model",
                model=name,
            )
        return self._by_name[name]


def check_size(capabilities: Capabilities, width_px: int, height_px: int) -> None:
    """Raise `InvalidArgumentError` for a size that the backend cannot draw; 0 is its own."""
    fixed = capabilities.fixed_size_px
    for name, value in (("width_px", width_px), ("height_px", height_px)):
        if value and fixed and value != fixed:
            raise InvalidArgumentError(
                f"{capabilities.name} draws pictures of {fixed} pixels a side.",
                reason="SIZE_NOT_SUPPORTED",
                field=name,
                size_px=fixed,
            )
