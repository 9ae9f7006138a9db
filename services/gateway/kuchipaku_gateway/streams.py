"""Helpers for handlers that read, work and write at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TypeVar

T = TypeVar("T")

Send = Callable[[T], Awaitable[None]]


class _End(Enum):
    END = 0


async def produced(
    produce: Callable[[Send[T]], Awaitable[None]], room: int = 4
) -> AsyncGenerator[T, None]:
    """Yield what `produce` sends, until it returns; its failure is raised here.

    At most `room` items wait; `produce` is held up behind them and cancelled when the generator is
    closed.
    """
    queue: asyncio.Queue[T | _End] = asyncio.Queue(room)
    producer = asyncio.ensure_future(produce(queue.put))

    def wake(_: object) -> None:
        # A full queue needs no waking: its reader looks at the producer next.
        with suppress(asyncio.QueueFull):
            queue.put_nowait(_End.END)

    producer.add_done_callback(wake)
    try:
        while not (producer.done() and queue.empty()):
            item = await queue.get()
            if item is _End.END:
                break
            yield item
        await producer
    finally:
        producer.cancel()
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
