"""Blocking work in threads that nobody can cancel: it is told to stop, and waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """The caller has gone: work is to end here."""


class Emit(Generic[T]):
    """Hands items over to an event loop."""

    def __init__(self, put: Callable[[T], object], stop: threading.Event) -> None:
        """`put` may be called from any thread."""
        self._put, self._stop = put, stop

    def __call__(self, item: T) -> None:
        """Hand an item over. Raises `StoppedError` when no more are wanted."""
        self.check()
        self._put(item)

    def check(self) -> None:
        """Raise `StoppedError` when no more items are wanted."""
        if self._stop.is_set():
            raise StoppedError


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns. Ends, even when cancelled, only after its thread has."""
    future = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(future)
    finally:
        await _ended(future)


async def emitted(work: Callable[[Emit[T]], None]) -> AsyncGenerator[T]:
    """Yield what `work` hands to its argument, as it comes; a failure of `work` is raised here.

    Closing the generator stops `work` at the next item and waits for the end of its thread.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    stop = threading.Event()

    def put(item: T) -> None:
        loop.call_soon_threadsafe(items.put_nowait, (item,))

    future = asyncio.ensure_future(asyncio.to_thread(work, Emit(put, stop)))
    # The thread's end is called in after its last item.
    future.add_done_callback(lambda _: items.put_nowait(None))
    try:
        while (item := await items.get()) is not None:
            yield item[0]
        await future
    finally:
        stop.set()
        await _ended(future)


async def _ended(future: asyncio.Future[Any]) -> None:
    """Wait for the thread, whoever cancels us: what it uses must not be given to others yet."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({future})
    if not future.cancelled():
        future.exception()  # taken note of, in case nobody waits for it any more
