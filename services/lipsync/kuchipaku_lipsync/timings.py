"""Timings that a caller knows, in place of audio: phones, or visemes of another system, as cues.

Both go through Rhubarb's animation rules, so that a speech synthesiser's timings move the mouth
like recognised ones. A viseme stands for a group of phones; the one that holds its mouth longest
stands in for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.incremental import SAFE_PAUSE_CS, CueBuilder
from kuchipaku_lipsync.phones import Phone, PhoneSegment, parse_phone, recognised_phone
from kuchipaku_lipsync.recognizers.base import MIN_NOISE_CS, Utterance
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, ShapeCue
from kuchipaku_lipsync.vad import Segment

# Synthesisers round their times: overlaps up to this are no mistakes.
OVERLAP_TOLERANCE_S: Final = 0.005
# How long the last viseme lasts when no silence follows it.
LAST_VISEME_S: Final = 0.15

_SILENCES: Final = frozenset({"SIL", "PAU", "SP", "SPN", "H#", "_"})
# Symbols of TIMIT and of other synthesisers beside the 39 of ARPAbet, all for the same mouths.
_ALIASES: Final = {
    "AX": "SCHWA",
    "AXR": "ER",
    "IX": "IH",
    "UX": "UW",
    "DX": "D",
    "EL": "L",
    "EM": "M",
    "EN": "N",
    "NX": "N",
    "AH0": "SCHWA",
}


class VisemeSet(StrEnum):
    """Numbered visemes of other systems."""

    OVR_15 = "ovr_15"
    """Oculus LipSync: sil PP FF TH DD kk CH SS nn RR aa E ih oh ou."""
    AZURE_22 = "azure_22"
    """Azure Speech: 0 silence to 21 (p, b, m)."""


# A phone for each viseme id; SIL is silence.
_VISEMES: Final[Mapping[VisemeSet, tuple[str, ...]]] = {
    VisemeSet.OVR_15: tuple("SIL M F TH DH NG CH S N R AA EH IH AO UW".split()),  # noqa: SIM905
    VisemeSet.AZURE_22: tuple(
        "SIL AH AA AO EH ER IY UW AO AW OY AY HH R L S SH TH F N NG M".split()  # noqa: SIM905
    ),
}


@dataclass(frozen=True, slots=True)
class TimedPhone:
    """A phone over `start` <= t < `end`, in seconds."""

    start: float
    end: float
    symbol: str


@dataclass(frozen=True, slots=True)
class TimedViseme:
    """A viseme from `start` (seconds) until the next one."""

    start: float
    viseme_id: int


class TimedMouth:
    """Turns timings, given in order, into cues.

    Cues are given out as soon as a pause decides them; they are those of all timings at once.
    """

    def __init__(self, shapes: frozenset[MouthShape] = ALL_SHAPES) -> None:
        """Use these shapes: A to F and any of G, H, X."""
        self._segments: list[Segment] = []
        self._builder = CueBuilder(0, self._segments, shapes)
        self._phones: list[PhoneSegment] = []
        self._count = 0
        self._end_s = 0.0
        self._set: VisemeSet | None = None
        # Start of the viseme that lasts until the next one, and its phone.
        self._viseme: tuple[float, str] | None = None

    @property
    def end_s(self) -> float:
        """Where the timings end so far, in seconds."""
        return self._end_s

    def add_phones(
        self, phones: Sequence[TimedPhone], *, field: str = "phones.phones"
    ) -> list[MouthCue]:
        """Takes phones that follow those before; gives the cues that are final now.

        Raises InvalidArgumentError with the field of the bad value: PHONE_UNKNOWN, TIMING_INVALID
        (not finite, negative, empty, beyond the longest audio), TIMING_OVERLAP, TOO_MANY_TIMINGS.
        """
        self._check_count(len(phones), field)
        cues: list[MouthCue] = []
        for index, phone in enumerate(phones):
            where = f"{field}[{index}]"
            symbol = known_symbol(phone.symbol, f"{where}.symbol")
            _check_time(phone.start, 0.0, f"{where}.start_offset")
            if phone.start < self._end_s - OVERLAP_TOLERANCE_S:
                raise _overlap(phone.start, self._end_s, f"{where}.start_offset")
            _check_time(phone.end, phone.start, f"{where}.end_offset")
            cues += self._add(max(phone.start, self._end_s), phone.end, symbol)
        return cues

    def add_visemes(
        self,
        viseme_set: VisemeSet,
        visemes: Sequence[TimedViseme],
        *,
        field: str = "visemes.visemes",
    ) -> list[MouthCue]:
        """Takes visemes that follow those before; gives the cues that are final now.

        Raises as `add_phones`, with VISEME_UNKNOWN for an id that the set lacks, and
        FailedPreconditionError VISEME_SET_CHANGED.
        """
        if self._set not in (None, viseme_set):
            raise FailedPreconditionError(
                "All visemes of an utterance are of one set.",
                reason="VISEME_SET_CHANGED",
                field="visemes.set",
            )
        self._set = viseme_set
        self._check_count(len(visemes), field)
        cues: list[MouthCue] = []
        for index, viseme in enumerate(visemes):
            where = f"{field}[{index}]"
            if not 0 <= viseme.viseme_id < len(_VISEMES[viseme_set]):
                raise InvalidArgumentError(
                    f"The set has the visemes 0 to {len(_VISEMES[viseme_set]) - 1}.",
                    reason="VISEME_UNKNOWN",
                    field=f"{where}.viseme_id",
                )
            _check_time(viseme.start, 0.0, f"{where}.start_offset")
            before = self._viseme
            if before is not None and viseme.start < before[0] - OVERLAP_TOLERANCE_S:
                raise _overlap(viseme.start, before[0], f"{where}.start_offset")
            cues += self._close_viseme(viseme.start)
            self._viseme = viseme.start, _VISEMES[viseme_set][viseme.viseme_id]
        return cues

    def finish(self, duration_s: float | None = None) -> list[MouthCue]:
        """The remaining cues, up to `duration_s` or, without it, the end of the timings."""
        cues: list[MouthCue] = []
        if self._viseme is not None:
            start, symbol = self._viseme
            cues += self._close_viseme(start + (symbol not in _SILENCES) * LAST_VISEME_S)
        if self._phones:
            cues += _cues(self._builder.add(self._utterance()))
        end = self._end_s if duration_s is None else duration_s
        return cues + _cues(self._builder.finish(math.ceil(round(end * 100, 6))))

    def _close_viseme(self, end_s: float) -> list[MouthCue]:
        viseme, self._viseme = self._viseme, None
        if viseme is None or end_s <= viseme[0]:
            self._end_s = max(self._end_s, end_s)
            return []
        return self._add(max(viseme[0], self._end_s), end_s, viseme[1])

    def _add(self, start_s: float, end_s: float, symbol: str) -> list[MouthCue]:
        self._end_s = max(self._end_s, end_s)
        if symbol in _SILENCES:
            return []
        start = round(start_s * 100)
        if self._phones:
            start = max(start, self._phones[-1].end_cs)
        phone = recognised_phone(symbol, start, max(round(end_s * 100), start + 1))
        cues: list[MouthCue] = []
        if self._phones and start - self._phones[-1].end_cs >= SAFE_PAUSE_CS:
            # The next segment has to be known before the one behind the pause is closed.
            following = Segment(start, start + MIN_NOISE_CS)
            cues = self._close_segment(following)
        self._phones.append(phone)
        return cues

    def _close_segment(self, following: Segment) -> list[MouthCue]:
        utterance = self._utterance()
        self._segments.append(following)
        return _cues(self._builder.add(utterance))

    def _utterance(self) -> Utterance:
        segment = Segment(self._phones[0].start_cs, self._phones[-1].end_cs)
        if not self._segments:
            self._segments.append(segment)
        utterance = Utterance(segment, tuple(self._phones))
        self._phones = []
        return utterance

    def _check_count(self, count: int, field: str) -> None:
        self._count += count
        if self._count > LIMITS.max_cues:
            raise InvalidArgumentError(
                f"At most {LIMITS.max_cues} timings are accepted.",
                reason="TOO_MANY_TIMINGS",
                field=field,
                limit=LIMITS.max_cues,
            )


def known_symbol(symbol: str, field: str) -> str:
    """The symbol as `recognised_phone` knows it, SIL for silence.

    Raises InvalidArgumentError with reason PHONE_UNKNOWN.
    """
    name = symbol.strip().upper()
    name = _ALIASES.get(name, name)
    if name in _SILENCES:
        return "SIL"
    if parse_phone(name) is Phone.NOISE and name != "NOISE":
        raise InvalidArgumentError(
            f"{symbol[:16]!r} is no ARPAbet symbol.", reason="PHONE_UNKNOWN", field=field
        )
    return name


def _check_time(time: float, after: float, field: str) -> None:
    lowest = after if field.endswith("start_offset") else math.nextafter(after, math.inf)
    if not (math.isfinite(time) and lowest <= time <= LIMITS.max_audio_duration_s):
        raise InvalidArgumentError(
            f"The time must lie in {after:g}..{LIMITS.max_audio_duration_s:g} s, is {time:g}.",
            reason="TIMING_INVALID",
            field=field,
        )


def _overlap(start: float, end: float, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"It starts at {start:g} s, before {end:g} s where the one before it is; timings must be "
        "sorted and must not overlap.",
        reason="TIMING_OVERLAP",
        field=field,
    )


def _cues(cues: Sequence[ShapeCue]) -> list[MouthCue]:
    return [MouthCue(cue.start_cs / 100, cue.end_cs / 100, cue.shape) for cue in cues]
