"""Phones: the 39 of ARPAbet plus the sounds that Rhubarb Lip Sync tells apart.

Times are whole centiseconds (1/100 s), the frame rate of the acoustic model. Phone set and the
schwa rule follow Rhubarb (github.com/DanielSWolf/rhubarb-lip-sync, core/Phone.cpp).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

CENTISECONDS_PER_SECOND = 100
# The recogniser has no schwa of its own; Rhubarb takes an AH shorter than this for one.
SCHWA_LIMIT_CS = 6


class Phone(StrEnum):
    """A phone; `NOISE` stands for any sound that is not speech."""

    AO = "AO"
    AA = "AA"
    IY = "IY"
    UW = "UW"
    EH = "EH"
    IH = "IH"
    UH = "UH"
    AH = "AH"
    SCHWA = "Schwa"
    AE = "AE"
    EY = "EY"
    AY = "AY"
    OW = "OW"
    AW = "AW"
    OY = "OY"
    ER = "ER"
    P = "P"
    B = "B"
    T = "T"
    D = "D"
    K = "K"
    G = "G"
    CH = "CH"
    JH = "JH"
    F = "F"
    V = "V"
    TH = "TH"
    DH = "DH"
    S = "S"
    Z = "Z"
    SH = "SH"
    ZH = "ZH"
    HH = "HH"
    M = "M"
    N = "N"
    NG = "NG"
    L = "L"
    R = "R"
    Y = "Y"
    W = "W"
    BREATH = "Breath"
    COUGH = "Cough"
    SMACK = "Smack"
    NOISE = "Noise"


VOWELS = frozenset(
    {
        Phone.AO,
        Phone.AA,
        Phone.IY,
        Phone.UW,
        Phone.EH,
        Phone.IH,
        Phone.UH,
        Phone.AH,
        Phone.SCHWA,
        Phone.AE,
        Phone.EY,
        Phone.AY,
        Phone.OW,
        Phone.AW,
        Phone.OY,
        Phone.ER,
    }
)

_BY_NAME = {phone.value.upper(): phone for phone in Phone} | {
    "+BREATH+": Phone.BREATH,
    "+COUGH+": Phone.COUGH,
    "+SMACK+": Phone.SMACK,
}


def parse_phone(name: str) -> Phone:
    """The phone called `name` (any case, stress digit allowed); an unknown name is noise."""
    return _BY_NAME.get(name.upper().rstrip("012"), Phone.NOISE)


@dataclass(frozen=True, slots=True)
class PhoneSegment:
    """One phone over `start_cs` <= t < `end_cs`, in centiseconds from the start of the clip."""

    start_cs: int
    end_cs: int
    phone: Phone

    @property
    def start(self) -> float:
        """Start in seconds."""
        return self.start_cs / CENTISECONDS_PER_SECOND

    @property
    def end(self) -> float:
        """End in seconds."""
        return self.end_cs / CENTISECONDS_PER_SECOND

    @property
    def duration_cs(self) -> int:
        return self.end_cs - self.start_cs

    def shifted(self, offset_cs: int) -> PhoneSegment:
        return PhoneSegment(self.start_cs + offset_cs, self.end_cs + offset_cs, self.phone)


def recognised_phone(name: str, start_cs: int, end_cs: int) -> PhoneSegment:
    """A phone as the recogniser names it, with a short AH told apart as schwa."""
    phone = parse_phone(name)
    if phone is Phone.AH and end_cs - start_cs < SCHWA_LIMIT_CS:
        phone = Phone.SCHWA
    return PhoneSegment(start_cs, end_cs, phone)


def clipped(phones: Iterable[PhoneSegment], start_cs: int, end_cs: int) -> list[PhoneSegment]:
    """The phones sorted, cut to the range and freed of overlaps (the later one keeps its time)."""
    result: list[PhoneSegment] = []
    for segment in sorted(phones, key=lambda item: item.start_cs):
        start, end = max(segment.start_cs, start_cs), min(segment.end_cs, end_cs)
        if start >= end:
            continue
        while result and result[-1].start_cs >= start:
            result.pop()
        if result and result[-1].end_cs > start:
            result[-1] = PhoneSegment(result[-1].start_cs, start, result[-1].phone)
        result.append(PhoneSegment(start, end, segment.phone))
    return result
