"""What sessions ask the services behind before they start."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb

from .clock import now
from .drawing import Drawing
from .listening import Listening
from .scope import Scope

_REMEMBERED_S: Final = 10.0
_MOST_REMEMBERED: Final = 512


class Opener:
    """Has the services behind check configs, a few at a time.

    In a rush, as at the start of a match, many sessions begin at once, and most of them alike. All
    of their calls would take turns in the event loop, and frames and refusals wait for all. So
    they take turns before, and what was accepted a moment ago is not asked again: each utterance
    has calls of its own, which are checked as ever.
    """

    def __init__(self, at_once: int) -> None:
        """Ask for `at_once` sessions at the same time."""
        self._turns = asyncio.Semaphore(at_once)
        self._accepted: OrderedDict[bytes, tuple[float, pose_pb.AnimateStarted]] = OrderedDict()

    async def open(
        self,
        scope: Scope,
        recognize: lipsync_pb.RecognizeCuesConfig,
        animate: pose_pb.AnimateConfig | None,
    ) -> pose_pb.AnimateStarted:
        """Return what pose makes of `animate`; of None, which draws nothing, an empty message.

        Raises what the services find wrong.
        """
        async with self._turns:
            key = _key(recognize, animate)
            known = self._accepted.get(key)
            if known is not None and now() - known[0] < _REMEMBERED_S:
                return known[1]
            await Listening.check(scope, recognize)
            started = pose_pb.AnimateStarted()
            if animate is not None:
                drawing = await Drawing.open(scope, animate)
                await drawing.finish()
                started = drawing.started
            self._accepted[key] = now(), started
            self._accepted.move_to_end(key)
            while len(self._accepted) > _MOST_REMEMBERED:
                self._accepted.popitem(last=False)
            return started


def _key(recognize: lipsync_pb.RecognizeCuesConfig, animate: pose_pb.AnimateConfig | None) -> bytes:
    one = recognize.SerializeToString(deterministic=True)
    other = b"" if animate is None else animate.SerializeToString(deterministic=True)
    return b"%d %d " % (len(one), animate is None) + one + other
