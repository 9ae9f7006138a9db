"""Helpers for handlers that read, work and write at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

Send = Callable[[T], Awaitable[None]]


async def produced(
    produce: Callable[[Send[T]], Awaitable[None]], room: int = 4
) -> AsyncGenerator[T, None]:
    """Yield what `produce` sends, until it returns; its failure is raised here.

    At most `room` items wait; `produce` is held up behind them and cancelled when the generator is
    closed.
    """
    queue: asyncio.Queue[T] = asyncio.Queue(room)
    producer = asyncio.ensure_future(produce(queue.put))
    getter: asyncio.Future[T] | None = None
    try:
        while True:
            getter = asyncio.ensure_future(queue.get())
            await asyncio.wait({getter, producer}, return_when=asyncio.FIRST_COMPLETED)
            if not getter.done():
                break
            yield getter.result()
        getter.cancel()
        while not queue.empty():
            yield queue.get_nowait()
        await producer
    finally:
        for future in (producer, getter):
            if future is not None:
                future.cancel()
        await asyncio.gather(producer, return_exceptions=True)


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first failure itself instead of a group of one."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
