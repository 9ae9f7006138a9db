"""One live stream: samples in, final cues out a moment later.

The audio is taken in blocks at fixed times of the stream. After each block the shapes of the last
seconds are worked out anew from what the decoder now takes the phones for, and those that lie
far enough back are given out for good. The answer does not depend on how the audio was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.live.activity import Activity, Begin, End
from kuchipaku_lipsync.live.commit import Committer, ShapeRun, animate_window
from kuchipaku_lipsync.live.decoding import LiveDecoder
from kuchipaku_lipsync.live.following import TextDecoder, text_phones
from kuchipaku_lipsync.live.levels import Conditioner, LiveLoudness
from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.recognizers.reading import UnreadableTextError
from kuchipaku_lipsync.rhubarb import ALL_SHAPES
from kuchipaku_lipsync.song.tracker import SongDecoder
from kuchipaku_lipsync.speech import SAMPLE_RATE, SAMPLES_PER_CS

MIN_LATENCY_S: Final = 0.1
MAX_LATENCY_S: Final = 0.8
DEFAULT_LATENCY_S: Final = 0.2

# How much audio is looked at again: nothing in the animation reaches farther back.
WINDOW_CS: Final = 100
# What is kept of the audio itself: an utterance begins a little before it is noticed.
_MEMORY_CS: Final = 300


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How to listen.

    ``latency_s``: how old, at most, a moment is when its cue is given out, 0.1 to 0.8 s.
    ``gated``: music and noise are no speech. ``song``: somebody sings.
    """

    latency_s: float = DEFAULT_LATENCY_S
    shapes: frozenset[MouthShape] = ALL_SHAPES
    gated: bool = True
    song: bool = False
    provisional: bool = False
    text: str = ""
    """What is said, where that is known; not used for songs."""
    language: str = ""

    @property
    def hop_cs(self) -> int:
        """Length of a block. The less time there is, the more often it has to be looked."""
        latency_cs = round(self.latency_s * 100)
        return 3 if latency_cs < 15 else 5 if latency_cs < 40 else 10

    @property
    def look_ahead_cs(self) -> int:
        """How far behind the newest audio cues become final."""
        return round(self.latency_s * 100) - self.hop_cs


@dataclass(frozen=True, slots=True)
class LiveCue:
    """A final mouth shape over ``start`` <= t < ``end`` seconds.

    ``open_ended``: the next cue may have the same shape and then continues this one.
    """

    start: float
    end: float
    shape: MouthShape
    loudness: float
    open_ended: bool


