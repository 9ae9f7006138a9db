"""Tells a device that is gone from a frame that cannot be rendered."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from kuchipaku_contract.errors import KuchipakuError

_LOG = logging.getLogger(__name__)

STAGE_FAILED = "STAGE_FAILED"

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Checkable(Protocol):
    """What the guard needs of an engine."""

    def check(self) -> None:
        """Render something known; raises if that does not give what it should."""


class DeviceGuard:
    """Checks the engines when a stage has failed, and gives up when they fail the check too.

    A check opens sessions and renders, on a thread that frames need. So after one that the engines
    have passed comes a pause in which failures are the frames' own; it doubles, to a bound, with
    each further check that is passed soon after.
    """

    def __init__(
        self,
        engines: Sequence[Checkable],
        give_up: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a guard.

        Args:
            engines: those of the device.
            give_up: told why the device counts as lost, once, from the thread that found out.
            clock: seconds.
        """
        self._engines = engines
        self._give_up = give_up
        self._clock = clock
        self._checking = threading.Lock()
        self._lost = False
        self._pause_s = 0.0
        self._resting_until = -math.inf

    def failed(self, error: BaseException) -> None:
        """Look into a failure; blocks while it checks. Not all are looked into, see above."""
        if not isinstance(error, KuchipakuError) or error.reason != STAGE_FAILED:
            return
        if not self._checking.acquire(blocking=False):
            return
        try:
            if not self._lost and self._clock() >= self._resting_until:
                self._check(error)
                self._rest()
        finally:
            self._checking.release()

    def _rest(self) -> None:
        now = self._clock()
        quiet = now > self._resting_until + _LONGEST_PAUSE_S
        longer_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._pause_s = _FIRST_PAUSE_S if quiet else longer_s
        self._resting_until = now + self._pause_s

    def _check(self, error: KuchipakuError) -> None:
        _LOG.error("a stage failed: %s", error.__cause__ or error)
        for engine in self._engines:
            try:
                engine.check()
            except Exception as found:  # whatever it is, the device is of no use
                self._lost = True
                self._give_up(f"the device is lost: {found}")
                return
