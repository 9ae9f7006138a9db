"""What every recogniser offers, and what they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kuchipaku_lipsync.phones import Phone, PhoneSegment, clipped
from kuchipaku_lipsync.speech import Speech
from kuchipaku_lipsync.vad import Segment

# Holes at least this long inside an utterance are sounds that are no known phone.
MIN_NOISE_CS = 12


class RecognizerName(StrEnum):
    """Who listens; `AUTO` is decided by the text, the content and how the audio comes."""

    AUTO = "auto"
    ALIGNED = "aligned"
    WORDS = "words"
    PHONETIC = "phonetic"
    RHUBARB = "rhubarb"
    LIVE = "live"
    SONG = "song"


class AudioContent(StrEnum):
    """What is to be heard in the audio; `ANY` is found out."""

    ANY = "any"
    SPEECH = "speech"
    SONG = "song"


@dataclass(frozen=True, slots=True)
class WordSegment:
    """A word over `start_cs` <= t < `end_cs`, in centiseconds from the start of the clip."""

    start_cs: int
    end_cs: int
    text: str

    @property
    def start(self) -> float:
        """Start in seconds."""
        return self.start_cs / 100

    @property
    def end(self) -> float:
        """End in seconds."""
        return self.end_cs / 100


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was heard in one segment of speech. Times count from the start of the clip."""

    segment: Segment
    phones: tuple[PhoneSegment, ...]
    words: tuple[WordSegment, ...] = ()


class Recognizer(Protocol):
    """Hears phones. Holds a decoder of its own: one call at a time."""

    @property
    def name(self) -> RecognizerName: ...

    def listen(self, speech: Speech) -> Iterator[Utterance]:
        """One utterance for each of the segments of `speech`, in their order, as it is done."""
        ...


def with_noise(phones: Sequence[PhoneSegment], segment: Segment) -> tuple[PhoneSegment, ...]:
    """The phones with the long holes that they leave in their segment filled by noise."""
    ordered = clipped(phones, 0, max([segment.end_cs, *(phone.end_cs for phone in phones)]))
    result: list[PhoneSegment] = []
    cursor = segment.start_cs
    for phone in ordered:
        _append_noise(result, cursor, min(phone.start_cs, segment.end_cs))
        result.append(phone)
        cursor = max(cursor, phone.end_cs)
    _append_noise(result, cursor, segment.end_cs)
    return tuple(result)


def _append_noise(result: list[PhoneSegment], start_cs: int, end_cs: int) -> None:
    # A clip that starts in mid-sound is most often cut, not noisy: as Rhubarb, leave it at rest.
    if start_cs > 0 and end_cs - start_cs >= MIN_NOISE_CS:
        result.append(PhoneSegment(start_cs, end_cs, Phone.NOISE))
