"""From phones to the mouth shapes that each of them allows (Rhubarb's animation rules)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kuchipaku_lipsync.phones import VOWELS, Phone, PhoneSegment
from kuchipaku_lipsync.rhubarb.shapes import EVERY_MASK, allowed_mask, mask_of

DIPHTHONG_SPLIT = 0.6
MIN_OCCLUSION_CS = 4
MAX_OCCLUSION_CS = 12

# One allowed set of shapes over a stretch of time relative to the start of the phone.
_Part = tuple[int, int, int]

_ANY = EVERY_MASK
_ANY_OPEN = mask_of("BCDEFGH")
_REST = mask_of("X")

_SINGLE = {
    Phone.AO: "E",
    Phone.AA: "D",
    Phone.IY: "B",
    Phone.UW: "F",
    Phone.EH: "C",
    Phone.IH: "B",
    Phone.UH: "F",
    Phone.SCHWA: "BC",
    Phone.AE: "C",
    Phone.CH: "BF",
    Phone.JH: "BF",
    Phone.F: "G",
    Phone.V: "G",
    Phone.TH: "BF",
    Phone.DH: "BF",
    Phone.S: "BF",
    Phone.Z: "BF",
    Phone.SH: "BF",
    Phone.ZH: "BF",
    Phone.HH: "ABCDEFGHX",
    Phone.M: "A",
    Phone.N: "BCFH",
    Phone.NG: "BCEF",
    Phone.R: "BEF",
    Phone.Y: "BCF",
    Phone.W: "F",
    Phone.BREATH: "C",
    Phone.COUGH: "C",
    Phone.SMACK: "C",
    Phone.NOISE: "B",
}
# Short and long form, told apart by the duration: (limit in centiseconds, below it, from it on).
_BY_DURATION = {
    Phone.AH: (20, "C", "D"),
    Phone.ER: (7, "BC", "E"),
    Phone.L: (20, "BEFH", "H"),
}
_DIPHTHONG = {Phone.EY: "CB", Phone.OW: "EF", Phone.OY: "EB"}
_DIPHTHONG_BY_DURATION = {Phone.AY: (20, "CB", "DB"), Phone.AW: (30, "CE", "DE")}
_PLOSIVE = {
    Phone.P: ("A", _ANY),
    Phone.B: ("A", _ANY),
    Phone.T: ("BF", _ANY_OPEN),
    Phone.D: ("BF", _ANY_OPEN),
    Phone.K: ("BCEFH", _ANY_OPEN),
    Phone.G: ("BCEFH", _ANY_OPEN),
}


@dataclass(frozen=True, slots=True)
class ShapeRule:
    """The shapes (bit mask) allowed over a range, and the phone behind them; None is a pause."""

    start: int
    end: int
    shapes: int
    phone: Phone | None = None
    phone_start: int = 0
    phone_end: int = 0

    @property
    def single_vowel(self) -> bool:
        """True for a vowel that leaves no choice of shape."""
        return self.phone in VOWELS and self.shapes & (self.shapes - 1) == 0

    @property
    def flexible(self) -> bool:
        """True when the context decides between several shapes."""
        return self.shapes & (self.shapes - 1) != 0


def _phone_parts(phone: Phone, duration: int, previous_duration: int) -> list[_Part]:
    if phone in _SINGLE:
        return [(0, duration, mask_of(_SINGLE[phone]))]
    if phone in _BY_DURATION:
        limit, short, long = _BY_DURATION[phone]
        return [(0, duration, mask_of(short if duration < limit else long))]
    if phone in _PLOSIVE:
        closure, release = _PLOSIVE[phone]
        occlusion = min(max(previous_duration // 2, MIN_OCCLUSION_CS), MAX_OCCLUSION_CS)
        return [(-occlusion, 0, mask_of(closure)), (0, duration, release)]
    if phone in _DIPHTHONG:
        pair = _DIPHTHONG[phone]
    else:
        limit, short, long = _DIPHTHONG_BY_DURATION[phone]
        pair = short if duration < limit else long
    split = int(duration * DIPHTHONG_SPLIT)
    return [(0, split, mask_of(pair[0])), (split, duration, mask_of(pair[1]))]


def _append(rules: list[ShapeRule], rule: ShapeRule) -> None:
    """Adds a rule at the end; what it overlaps of the earlier rules gives way."""
    if rule.start >= rule.end:
        return
    while rules and rules[-1].start >= rule.start:
        rules.pop()
    if rules and rules[-1].end > rule.start:
        rules[-1] = replace(rules[-1], end=rule.start)
    rules.append(rule)


def shape_rules(phones: Sequence[PhoneSegment], duration_cs: int) -> list[ShapeRule]:
    """Contiguous rules over 0..`duration_cs`.

    `phones` are sorted, do not overlap and lie within 0..`duration_cs`.
    """
    rules: list[ShapeRule] = []
    cursor = 0
    previous_duration = 0
    for segment in phones:
        if segment.start_cs > cursor:
            _append(rules, ShapeRule(cursor, segment.start_cs, _REST))
            previous_duration = segment.start_cs - cursor
        for start, end, mask in _phone_parts(segment.phone, segment.duration_cs, previous_duration):
            rule = ShapeRule(
                start=max(segment.start_cs + start, 0),
                end=segment.start_cs + end,
                shapes=mask,
                phone=segment.phone,
                phone_start=segment.start_cs,
                phone_end=segment.end_cs,
            )
            _append(rules, rule)
        cursor = segment.end_cs
        previous_duration = segment.duration_cs
    if cursor < duration_cs:
        _append(rules, ShapeRule(cursor, duration_cs, _REST))
    return rules


def restrict_rules(rules: Sequence[ShapeRule], allowed: int) -> list[ShapeRule]:
    """The rules with every shape replaced by its nearest one in the set `allowed`."""
    return [replace(rule, shapes=allowed_mask(rule.shapes, allowed)) for rule in rules]
