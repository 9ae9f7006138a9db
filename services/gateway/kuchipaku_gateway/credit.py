"""How many frames the client of a session still has room for."""

from __future__ import annotations

import asyncio

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS


class SessionCredit:
    """The credit of a session; without an `initial_credit` in its config there is no end of it.

    After half-close none can be added. Whether what is left is enough then, only pose knows, so
    it is allowed one frame more: that one either does not come, or ends the session, which would
    hold its slot for good.
    """

    def __init__(self, config: pb.SpeakConfig) -> None:
        """Begin with the config's. Raises `InvalidArgumentError`, CREDIT_OUT_OF_RANGE."""
        if not 0 <= config.initial_credit <= LIMITS.max_frame_credit:
            raise InvalidArgumentError(
                f"A session begins with credit for 0-{LIMITS.max_frame_credit} frames.",
                reason="CREDIT_OUT_OF_RANGE",
                field="config.initial_credit",
                limit=LIMITS.max_frame_credit,
            )
        self._left = config.initial_credit if config.HasField("initial_credit") else None
        self._is_final = False
        self._changed = asyncio.Event()

    @property
    def for_pose(self) -> int | None:
        """What a new stream of the pose service begins with, if credit is used."""
        if self._left is None:
            return None
        return min(self._left + self._is_final, LIMITS.max_frame_credit)

    def add(self, frame_count: int) -> None:
        """Take the client's credit. Raises `InvalidArgumentError`, CREDIT_OUT_OF_RANGE."""
        if not 1 <= frame_count <= LIMITS.max_frame_credit:
            raise InvalidArgumentError(
                f"Credit is 1-{LIMITS.max_frame_credit} frames.",
                reason="CREDIT_OUT_OF_RANGE",
                field="credit.frame_count",
            )
        if self._left is not None:
            self._left += frame_count
            self._changed.set()

    def half_close(self) -> bool:
        """No more comes. True where the stream that is drawing now is to be allowed one more."""
        self._is_final = True
        self._changed.set()
        return self._left is not None

    def look_again(self) -> None:
        """Let `some` find that its utterance has been interrupted."""
        self._changed.set()

    async def some(self, interrupted: asyncio.Event) -> None:
        """Wait until frames may be sent, or it is pointless to wait."""
        while self._left == 0 and not (self._is_final or interrupted.is_set()):
            self._changed.clear()
            await self._changed.wait()

    def spend(self, frames: frame_pb2.FrameBatch) -> bool:
        """Count frames that are to be sent. True where some had to be left out for want of it."""
        if self._left is None:
            return False
        beyond = self._is_final and len(frames.frames) > self._left
        if beyond:
            del frames.frames[self._left :]
        self._left = max(0, self._left - len(frames.frames))
        return beyond


def credit_exhausted() -> FailedPreconditionError:
    """Why a session ends whose client can give no more credit, though frames are left."""
    return FailedPreconditionError(
        "The session was half-closed with less credit than its utterances have frames; "
        "half-close after the last credit.",
        reason="CREDIT_EXHAUSTED",
        field="credit",
    )
