"""What waits in the queue: the works of lanes, and what each lane has had of late."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from kuchipaku_pose.work import Unit, Work

SLOT_S = 0.04
"""Due times closer than this count as equal: a frame's period at 25 frames per second."""
_FORGET_S = 1.0
"""Time in which what a lane has had counts for a third."""

Place: TypeAlias = tuple[float, ...]
"""A job's order among others; lesser ones go first."""


class Kind(StrEnum):
    """What a job is for."""

    LIVE = "live"
    """A frame that a client must have at a time."""
    BULK = "bulk"
    """A frame of a stream that takes what it can get."""
    CALL = "call"
    """A function, such as the coding of frames that are made."""


@dataclass(eq=False)
class Share:
    """How many frames of a lane have been begun of late, older ones counting less."""

    amount: float = 0.0
    at: float = 0.0
    standing: float = -math.inf
    """Orders lanes by their numbers at any one moment, since all numbers fade alike."""

    def add(self, now: float) -> None:
        """Count one."""
        faded = self.amount * math.exp(-max(0.0, now - self.at) / _FORGET_S)
        self.amount, self.at = faded + 1.0, now
        self.standing = math.log(self.amount) + now / _FORGET_S


@dataclass(eq=False)
class Job:
    """A work of a lane in the queue."""

    work: Work
    share: Share
    due: float
    expires: float | None
    arrived: float
    """When it came into the queue for the first time."""
    context: Any = None
    """Whatever the caller wants to find again."""
    kind: Kind = Kind.LIVE
    unit: Unit | None = None
    """The step it waits for; None while it does not wait."""
    queued: float = 0.0
    """When it began to wait for this step."""
    waited: float = 0.0
    """Time in the queue so far, all steps together."""
    number: int = 0
    """Order of arrival."""
    place: Place | None = None
    """Its order among others that have begun; None until then. Calls have it at once."""
    first: Unit | None = None
    """The step it began with, once it has begun."""
    begun: float = 0.0
    """When it began."""
    cancelled: bool = False
    slot: int = field(init=False)
    """The slot that it is due in."""

    def __post_init__(self) -> None:
        self.slot = math.floor(self.due / SLOT_S)

    def place_now(self) -> Place:
        """Return its order among jobs by due time, as its lane stands now."""
        return self.slot, self.share.standing, self.due, self.number

    def overdue_s(self, now: float, *, given_up: bool = False) -> float:
        """Return how much less waiting would have had the job in time that leaves ``now``.

        What is given up counts as being as late as it might have been.
        """
        end = max(now, self.expires or now) if given_up else now
        return min(self.waited, max(0.0, end - self.due))
