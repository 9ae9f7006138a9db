"""Cues of the segments already heard, while the rest is still being recognised.

Across a long enough pause nothing in Rhubarb's animation reaches from one segment into the
next, so what lies before such a pause is final. The cues that come out in pieces are those of
the clip as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognizers.base import MIN_NOISE_CS, Utterance
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, ShapeCue, animate_phones
from kuchipaku_lipsync.vad import Segment

# A pause is rest from 36 cs on. Into it reach: the padding of either segment (3 + 3), a plosive's
# closure (12) and a short shape made longer (6).
SAFE_PAUSE_CS: Final = 60
# A pause in which there is rest between the phones at all, whatever reaches into it.
SHORT_PAUSE_CS: Final = 25
# How far before the last shape of a short pause the shapes are final.
SETTLED_CS: Final = 40


class CueBuilder:
    """Turns utterances, given in order, into cues that do not change any more."""

    def __init__(
        self,
        duration_cs: int,
        segments: Sequence[Segment],
        shapes: frozenset[MouthShape] = ALL_SHAPES,
    ) -> None:
        self._duration_cs = duration_cs
        self._segments = segments
        self._shapes = shapes
        self._rest = MouthShape.X if MouthShape.X in shapes else MouthShape.A
        self._heard = 0
        self._phones: list[PhoneSegment] = []
        # The animation starts anew in the pause before the last part that moved the mouth:
        # Rhubarb treats the very first shapes differently, and that part shields from it.
        self._origin_cs = 0
        self._last_pause_cs = 0
        self._given_cs = 0

    def add(self, utterance: Utterance) -> list[ShapeCue]:
        """Takes what was heard in the next segment; gives the cues that are final now."""
        self._phones.extend(utterance.phones)
        self._heard += 1
        if self._heard >= len(self._segments):
            return []
        following = self._segments[self._heard]
        if not utterance.phones:
            return []
        spoken_until = utterance.phones[-1].end_cs
        pause = following.start_cs - spoken_until
        # A very short segment may turn out to be nothing, which would make this the last one.
        if pause < SHORT_PAUSE_CS or following.duration_cs < MIN_NOISE_CS:
            return []
        end = following.start_cs + MIN_NOISE_CS
        stand_in = PhoneSegment(following.start_cs, end, Phone.NOISE)
        animated = self._animated([*self._phones, stand_in], end)
        if pause < SAFE_PAUSE_CS:
            return self._before_short_pause(animated, spoken_until)
        # An in-between after the last phone depends on whether the mouth moves once more.
        cues = [cue for cue in animated if cue.end_cs <= spoken_until]
        self._advance(spoken_until + pause // 2, cues)
        return cues

    def _before_short_pause(
        self, animated: Sequence[ShapeCue], spoken_until_cs: int
    ) -> list[ShapeCue]:
        """The cues that what follows a short pause cannot change.

        A mouth that stays at B through the pause may be broken up for moving too little, and with
        it shapes before; so there is nothing to give then.
        """
        held = next((cue for cue in animated if cue.end_cs >= spoken_until_cs), None)
        if held is None or held.shape is MouthShape.B:
            return []
        cues = [cue for cue in animated if cue.end_cs <= held.start_cs - SETTLED_CS]
        if cues:
            self._given_cs = cues[-1].end_cs
        return cues

    def finish(self, duration_cs: int | None = None) -> list[ShapeCue]:
        """The remaining cues, up to the end of the clip, or `duration_cs` if it was not known."""
        end = self._duration_cs if duration_cs is None else duration_cs
        return self._animated(self._phones, end)

    def _animated(self, phones: Sequence[PhoneSegment], end_cs: int) -> list[ShapeCue]:
        """Cues not yet given out, of the animation from the origin to `end_cs`."""
        origin = self._origin_cs
        cues = animate_phones(
            [phone.shifted(-origin) for phone in phones], end_cs - origin, self._shapes
        )
        return [
            ShapeCue(max(start + origin, self._given_cs), end + origin, shape)
            for start, end, shape in cues
            if end + origin > self._given_cs
        ]

    def _advance(self, split_cs: int, cues: Sequence[ShapeCue]) -> None:
        if cues:
            self._given_cs = cues[-1].end_cs
        last_pause = self._last_pause_cs
        if any(cue.shape is not self._rest and cue.start_cs >= last_pause for cue in cues):
            self._origin_cs = last_pause
            self._phones = [phone for phone in self._phones if phone.start_cs >= self._origin_cs]
            self._last_pause_cs = split_cs
