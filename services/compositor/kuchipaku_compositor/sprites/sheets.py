"""Sprites to PNG sheets and a description in Aseprite's JSON.

The description is the array form that Aseprite exports and that Phaser, PixiJS, Godot and Unity
importers read (https://www.aseprite.org/docs/cli/#format): ``frames`` with ``frame``,
``spriteSourceSize``, ``sourceSize`` and ``duration`` in milliseconds, ``meta`` with
``frameTags``. Where there are several sheets each frame also tells its ``image``.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuchipaku_compositor.sprites.packing import Page, largest_side, pack
from kuchipaku_contract.errors import CancelledByClientError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.picture import encode_png

DESCRIPTION_FILE = "sprites.json"
_PNG_LEVEL = 6
_MIN_DURATION_MS = 1
_DEFAULT_DURATION_MS = 100


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """How sheets are laid out; lengths in pixels."""

    max_side: int = 4096
    power_of_two: bool = False
    trim: bool = False
    padding: int = 0

    @property
    def page_side(self) -> int:
        """The longest side that a sheet really has."""
        return largest_side(self.max_side, power_of_two=self.power_of_two)


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A finished file."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Box:
    """Part of a frame that is kept: upper left corner and size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Sprite:
    name: str
    tag: str
    duration_ms: int
    source: tuple[int, int]
    box: _Box
    image: int
    """Index of the kept pixels; equal sprites share them."""


class SpritePacker:
    """Collects sprites, then makes the files. Equal pictures are stored once."""

    def __init__(self, options: SheetOptions) -> None:
        self._options = options
        self._sprites: dict[str, _Sprite] = {}
        self._images: list[NDArray[np.uint8]] = []
        self._known: dict[bytes, int] = {}
        self._pixels = 0
        self._cancelled = threading.Event()
        self.sheet_count = 0
        """Sheets made; complete once `files` is exhausted."""

    @property
    def sprite_count(self) -> int:
        """Sprites added."""
        return len(self._sprites)

    def add(
        self, name: str, pixels: NDArray[np.uint8], *, tag: str = "", duration_s: float = 0.0
    ) -> None:
        """Add a sprite: uint8 of shape (height, width, 4); ``duration_s`` 0 means 0.1 s.

        Raises `InvalidArgumentError` with SPRITE_NAME_MISSING, SPRITE_NAME_TWICE,
        SPRITE_DURATION_NEGATIVE, TOO_MANY_SPRITES, SPRITES_TOO_LARGE, and
        `CancelledByClientError` once `cancel` was called.
        """
        if self._cancelled.is_set():
            raise CancelledByClientError("The caller has gone.", reason="CALLER_GONE")
        self._check(name, duration_s)
        box = _visible_box(pixels) if self._options.trim else _whole_box(pixels)
        kept = pixels[box.y : box.y + box.height, box.x : box.x + box.width]
        self._sprites[name] = _Sprite(
            name=name,
            tag=tag,
            duration_ms=max(_MIN_DURATION_MS, round(duration_s * 1000) or _DEFAULT_DURATION_MS),
            source=(pixels.shape[1], pixels.shape[0]),
            box=box,
            image=self._keep(kept),
        )

    def _check(self, name: str, duration_s: float) -> None:
        if not name:
            raise _refuse("A sprite needs a name.", "SPRITE_NAME_MISSING", "sprites.name")
        if name in self._sprites:
            raise _refuse(f"The name {name!r} came twice.", "SPRITE_NAME_TWICE", "sprites.name")
        if duration_s < 0:
            raise _refuse("A duration is negative.", "SPRITE_DURATION_NEGATIVE", "sprites.duration")
        if len(self._sprites) >= LIMITS.max_sprites:
            raise _refuse(
                f"There are more than {LIMITS.max_sprites} sprites.", "TOO_MANY_SPRITES", "sprites"
            )

    def _keep(self, pixels: NDArray[np.uint8]) -> int:
        packed = np.ascontiguousarray(pixels)
        digest = hashlib.sha256(repr(packed.shape).encode() + packed.tobytes()).digest()
        if digest not in self._known:
            self._pixels += packed.shape[0] * packed.shape[1]
            if self._pixels > LIMITS.max_sprite_pixels:
                raise _refuse(
                    f"The sprites have more than {LIMITS.max_sprite_pixels:,} pixels in all.",
                    "SPRITES_TOO_LARGE",
                    "sprites",
                )
            self._known[digest] = len(self._images)
            self._images.append(packed.copy())
        return self._known[digest]

    def files(self) -> Iterator[SheetFile]:
        """Make the sheets one after the other, then the description.

        Raises SPRITES_MISSING without any sprite and SPRITE_TOO_LARGE where one does not fit
        on a sheet.
        """
        if not self._sprites:
            raise _refuse("No sprite was sent.", "SPRITES_MISSING", "sprites")
        pages = self._pack()
        self.sheet_count = len(pages)
        for number, page in enumerate(pages):
            if self._cancelled.is_set():
                raise CancelledByClientError("The caller has gone.", reason="CALLER_GONE")
            yield SheetFile(_sheet_name(number), encode_png(self._draw(page), level=_PNG_LEVEL))
        text = json.dumps(self._describe(pages), ensure_ascii=False, indent=1)
        yield SheetFile(DESCRIPTION_FILE, text.encode())

    def _pack(self) -> list[Page]:
        sizes = [(image.shape[1], image.shape[0]) for image in self._images]
        options = self._options
        try:
            return pack(
                sizes,
                options.max_side,
                padding=options.padding,
                power_of_two=options.power_of_two,
            )
        except ValueError as error:
            raise sprite_too_large(options) from error

    def _draw(self, page: Page) -> NDArray[np.uint8]:
        sheet = np.zeros((page.height, page.width, 4), np.uint8)
        for place in page.places:
            image = self._images[place.index]
            height, width = image.shape[:2]
            sheet[place.y : place.y + height, place.x : place.x + width] = image
        return sheet

    def _describe(self, pages: list[Page]) -> dict[str, Any]:
        where = {
            place.index: (number, place.x, place.y)
            for number, page in enumerate(pages)
            for place in page.places
        }
        # A tag is a range of frames, so that frames of one tag have to stand together.
        tags = list(dict.fromkeys(sprite.tag for sprite in self._sprites.values()))
        ordered = sorted(self._sprites.values(), key=lambda sprite: tags.index(sprite.tag))
        frames = [_frame_entry(sprite, *where[sprite.image], len(pages)) for sprite in ordered]
        return {
            "frames": frames,
            "meta": {
                "app": "kuchipaku",
                "version": "1.0",
                "image": _sheet_name(0),
                "images": [_sheet_name(number) for number in range(len(pages))],
                "format": "RGBA8888",
                "size": {"w": pages[0].width, "h": pages[0].height},
                "scale": "1",
                "frameTags": _tag_entries(ordered),
            },
        }

    def cancel(self) -> None:
        """Make running and later calls end soon. May be called from any thread."""
        self._cancelled.set()

    def close(self) -> None:
        """Free everything."""
        self._images.clear()
        self._sprites.clear()


