"""Which calls run in a server: what a drain waits for and what a forced stop cuts off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from kuchipaku_contract import UnavailableError


class Activity:
    """Counts the calls of one server and knows whether it still takes new ones.

    Health checks and reflection are *attendant* calls: answered until the end, and nobody
    waits for them.
    """

    def __init__(self) -> None:
        self.draining = False
        self.cutting = False
        self._calls: set[asyncio.Task[object]] = set()
        self._attendants: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Number of calls in progress, attendants not counted."""
        return len(self._calls)

    @contextmanager
    def call(self, *, attendant: bool = False) -> Iterator[None]:
        """Account for the call that the current task serves.

        Raises UnavailableError when the server drains and the call is no attendant.
        """
        if self.draining and not attendant:
            raise UnavailableError(
                "The server is shutting down.", reason="SERVER_DRAINING", retry_after_s=1.0
            )
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is served by a task")
        calls = self._attendants if attendant else self._calls
        calls.add(task)
        if not attendant:
            self._idle.clear()
        try:
            yield
        finally:
            calls.discard(task)
            if not self._calls:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no call runs."""
        await self._idle.wait()

    def cut(self) -> int:
        """Cancel everything that still runs; return how many calls (not attendants) it was."""
        self.draining = True
        self.cutting = True
        count = len(self._calls)
        for task in (*self._calls, *self._attendants):
            task.cancel()
        return count
