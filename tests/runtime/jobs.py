"""What worker processes of the tests run; importable by them."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kuchipaku_contract import InvalidArgumentError
from kuchipaku_runtime.request import current_request_id

_state: dict[str, str] = {}


def set_up(word: str) -> None:
    _state["word"] = word


def fail_to_set_up() -> None:
    raise RuntimeError("no such model")


def set_up_unless(path: Path) -> None:
    if path.exists():
        raise RuntimeError("cannot start now")


def word() -> str:
    return _state["word"]


def process_id() -> int:
    return os.getpid()


def request_id() -> str:
    return current_request_id()


def double(values: np.ndarray) -> np.ndarray:
    return values * 2


def refuse() -> None:
    raise InvalidArgumentError("Not so.", reason="NOT_SO", field="audio", limit=3)


def crash() -> None:
    raise RuntimeError("secret detail")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable() -> threading.Lock:
    return threading.Lock()


def log(message: str) -> None:
    logging.getLogger("jobs").warning(message)


def announce_and_hang(path: Path) -> None:
    path.write_text(str(os.getpid()))
    threading.Event().wait()


def hang() -> None:
    threading.Event().wait()


def count(stop: int) -> Iterator[int]:
    yield from range(stop)


def count_and_die(stop: int) -> Iterator[int]:
    yield from range(stop)
    die()


def count_and_refuse(stop: int) -> Iterator[int]:
    yield from range(stop)
    refuse()


def count_forever() -> Iterator[int]:
    """Yield the process id, then numbers without end."""
    yield os.getpid()
    yield from itertools.count()
