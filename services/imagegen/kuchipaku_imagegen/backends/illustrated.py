"""The procedural illustrator as a backend."""

from __future__ import annotations

from collections.abc import Iterator

from kuchipaku_imagegen.illustrator import render
from kuchipaku_imagegen.illustrator.prompt import parse_prompt

from .base import Capabilities, Drawing, Order, Progress


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
