"""Backends that draw pictures, by name."""

from __future__ import annotations

from collections.abc import Iterator

from kuchipaku_contract.errors import NotFoundError

from .base import (
    Capabilities,
    Drawing,
    ImageBackend,
    Order,
    Progress,
    effective_size,
    effective_steps,
)
from .illustrated import IllustratorBackend

__all__ = [
    "Backends",
    "Capabilities",
    "Drawing",
    "IllustratorBackend",
    "ImageBackend",
    "Order",
    "Progress",
    "effective_size",
    "effective_steps",
]


class Backends:
    """The backends by name; the first is the default unless another is named."""

    def __init__(self, backends: tuple[ImageBackend, ...], default: str = "") -> None:
        """Keep at least one backend. Raises `NotFoundError` for a default that is not there."""
        self._by_name = {backend.capabilities.name: backend for backend in backends}
        self.default = backends[0]
        self.default = self.get(default)

    def __iter__(self) -> Iterator[ImageBackend]:
        """All of them, in the order they were given."""
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
