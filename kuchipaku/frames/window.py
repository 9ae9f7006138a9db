"""The reference window: which earlier pictures a frame may name.

Sender and receiver keep the same window by the same rule and never talk about it. A picture
enters under the id of its frame. A frame that only repeats a picture takes it over: the picture
is then known by the new id and no longer by the old one, and counts as the newest. While the
pictures exceed the window's bytes the one with the lowest id leaves; the newest always stays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from kuchipaku.frames.types import Rgba


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded pixels and, at the sender, the key that its content is known by."""

    pixels: Rgba
    key: Hashable | None = None


class ReferenceWindow:
    """Pictures by frame id, oldest first, bounded in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._pictures: OrderedDict[int, Picture] = OrderedDict()
        self._ids: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def size_bytes(self) -> int:
        """Bytes of pixels held."""
        return self._size

    def clear(self) -> None:
        """Forget everything, as at the start of an epoch."""
        self._pictures.clear()
        self._ids.clear()
        self._size = 0

    def find(self, frame_id: int) -> Picture | None:
        """The picture known by ``frame_id``, or None where it has left or been taken over."""
        return self._pictures.get(frame_id)

    def find_key(self, key: Hashable) -> int | None:
        """The frame id by which the picture with ``key`` is known now."""
        return self._ids.get(key)

    def add(self, frame_id: int, picture: Picture) -> None:
        """Enter a new picture as the newest and let the oldest leave."""
        self._pictures[frame_id] = picture
        self._size += picture.pixels.nbytes
        if picture.key is not None:
            self._ids[picture.key] = frame_id
        while self._size > self._max_bytes and len(self._pictures) > 1:
            old_id, old = self._pictures.popitem(last=False)
            self._size -= old.pixels.nbytes
            if old.key is not None and self._ids.get(old.key) == old_id:
                del self._ids[old.key]

    def take_over(self, old_id: int, frame_id: int) -> Picture | None:
        """Make ``frame_id`` the name of the picture known by ``old_id`` and return it."""
        picture = self._pictures.pop(old_id, None)
        if picture is None:
            return None
        self._pictures[frame_id] = picture
        if picture.key is not None and self._ids.get(picture.key) == old_id:
            self._ids[picture.key] = frame_id
        return picture
