"""Tells a device that is gone from a frame that cannot be rendered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from kuchipaku_contract.errors import KuchipakuError

_LOG = logging.getLogger(__name__)

STAGE_FAILED = "STAGE_FAILED"


class Checkable(Protocol):
    """What the guard needs of an engine."""

    def check(self) -> None:
        """Render something known; raises if that does not give what it should."""


class DeviceGuard:
    """Checks the engines when a stage has failed, and gives up when they fail the check too."""

    def __init__(self, engines: Sequence[Checkable], give_up: Callable[[str], object]) -> None:
        """Make a guard.

        Args:
            engines: those of the device.
            give_up: told why the device counts as lost, once, from the thread that found out.
        """
        self._engines = engines
        self._give_up = give_up
        self._checking = threading.Lock()
        self._lost = False

    def failed(self, error: BaseException) -> None:
        """Look into a failure; blocks while it checks. Failures meanwhile are not looked into."""
        if not isinstance(error, KuchipakuError) or error.reason != STAGE_FAILED:
            return
        if not self._checking.acquire(blocking=False):
            return
        try:
            if not self._lost:
                self._check(error)
        finally:
            self._checking.release()

    def _check(self, error: KuchipakuError) -> None:
        _LOG.error("a stage failed: %s", error.__cause__ or error)
        for engine in self._engines:
            try:
                engine.check()
            except Exception as found:  # whatever it is, the device is of no use
                self._lost = True
                self._give_up(f"the device is lost: {found}")
                return
