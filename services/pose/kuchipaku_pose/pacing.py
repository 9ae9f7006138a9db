"""When live frames are due, how early they go out, and how many the receiver has room for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

_LEAST_LEAD_S = 0.1
"""Of the lead, this much is not spent on sending several frames together."""
_MOST_GATHERING_S = 0.12
"""Three frames at 25 per second: what a message costs is then shared by enough of them."""


class Credit:
    """How many frames the receiver has room for; unlimited unless it says so at the start."""

    def __init__(self) -> None:
        self._left: int | None = None

    def limit(self, frames: int) -> None:
        """Begin with ``frames`` and count from now on.

        Raises:
            InvalidArgumentError: CREDIT_OUT_OF_RANGE.
        """
        if not 0 <= frames <= LIMITS.max_frame_credit:
            raise _credit_out_of_range("config.initial_credit")
        self._left = frames

    def add(self, frames: int) -> None:
        """Grant ``frames`` more.

        Raises:
            InvalidArgumentError: CREDIT_OUT_OF_RANGE.
        """
        if not 1 <= frames <= LIMITS.max_frame_credit:
            raise _credit_out_of_range("credit.frame_count")
        if self._left is not None:
            self._left += frames

    def covers(self, frames: int) -> bool:
        """Whether ``frames`` may be sent now."""
        return self._left is None or self._left >= frames

    def spend(self, frames: int) -> None:
        """Use up ``frames``."""
        if self._left is not None:
            self._left -= frames


def _credit_out_of_range(field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"Credit is at most {LIMITS.max_frame_credit} frames.",
        reason="CREDIT_OUT_OF_RANGE",
        field=field,
        limit=LIMITS.max_frame_credit,
    )


@dataclass(frozen=True, slots=True)
class RealTime:
    """Sending no earlier than ``max_lead_s`` before a frame is due, and not when it is stale."""

    max_lead_s: float
    late_tolerance_s: float
    """A frame this much later than due is not worth showing when there is a later one."""

    @property
    def gathering_s(self) -> float:
        """How long frames that might go already wait for others to go with them."""
        return min(_MOST_GATHERING_S, max(0.0, (self.max_lead_s - _LEAST_LEAD_S) / 2))


class FrameClock:
    """The clock of a stream's utterances, one after the other. All times are the scheduler's.

    An utterance's clock is set by the caller, who knows when the utterance is shown, or else
    starts with the first frame that is sent. Only a clock that is set makes frames late whose
    speech became known late: what is due does not depend on what has come so far.
    """

    def __init__(self, real_time: RealTime) -> None:
        """Make a clock that has not been started."""
        self._real_time = real_time
        self._start: float | None = None
        """When offset 0 is due."""
        self._is_set = False
        self._first_offset_s = 0.0
        self._free_at = -math.inf

    def set(self, start: float) -> None:
        """Offset 0 is due at ``start``, or when the utterance before is over, if that is later."""
        self._start = max(start, self._free_at)
        self._is_set = True

    def sent(self, offset_s: float, now: float) -> None:
        """A frame is being sent; the first one starts a clock that nobody has set."""
        if self._start is None:
            self._start = max(now, self._free_at) - offset_s
            self._first_offset_s = offset_s

    def restart(self, length_s: float | None) -> None:
        """Begin another utterance.

        Args:
            length_s: offset at which the utterance before it ended. Its frames may have been sent
                ahead of their time; the first one now is not due before they are over. None, as
                after an interruption: due at once.
        """
        if self._start is not None:
            over = -math.inf if length_s is None else max(length_s, self._first_offset_s)
            self._free_at = self._start + over
        self._start, self._is_set, self._first_offset_s = None, False, 0.0

    def due(self, offset_s: float, known_at: float) -> float:
        """Return the time at which a frame is due.

        Before the clock has started the first frame is due as soon as it is known and the
        utterance before it is over.
        """
        if self._start is None:
            return max(known_at, self._free_at)
        return self._start + offset_s

    def earliest(self, offset_s: float, known_at: float) -> float:
        """Return when a frame may be sent at the earliest."""
        return self.due(offset_s, known_at) - self._real_time.max_lead_s

    def expires(self, offset_s: float, known_at: float) -> float | None:
        """Return when a frame is too late; None: it cannot be."""
        if self._start is None:
            return None
        due = self._start + offset_s
        # Without a clock from outside, late speech shifts what is due.
        latest = due if self._is_set else max(due, known_at)
        return latest + self._real_time.late_tolerance_s

    def too_late_before(self, now: float) -> float:
        """Return the offset before which all frames are too late."""
        if self._start is None or not self._is_set:
            return -math.inf
        return now - self._real_time.late_tolerance_s - self._start
