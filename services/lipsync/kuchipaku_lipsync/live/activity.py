"""When somebody begins to speak and when they are done, frame by frame.

The offline detection (`kuchipaku_lipsync.vad`, `kuchipaku_lipsync.speechgate`) sees a whole
recording; this one decides from what has been heard so far, with the same detectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Vad

from kuchipaku_lipsync.live.levels import half_rate
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, SEGMENT_PADDING_CS
from kuchipaku_lipsync.speechgate import Hysteresis, SpeechDetector
from kuchipaku_lipsync.vad import MODE, VAD_SAMPLE_RATE

# WebRTC's flag stays on for so long after speech.
HANGOVER_CS: Final = 9
# How long after its end an utterance may go on: together with the hang-over, the offline gap.
_PATIENCE_CS: Final = 2
# The speech detector is sure of a beginning only after a while.
_MAX_PRE_ROLL_CS: Final = 20
# How much the speech detector may lag behind where no beginning is to be missed.
_UNHEARD_CS: Final = 15
_FRAME_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Begin:
    """An utterance begins; its audio counts from ``at_cs``, which lies a little in the past."""

    at_cs: int


@dataclass(frozen=True, slots=True)
class End:
    """The utterance has ended at ``at_cs``."""

    at_cs: int


class Activity:
    """Finds utterances in frames of 10 ms."""

    def __init__(self, *, gated: bool = True) -> None:
        """``gated``: music and noise are no speech."""
        self._vad = Vad(MODE, VAD_SAMPLE_RATE, _FRAME_S)
        self._detector = SpeechDetector() if gated else None
        self._gate = Hysteresis()
        self._unheard = np.zeros((0, SAMPLES_PER_CS), np.float32)
        self._now_cs = 0
        self._sound_since: int | None = None
        self._silent_cs = 0
        self._last_end_cs = 0
        self.speaking = False

    def push(self, frames: NDArray[np.float32]) -> Iterator[tuple[int, bool, Begin | End | None]]:
        """For each of the frames (k, 160): its number, whether there is speech in it, and what
        begins or ends with it.
        """
        sounds = [self._vad.is_speech(half) for half in half_rate(frames)]
        opened = self._hear_speech(frames, urgent=any(sounds))
        for sound in sounds:
            event = self._step(sound, opened)
            yield self._now_cs, self.speaking, event
            self._now_cs += 1

    def _hear_speech(self, frames: NDArray[np.float32], *, urgent: bool) -> bool:
        """Whether there is speech. It begins at once, and may be over for a moment before it ends:
        the detector costs less for several windows at a time.
        """
        if self._detector is None:
            return True
        self._unheard = np.concatenate([self._unheard, frames])
        if len(self._unheard) >= _UNHEARD_CS or (urgent and not self._gate.on):
            for probability in self._detector.push(self._unheard.reshape(-1)):
                self._gate.push(float(probability))
            self._unheard = self._unheard[:0]
        return self._gate.on

    def _step(self, sound: bool, opened: bool) -> Begin | End | None:
        now = self._now_cs
        if sound:
            self._silent_cs = 0
            if self._sound_since is None:
                self._sound_since = now
        else:
            self._silent_cs += 1
            self._sound_since = None
        if not self.speaking:
            if not (sound and opened):
                return None
            return self._begin(now)
        if self._silent_cs >= _PATIENCE_CS:
            return self._end(now + 1 - self._silent_cs - HANGOVER_CS)
        return None if opened else self._end(now)

    def _begin(self, now: int) -> Begin:
        since = now if self._sound_since is None else self._sound_since
        start = max(since - SEGMENT_PADDING_CS, now - _MAX_PRE_ROLL_CS, self._last_end_cs, 0)
        self.speaking = True
        return Begin(start)

    def _end(self, at: int) -> End:
        self.speaking = False
        self._last_end_cs = max(at, self._last_end_cs)
        self._sound_since = None
        return End(self._last_end_cs)