@dataclass(frozen=True, slots=True)
class LiveStep:
    """What a piece of audio has led to. The cues continue where those of the step before ended."""

    cues: tuple[LiveCue, ...] = ()
    phones: tuple[PhoneSegment, ...] = ()
    provisional: tuple[LiveCue, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What is known at the end of a stream; ``duration`` in seconds."""

    duration: float
    heard_speech: bool
    boosted: bool
    clipped: bool
    loudest_dbfs: float
    text_note: tuple[str, str] | None = None
    """Reason and message where a text was given and did not help."""


class LiveListener:
    """Listens to one stream. Memory and time for each piece do not grow with its length."""

    def __init__(self, options: LiveOptions | None = None) -> None:
        """Listen as told by ``options``."""
        self._options = options or LiveOptions()
        self._conditioner = Conditioner()
        song = self._options.song
        self._activity = Activity(gated=self._options.gated and not song)
        self._text_note: tuple[str, str] | None = None
        self._decoder = self._open_decoder()
        self._loudness = LiveLoudness(_MEMORY_CS)
        self._committer = Committer(self._options.shapes)
        self._waiting = np.zeros((0, SAMPLES_PER_CS), np.float32)
        self._recent = self._waiting
        self._now_cs = 0
        self._samples = 0
        self._phones: list[PhoneSegment] = []
        self._phones_until_cs = 0
        self._heard_speech = False

    def _open_decoder(self) -> LiveDecoder | SongDecoder | TextDecoder:
        options = self._options
        if options.song:
            return SongDecoder()
        if options.text.strip():
            try:
                return TextDecoder(text_phones(options.text, options.language))
            except UnreadableTextError as error:
                self._text_note = (error.reason, error.message)
        return LiveDecoder()

    def _note_on_text(self) -> tuple[str, str] | None:
        if isinstance(self._decoder, TextDecoder) and self._decoder.lost:
            return "TEXT_DOES_NOT_MATCH", "Something else was said than the text, or more."
        if self._options.song and self._options.text.strip():
            return "TEXT_NOT_USED", "The text of a song is not used."
        return self._text_note

    def push(self, samples: NDArray[np.float32]) -> LiveStep:
        """Takes the next samples, float32 (n,) at 16 kHz in -1..1."""
        self._samples += len(samples)
        frames = self._conditioner.push(samples)
        if len(frames):
            self._waiting = np.concatenate([self._waiting, frames])
        hop = self._options.hop_cs
        steps = []
        while len(self._waiting) >= hop:
            block, self._waiting = self._waiting[:hop], self._waiting[hop:]
            self._hear(block)
            steps.append(self._commit(self._now_cs - self._options.look_ahead_cs))
        return _joined(steps)

    def pause(self) -> LiveStep:
        """No more audio comes for a while: what there is becomes final, without look-ahead."""
        self._hear_rest()
        return self._commit(self._now_cs)

    def finish(self) -> tuple[LiveStep, LiveSummary]:
        """The end of the audio: the remaining cues, up to its very end."""
        last = self._conditioner.finish()
        if len(last):
            self._waiting = np.concatenate([self._waiting, last])
        self._hear_rest()
        if self._activity.speaking:
            self._end_utterance(self._now_cs)
        step = self._commit(self._now_cs)
        duration = self._samples / SAMPLE_RATE
        summary = LiveSummary(
            duration,
            self._heard_speech,
            self._conditioner.boosted,
            self._conditioner.clipped,
            self._conditioner.loudest_dbfs,
            self._note_on_text(),
        )
        return LiveStep(_cut(step.cues, duration), self._final_phones(self._now_cs)), summary

    def _hear_rest(self) -> None:
        block, self._waiting = self._waiting, self._waiting[:0]
        if len(block):
            self._hear(block)

    def _hear(self, block: NDArray[np.float32]) -> None:
        self._recent = np.concatenate([self._recent, block])[-_MEMORY_CS:]
        first = self._now_cs
        speaking_flags = []
        fed = first
        for now, speaking, event in self._activity.push(block):
            speaking_flags.append(speaking)
            if isinstance(event, Begin):
                self._heard_speech = True
                self._decoder.begin(event.at_cs)
                fed = event.at_cs
            elif isinstance(event, End):
                self._decoder.push(self._frames(fed, now, first + len(block)))
                self._end_utterance(event.at_cs)
        self._now_cs = first + len(block)
        if self._activity.speaking:
            self._decoder.push(self._frames(fed, self._now_cs, self._now_cs))
        self._loudness.push(block, speaking_flags)

    def _frames(self, start_cs: int, end_cs: int, newest_cs: int) -> NDArray[np.float32]:
        """Frames of the last seconds, by their numbers."""
        origin = newest_cs - len(self._recent)
        return self._recent[max(start_cs - origin, 0) : max(end_cs - origin, 0)]

    def _end_utterance(self, at_cs: int) -> None:
        self._phones += self._decoder.end(at_cs, self._window_start())

    def _window_start(self) -> int:
        return min(self._committer.until_cs, self._now_cs) - WINDOW_CS

    def _view(self) -> tuple[list[PhoneSegment], int]:
        """Phones of the window, and the frame that it begins with."""
        start = self._window_start()
        self._phones = [phone for phone in self._phones if phone.end_cs > start]
        phones = list(self._phones)
        if self._activity.speaking:
            phones += self._decoder.phones(start)
        if phones and phones[0].start_cs < start:
            return phones, phones[0].start_cs
        return phones, max(start, 0)

    def _commit(self, until_cs: int) -> LiveStep:
        phones, origin = self._view()
        view = animate_window(phones, origin, self._now_cs, self._committer.allowed)
        runs = self._committer.commit(view, origin, until_cs)
        final = self._final_phones(until_cs, phones)
        guess = self._committer.guess(view, origin) if self._options.provisional else []
        return LiveStep(tuple(self._cues(runs)), final, tuple(self._cues(guess)))

    def _final_phones(
        self, until_cs: int, phones: Sequence[PhoneSegment] | None = None
    ) -> tuple[PhoneSegment, ...]:
        """Phones that end by ``until_cs`` and have not been given out, without overlaps."""
        result = []
        for phone in self._phones if phones is None else phones:
            start = max(phone.start_cs, self._phones_until_cs)
            if start < phone.end_cs <= until_cs:
                result.append(PhoneSegment(start, phone.end_cs, phone.phone))
                self._phones_until_cs = phone.end_cs
        return tuple(result)

    def _cues(self, runs: Sequence[ShapeRun]) -> list[LiveCue]:
        return [
            LiveCue(
                run.start_cs / 100,
                run.end_cs / 100,
                run.shape,
                self._loudness.over(run.start_cs, run.end_cs),
                run.open_ended,
            )
            for run in runs
        ]


def _joined(steps: Sequence[LiveStep]) -> LiveStep:
    return LiveStep(
        tuple(cue for step in steps for cue in step.cues),
        tuple(phone for step in steps for phone in step.phones),
        steps[-1].provisional if steps else (),
    )


def _cut(cues: Sequence[LiveCue], duration: float) -> tuple[LiveCue, ...]:
    """The last cues, up to the true end of the audio."""
    kept = [cue for cue in cues if cue.start < duration]
    if kept:
        last = kept[-1]
        kept[-1] = LiveCue(last.start, duration, last.shape, last.loudness, open_ended=False)
    return tuple(kept)
