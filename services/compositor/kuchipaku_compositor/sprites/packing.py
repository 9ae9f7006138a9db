"""Rectangles into as few and as small pages as can be found quickly.

Skyline bottom-left packing as described by J. Jylänki, "A Thousand Ways to Pack the Bin" (2010):
the outline of what is placed is a row of segments, and each rectangle, tallest first, goes where
its upper edge ends up lowest. No rotation: animation tools of games rarely read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where rectangle number ``index`` of the input lies, in pixels of its page."""

    index: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its size in pixels and what lies on it."""

    width: int
    height: int
    places: tuple[Place, ...]


def largest_side(max_side: int, *, power_of_two: bool) -> int:
    """The longest side that a page really has."""
    return 1 << max_side.bit_length() - 1 if power_of_two else max_side


def pack(
    sizes: Sequence[Size], max_side: int, *, padding: int = 0, power_of_two: bool = False
) -> list[Page]:
    """Place every rectangle (width, height) on a page of sides up to ``max_side``.

    ``padding`` pixels stay free between rectangles. With ``power_of_two`` the sides of pages
    are powers of two. Raises ``ValueError`` where a rectangle is larger than a page.
    """
    limit = largest_side(max_side, power_of_two=power_of_two)
    if any(max(size) > limit for size in sizes):
        raise ValueError(f"a rectangle is larger than a page of {limit}x{limit}")
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], -sizes[i][0], i))
    pages: list[Page] = []
    while order:
        page, order = _next_page(sizes, order, limit, padding, power_of_two)
        pages.append(page)
    return pages


def _next_page(
    sizes: Sequence[Size], order: list[int], limit: int, padding: int, power_of_two: bool
) -> tuple[Page, list[int]]:
    """The smallest page found that takes all of ``order``, else a full one and what is left."""
    best: Page | None = None
    for width, height in _candidates([sizes[i] for i in order], limit, padding, power_of_two):
        if best is not None and width * height >= best.width * best.height and power_of_two:
            continue
        places, left = _fill(sizes, order, width, height, padding)
        if left:
            continue
        page = _page(sizes, places, (width, height) if power_of_two else None)
        if best is None or page.width * page.height < best.width * best.height:
            best = page
    if best is not None:
        return best, []
    places, left = _fill(sizes, order, limit, limit, padding)
    return _page(sizes, places, (limit, limit) if power_of_two else None), left


def _page(sizes: Sequence[Size], places: list[Place], size: Size | None) -> Page:
    if size is None:
        width = max(place.x + sizes[place.index][0] for place in places)
        height = max(place.y + sizes[place.index][1] for place in places)
        size = width, height
    return Page(*size, tuple(places))


def _candidates(sizes: list[Size], limit: int, padding: int, power_of_two: bool) -> Iterator[Size]:
    """Page sizes worth trying: around the square of the total area, or powers of two."""
    area = sum((width + padding) * (height + padding) for width, height in sizes)
    widest = max(width for width, _ in sizes)
    if power_of_two:
        sides = [1 << bit for bit in range(limit.bit_length())]
        fitting = [
            (w, h)
            for w in sides
            for h in sides
            if (w + padding) * (h + padding) >= area and w >= widest and max(w, h) <= 2 * min(w, h)
        ]
        yield from sorted(fitting, key=lambda size: size[0] * size[1])
        return
    for factor in (0.7, 0.85, 1.0, 1.1, 1.25, 1.5, 2.0):
        width = max(widest, math.ceil(math.sqrt(area) * factor))
        if width <= limit:
            yield width, limit


def _fill(
    sizes: Sequence[Size], order: list[int], width: int, height: int, padding: int
) -> tuple[list[Place], list[int]]:
    """Place what fits; returns the places and the indices that are left."""
    skyline = _Skyline(width + padding, height + padding)
    places: list[Place] = []
    left: list[int] = []
    for index in order:
        spot = skyline.insert(sizes[index][0] + padding, sizes[index][1] + padding)
        if spot is None:
            left.append(index)
        else:
            places.append(Place(index, *spot))
    return places, left


class _Skyline:
    """The outline as segments (x, y, width) from left to right."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._segments: list[tuple[int, int, int]] = [(0, 0, width)]

    def insert(self, width: int, height: int) -> tuple[int, int] | None:
        """Place a rectangle and return its upper left corner, None where it does not fit."""
        best: tuple[int, int] | None = None
        for number, (x, _, _) in enumerate(self._segments):
            if x + width > self._width:
                break
            y = self._rest_on(number, width)
            if y + height <= self._height and (best is None or (y, x) < (best[1], best[0])):
                best = x, y
        if best is not None:
            self._raise(best[0], width, best[1] + height)
        return best

    def _rest_on(self, number: int, width: int) -> int:
        """Height at which a rectangle comes to rest whose left edge is segment ``number``'s."""
        top, covered = 0, 0
        for _, y, segment_width in self._segments[number:]:
            top = max(top, y)
            covered += segment_width
            if covered >= width:
                break
        return top

    def _raise(self, start: int, width: int, top: int) -> None:
        end = start + width
        outline: list[tuple[int, int, int]] = []
        for x, y, segment_width in self._segments:
            if x == start:
                outline.append((start, top, width))
            right = x + segment_width
            if right <= start or x >= end:
                outline.append((x, y, segment_width))
            elif right > end:
                outline.append((end, y, right - end))
        self._segments = outline
