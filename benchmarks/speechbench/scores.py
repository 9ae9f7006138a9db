"""How good mouth cues are, measured on speech whose phones are known."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from speechbench.flite import SpokenLine

from kuchipaku_animation.cues import MouthCue
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.rhubarb import animate_phones

BILABIALS: Final = frozenset({Phone.M, Phone.B, Phone.P})
OPEN_VOWELS: Final = frozenset(
    {Phone.AA, Phone.AE, Phone.AH, Phone.AO, Phone.AW, Phone.AY, Phone.EH}
)
_OPEN_SHAPES: Final = frozenset("CDE")
# Shorter vowels hardly open the mouth of a speaker either.
_MIN_VOWEL_CS: Final = 8
# The lips close for a stop before it is heard.
_BEFORE_S, _AFTER_S = 0.08, 0.02


@dataclass
class Share:
    """Hits of all cases."""

    hits: int = 0
    total: int = 0

    def add(self, hit: bool) -> None:
        """Counts one case."""
        self.hits += hit
        self.total += 1

    def __str__(self) -> str:
        return f"{self.hits / self.total:.3f}" if self.total else "-"


@dataclass
class Cost:
    """CPU seconds over seconds of audio."""

    cpu: float = 0.0
    audio: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpu / self.audio:.3f}" if self.audio else "-"


@dataclass
class Scores:
    """What the eye notices, over many lines."""

    shapes: Share = field(default_factory=Share)
    """Frames of 10 ms with the shape that Rhubarb's rules give for the true phones."""
    closures_found: Share = field(default_factory=Share)
    """True m, b, p with closed lips at or just before them."""
    closures_right: Share = field(default_factory=Share)
    """Closed lips that have an m, b or p."""
    vowels_open: Share = field(default_factory=Share)
    """True open vowels with an open mouth in their middle half."""
    closure_lags: list[float] = field(default_factory=list)
    vowel_lags: list[float] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)

    def add(self, line: SpokenLine, cues: Sequence[MouthCue]) -> None:
        """Counts one line."""
        mine = frames(cues)
        truth = "".join(
            cue.shape * (cue.end_cs - cue.start_cs)
            for cue in animate_phones(line.phones, int(line.clip.duration_s * 100))
        )
        self.shapes.hits += sum(one == other for one, other in zip(mine, truth, strict=False))
        self.shapes.total += len(truth)
        closed = [cue for cue in cues if cue.shape == "A"]
        bilabials = [phone for phone in line.phones if phone.phone in BILABIALS]
        for phone in bilabials:
            found = [cue for cue in closed if _closes(cue, phone)]
            self.closures_found.add(bool(found))
            self.closure_lags += [cue.start - phone.start for cue in found[:1]]
        for cue in closed:
            self.closures_right.add(any(_closes(cue, phone) for phone in bilabials))
        for phone in line.phones:
            if phone.phone in OPEN_VOWELS and phone.duration_cs >= _MIN_VOWEL_CS:
                self._add_vowel(phone, cues, mine)

    def _add_vowel(self, phone: PhoneSegment, cues: Sequence[MouthCue], mine: str) -> None:
        quarter = phone.duration_cs // 4
        middle = mine[phone.start_cs + quarter : phone.end_cs - quarter]
        self.vowels_open.add(bool(_OPEN_SHAPES & set(middle)))
        opening = [
            cue.start
            for cue in cues
            if cue.shape in _OPEN_SHAPES and cue.start < phone.end and cue.end > phone.start
        ]
        self.vowel_lags += [start - phone.start for start in opening[:1]]

    def include(self, other: Scores) -> None:
        """Adds what was counted elsewhere."""
        for name in ("shapes", "closures_found", "closures_right", "vowels_open"):
            mine, more = getattr(self, name), getattr(other, name)
            mine.hits, mine.total = mine.hits + more.hits, mine.total + more.total
        self.closure_lags += other.closure_lags
        self.vowel_lags += other.vowel_lags
        self.cost.cpu += other.cost.cpu
        self.cost.audio += other.cost.audio

    def to_json(self) -> dict[str, Any]:
        """All of it; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scores:
        """What `to_json` wrote."""
        shares = ("shapes", "closures_found", "closures_right", "vowels_open")
        return cls(
            **{name: Share(**data[name]) for name in shares},
            closure_lags=data["closure_lags"],
            vowel_lags=data["vowel_lags"],
            cost=Cost(**data["cost"]),
        )

    def cells(self) -> list[str]:
        """The scores as cells of a table, see `HEADER`."""
        return [
            str(self.shapes),
            f"{self.closures_found} / {self.closures_right}",
            str(self.vowels_open),
            f"{_milliseconds(self.closure_lags)} / {_milliseconds(self.vowel_lags)}",
            str(self.cost),
        ]


HEADER: Final = [
    "frames as in truth",
    "m b p found / right",
    "open vowels",
    "lag ms, m b p / vowels",
    "CPU",
]


def score(
    lines: Iterable[SpokenLine],
    hear: Callable[[SpokenLine], Sequence[MouthCue]],
    clock: Callable[[], float],
) -> Scores:
    """Scores of `hear` over lines; `clock` tells the CPU seconds spent."""
    scores = Scores()
    for line in lines:
        begun = clock()
        cues = hear(line)
        scores.cost.cpu += clock() - begun
        scores.cost.audio += line.clip.duration_s
        scores.add(line, cues)
    return scores


def frames(cues: Iterable[MouthCue]) -> str:
    """One letter per 10 ms."""
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table in Markdown, each row as soon as it is there."""
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def _closes(cue: MouthCue, phone: PhoneSegment) -> bool:
    return cue.start < phone.end + _AFTER_S and cue.end > phone.start - _BEFORE_S


def _milliseconds(lags: Sequence[float]) -> str:
    return f"{1000 * statistics.median(lags):+.0f}" if lags else "-"
