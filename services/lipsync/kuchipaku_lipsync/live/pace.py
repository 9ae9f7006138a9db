"""Whether audio comes as fast as it plays: from a microphone, and not from a file."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

# Clocks differ and networks send in bursts.
_TOLERANCE: Final = 1.3
_SLACK_S: Final = 0.03
_NOT_AHEAD_FOR_S: Final = 0.25
# As much of a first piece is the length of the pieces, and no backlog.
_LONGEST_PIECE_S: Final = 0.5

# For so long the lead over the playing has to keep within so much: the second one is for networks
# that are less even.
_STEADY: Final = ((0.5, 0.2), (2.0, 0.6))
_FEWEST_ARRIVALS: Final = 3
# What comes within so much time counts as one arrival.
_ARRIVAL_S: Final = 0.01

# Where nothing comes any more the end may still be on its way.
_PATIENCE_S: Final = 1.0
# What has waited for so long on its way has others right behind it, or the end.
_FRESH_S: Final = 0.1

# So far ahead of its playing no live audio is.
_FAR_AHEAD_S: Final = 30.0
_FAR_AHEAD_BYTES: Final = 4 << 20


class Pace(Enum):
    """How audio comes."""

    UNDECIDED = auto()
    REAL_TIME = auto()
    FASTER = auto()


class PaceMeter:
    """Tells live audio from a recording by when its pieces come.

    It is live as soon as either all of it so far had about time to play (`_not_ahead`), or it
    goes on at its pace behind a backlog (`_Steadiness`), or nothing comes for a while and what has
    come had time to play. Until one of these is true it may become true; far ahead of its playing
    audio is a recording for good.
    """

    def __init__(self) -> None:
        self._begun: float | None = None
        self._seconds = 0.0
        self._first_s = 0.0
        self._bytes = 0
        self._not_ahead_since: float | None = None
        self._steady = [_Steadiness(span_s, band_s) for span_s, band_s in _STEADY]
        self._taken_at = 0.0
        self._came_after = 0.0
        self.pace = Pace.UNDECIDED

    def take(self, count: int, seconds: float, now: float, waited_s: float = 0.0) -> Pace:
        """Note the arrival of ``count`` bytes, by which ``seconds`` have come in all.

        ``waited_s``: for how long they have waited on the way, where somebody passed them on.
        """
        if self.pace is not Pace.UNDECIDED:
            return self.pace
        came_at = now - waited_s
        if self._begun is None:
            self._begun = came_at
            self._first_s = min(seconds, _LONGEST_PIECE_S)
        elapsed = came_at - self._begun
        pause_s = elapsed - self._came_after
        held_up = pause_s > max(_NOT_AHEAD_FOR_S, _TOLERANCE * self._seconds)
        new = seconds > self._seconds
        self._seconds, self._taken_at, self._came_after = seconds, now, elapsed
        self._bytes += count
        live = self._not_ahead(elapsed, held_up=held_up)
        if new:
            steady = [steadiness.note(came_at, elapsed, seconds) for steadiness in self._steady]
            live = live or any(steady)
        if seconds > elapsed + _FAR_AHEAD_S or self._bytes > _FAR_AHEAD_BYTES:
            self.pace = Pace.FASTER
        elif live and waited_s <= _FRESH_S:
            self.pace = Pace.REAL_TIME
        return self.pace

    @property
    def due(self) -> float | None:
        """When the audio is live if nothing else comes until then; see `wait_is_over`."""
        if self.pace is not Pace.UNDECIDED or self._begun is None or not self._seconds:
            return None
        return max(self._begun + self._seconds / _TOLERANCE, self._taken_at + _PATIENCE_S)

    def wait_is_over(self) -> Pace:
        """Nothing has come until `due`."""
        self.pace = Pace.REAL_TIME
        return self.pace

    def cannot_tell(self) -> Pace:
        """Nobody knows how long the audio so far lasts: it is a recording."""
        self.pace = Pace.FASTER
        return self.pace

    def _not_ahead(self, elapsed: float, *, held_up: bool) -> bool:
        """Whether for a while no more has come than had time to play.

        Behind a pause longer than all that came before nobody knows how fast the rest will come:
        where audio was so ``held_up`` the while begins anew.
        """
        if self._seconds - self._first_s > _TOLERANCE * elapsed + _SLACK_S:
            self._not_ahead_since = None
        elif self._not_ahead_since is None or held_up:
            self._not_ahead_since = elapsed
        since = self._not_ahead_since
        has_sound = self._seconds > 0
        return has_sound and since is not None and elapsed - since >= _NOT_AHEAD_FOR_S


@dataclass(slots=True)
class _Steadiness:
    """Whether audio has kept its lead over its playing, for `span_s` and within `band_s`."""

    span_s: float
    band_s: float
    _leads: deque[tuple[float, float]] = field(default_factory=deque)

    def note(self, at: float, elapsed: float, seconds: float) -> bool:
        lead = seconds - elapsed
        if self._leads and at - self._leads[-1][0] < _ARRIVAL_S:
            at, _ = self._leads.pop()
        self._leads.append((at, lead))
        # Only what lies within the band of the newest lead, and of each other, can be kept.
        while max(leads := [lead for _, lead in self._leads]) - min(leads) > self.band_s:
            self._leads.popleft()
        while len(self._leads) > _FEWEST_ARRIVALS and at - self._leads[1][0] >= self.span_s:
            self._leads.popleft()
        is_long = at - self._leads[0][0] >= self.span_s
        return is_long and len(self._leads) >= _FEWEST_ARRIVALS
