"""One worker process, seen from the server: start, send, receive, kill."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, Final, ParamSpec, TypeVar

from kuchipaku_contract import InternalError
from kuchipaku_runtime.worker_process import Reply, WorkerSetup, worker_main

_END_S: Final = 2.0
# The bookkeeping of multiprocessing is not made for starts from several threads at a time.
_STARTING = threading.Lock()

P = ParamSpec("P")
T = TypeVar("T")


class RemoteTracebackError(Exception):
    """Carries a worker's traceback into the log."""


class WorkerDiedError(Exception):
    """The process ended without a last word."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"worker process died with exit code {exit_code}")
        self.exit_code = exit_code


class Worker:
    """One process and the thread that talks to it. Blocking methods run in that thread."""

    def __init__(self, name: str, setup: WorkerSetup, start_timeout_s: float) -> None:
        self._setup = setup
        self._start_timeout_s = start_timeout_s
        context = multiprocessing.get_context("spawn")
        self._pipe, self._far_end = context.Pipe()
        self._process = context.Process(
            target=worker_main, args=(self._far_end, setup), name=name, daemon=True
        )
        self._killed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def start(self) -> None:
        """Start the process and wait for its initializer. Raises InternalError."""
        try:
            async with asyncio.timeout(self._start_timeout_s):
                kind, value = await self._in_thread(self._start)
        except TimeoutError:
            kind, value = Reply.FAILURE, "the initializer took too long"
        except WorkerDiedError as error:
            kind, value = Reply.FAILURE, str(error)
        if kind != Reply.READY:
            raise InternalError(
                "A worker process could not be started.", reason="WORKER_NOT_STARTED"
            ) from RemoteTracebackError(value)

    async def exchange(self, data: bytes) -> tuple[Reply, Any]:
        """Hand over a pickled job and wait for its first message. Raises WorkerDiedError."""
        return await self._in_thread(self._exchange, data)

    async def exchange_here(self, data: bytes) -> tuple[Reply, Any]:
        """As `exchange` without the thread, for what is small both ways. Raises WorkerDiedError."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        ends = (self._pipe.fileno(), self._process.sentinel)
        for end in ends:
            loop.add_reader(end, ready.set)
        try:
            self._send(data)
            await ready.wait()
        finally:
            for end in ends:
                loop.remove_reader(end)
        return self._read()

    async def receive(self) -> tuple[Reply, Any]:
        """Wait for the next message. Raises WorkerDiedError."""
        return await self._in_thread(self._receive)

    def kill(self) -> None:
        """End the process now; a blocked `receive` returns."""
        self._killed = True
        with suppress(ValueError):  # disposed of already
            if self._process.pid is not None:
                self._process.kill()

    async def dispose(self) -> None:
        """End the process, kindly where it is idle, and free everything."""
        await self._in_thread(self._dispose)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: function(*args, **kwargs)
        )
        return await call

    def _start(self) -> tuple[Reply, Any]:
        with _STARTING:
            self._process.start()
        if self._killed:
            self._process.kill()
        self._far_end.close()
        return self._receive()

    def _exchange(self, data: bytes) -> tuple[Reply, Any]:
        self._send(data)
        return self._receive()

    def _send(self, data: bytes) -> None:
        try:
            self._pipe.send_bytes(data)
        except OSError:
            raise self._died() from None

    def _receive(self) -> tuple[Reply, Any]:
        # The pipe alone does not tell of a death when a grandchild has inherited its far end.
        wait([self._pipe, self._process.sentinel])
        return self._read()

    def _read(self) -> tuple[Reply, Any]:
        """The message that has come, or the news of a death."""
        try:
            if not self._pipe.poll():
                raise self._died()
            message: tuple[Reply, Any] = pickle.loads(self._pipe.recv_bytes())  # noqa: S301
        except (EOFError, OSError):
            raise self._died() from None
        return message

    def _died(self) -> WorkerDiedError:
        self._process.join(_END_S)
        return WorkerDiedError(self._process.exitcode)

    def _dispose(self) -> None:
        if self._process.pid is not None:
            with suppress(WorkerDiedError):
                self._send(pickle.dumps(None))
            self._process.join(_END_S)
            self._process.kill()
            self._process.join()
        self._process.close()
        self._pipe.close()
        self._far_end.close()
