"""Large models, loaded when they are needed and forgotten when memory is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import Any, TypeVar, cast

from kuchipaku_contract.errors import FailedPreconditionError

Model = TypeVar("Model")


@dataclass
class _Kept:
    model: Any
    size: int
    users: int = 0


class ModelCache:
    """Keeps models while they fit into `limit` bytes; the longest unused go first.

    One model is loaded at a time. A model in use is never dropped: who needs its room waits.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that all models together may take."""
        self._limit = limit
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._changed = Condition()
        self._loading = False

    @property
    def names(self) -> list[str]:
        """What is loaded, the longest unused first."""
        with self._changed:
            return list(self._kept)

    @contextmanager
    def use(self, name: str, size: int, load: Callable[[], Model]) -> Iterator[Model]:
        """The model `name`, of about `size` bytes, loaded by `load` if it is not there.

        Raises `FailedPreconditionError` MODEL_TOO_LARGE where it never fits, and what `load`
        raises.
        """
        if size > self._limit:
            raise FailedPreconditionError(
                f"The model {name} takes {size >> 20} MiB; {self._limit >> 20} MiB are allowed.",
                reason="MODEL_TOO_LARGE",
                model=name,
            )
        kept = self._taken(name, size)
        if kept is None:
            kept = self._load(name, size, load)
        try:
            yield cast("Model", kept.model)
        finally:
            with self._changed:
                kept.users -= 1
                self._changed.notify_all()

    def _taken(self, name: str, size: int) -> _Kept | None:
        """The model if it is there; else make room, and leave the loading to the caller."""
        with self._changed:
            while True:
                if name in self._kept:
                    self._kept.move_to_end(name)
                    self._kept[name].users += 1
                    return self._kept[name]
                if not self._loading and self._make_room(size):
                    self._loading = True
                    return None
                self._changed.wait()

    def _make_room(self, size: int) -> bool:
        for name in [name for name, kept in self._kept.items() if not kept.users]:
            if self._used() + size <= self._limit:
                break
            del self._kept[name]
        return self._used() + size <= self._limit

    def _used(self) -> int:
        return sum(kept.size for kept in self._kept.values())

    def _load(self, name: str, size: int, load: Callable[[], Model]) -> _Kept:
        kept = None
        try:
            kept = _Kept(load(), size, users=1)
            return kept
        finally:
            with self._changed:
                self._loading = False
                if kept is not None:
                    self._kept[name] = kept
                self._changed.notify_all()
