"""The inside of a worker process: takes jobs from a pipe, one after the other.

Messages to the worker are a pickled `Job`, or None to end. Messages from it are pairs of a
`Reply` and a value.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from kuchipaku_contract import KuchipakuError
from kuchipaku_runtime.logs import LogOptions, configure_logging
from kuchipaku_runtime.request import request_id_var


class Reply(IntEnum):
    """What a worker's message is."""

    READY = 0
    ITEM = 1
    RESULT = 2
    ERROR = 3
    """A KuchipakuError that the job raised."""
    FAILURE = 4
    """The traceback of anything else, as text: foreign exceptions need not be picklable."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a function; ``streaming`` ones are generators."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    request_id: str
    streaming: bool


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker does before its first job."""

    initializer: Callable[..., object] | None
    arguments: tuple[Any, ...]
    log_options: LogOptions | None


def worker_main(pipe: Connection, setup: WorkerSetup) -> None:
    """Run jobs until told to end or the server is gone."""
    # Signals for the process group, as from a terminal, are for the server: it alone decides
    # when workers end.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if setup.log_options is not None:
        configure_logging(setup.log_options)
    try:
        if setup.initializer is not None:
            setup.initializer(*setup.arguments)
    except Exception:
        _send(pipe, Reply.FAILURE, traceback.format_exc())
        return
    _send(pipe, Reply.READY, None)
    while (job := _receive(pipe)) is not None:
        _run(pipe, job)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _receive(pipe: Connection) -> Job | None:
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return None
        try:
            job: Job | None = pickle.loads(data)  # noqa: S301 - from this program's own server
        except Exception:
            _send(pipe, Reply.FAILURE, traceback.format_exc())
            continue
        return job


def _run(pipe: Connection, job: Job) -> None:
    request_id_var.set(job.request_id)
    try:
        result = job.function(*job.arguments)
        if job.streaming:
            for item in result:
                _send(pipe, Reply.ITEM, item)
            result = None
        _send(pipe, Reply.RESULT, result)
    except KuchipakuError as error:
        _send(pipe, Reply.ERROR, error)
    except Exception:
        _send(pipe, Reply.FAILURE, traceback.format_exc())


def _send(pipe: Connection, kind: Reply, value: object) -> None:
    pipe.send_bytes(pickle.dumps((kind, value), protocol=pickle.HIGHEST_PROTOCOL))