def _frame_entry(sprite: _Sprite, sheet: int, x: int, y: int, sheets: int) -> dict[str, Any]:
    box = sprite.box
    size = {"w": box.width, "h": box.height}
    entry: dict[str, Any] = {
        "filename": sprite.name,
        "frame": {"x": x, "y": y, **size},
        "rotated": False,
        "trimmed": (box.width, box.height) != sprite.source,
        "spriteSourceSize": {"x": box.x, "y": box.y, **size},
        "sourceSize": {"w": sprite.source[0], "h": sprite.source[1]},
        "duration": sprite.duration_ms,
    }
    if sheets > 1:
        entry["image"] = _sheet_name(sheet)
    return entry


def _tag_entries(sprites: list[_Sprite]) -> list[dict[str, Any]]:
    positions: dict[str, list[int]] = {}
    for position, sprite in enumerate(sprites):
        if sprite.tag:
            positions.setdefault(sprite.tag, []).append(position)
    return [
        {"name": tag, "from": found[0], "to": found[-1], "direction": "forward"}
        for tag, found in positions.items()
    ]


def _sheet_name(number: int) -> str:
    return f"sheet-{number}.png"


def _whole_box(pixels: NDArray[np.uint8]) -> _Box:
    return _Box(0, 0, pixels.shape[1], pixels.shape[0])


def _visible_box(pixels: NDArray[np.uint8]) -> _Box:
    """The smallest box around all visible pixels; one pixel where there are none."""
    visible = pixels[..., 3] > 0
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if len(rows) == 0:
        return _Box(0, 0, 1, 1)
    left, top = int(columns[0]), int(rows[0])
    return _Box(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)


def sprite_too_large(options: SheetOptions) -> InvalidArgumentError:
    """A sprite does not fit on a sheet."""
    return _refuse(
        f"A sprite is larger than a sheet of {options.page_side} pixels.",
        "SPRITE_TOO_LARGE",
        "config.max_side_px",
    )


def _refuse(message: str, reason: str, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason=reason, field=field)
