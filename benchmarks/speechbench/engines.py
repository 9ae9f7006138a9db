"""The recognisers that the benchmark compares, each as a function from a line to cues."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from speechbench.flite import SpokenLine

from kuchipaku_animation.cues import MouthCue
from kuchipaku_lipsync.live.listener import LiveListener, LiveOptions
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.rhubarb_native import (
    RhubarbAnswer,
    RhubarbProgram,
    find_rhubarb,
)
from kuchipaku_lipsync.rhubarb import ALL_SHAPES
from kuchipaku_lipsync.speech import SAMPLE_RATE, prepare_speech
from kuchipaku_media.audio import resample

Hear = Callable[[SpokenLine], Sequence[MouthCue]]

_INSTALLED: Final = Path(__file__).parents[2] / "build" / "rhubarb" / "rhubarb"
_CHUNK: Final = SAMPLE_RATE // 50


def cpu_seconds() -> float:
    """CPU time of this process and of the programs that it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def rhubarb_path() -> str:
    """Where Rhubarb is: as `make rhubarb` installs it, or on the PATH. Empty without one."""
    if _INSTALLED.exists():
        return str(_INSTALLED)
    return str(find_rhubarb("") or "")


def embedded(recognizers: Recognizers, name: RecognizerName, language: str = "en") -> Hear:
    """One of the recognisers of the package."""

    def hear(line: SpokenLine) -> Sequence[MouthCue]:
        text = line.text if name is RecognizerName.ALIGNED else ""
        options = RecognitionOptions(name, text, language=language)
        result = recognise(line.clip, options, recognizers)
        if result.recognizer is not name:
            raise SystemExit(f"{name} fell back to {result.recognizer}: {line.text}")
        return result.cues

    return hear


def live(latency_s: float, *, text: bool = False) -> Hear:
    """The live recogniser, fed as a stream in pieces of 20 ms, with or without the text."""

    def hear(line: SpokenLine) -> Sequence[MouthCue]:
        listener = LiveListener(LiveOptions(latency_s, text=line.text if text else ""))
        samples = resample(line.clip, SAMPLE_RATE).samples
        cues: list[MouthCue] = []
        for start in range(0, len(samples), _CHUNK):
            step = listener.push(samples[start : start + _CHUNK])
            cues += [MouthCue(cue.start, cue.end, cue.shape) for cue in step.cues]
        last, _ = listener.finish()
        return cues + [MouthCue(cue.start, cue.end, cue.shape) for cue in last.cues]

    return hear


def native(*, text: bool = False, phonetic: bool = False) -> Hear:
    """Rhubarb itself, one thread."""
    program = RhubarbProgram(rhubarb_path())

    def hear(line: SpokenLine) -> Sequence[MouthCue]:
        samples = prepare_speech(line.clip).samples
        said = line.text if text else ""
        parts = program.listen(samples, said, ALL_SHAPES, phonetic=phonetic)
        answer = next(part for part in parts if isinstance(part, RhubarbAnswer))
        return [MouthCue(cue.start_cs / 100, cue.end_cs / 100, cue.shape) for cue in answer.cues]

    return hear
