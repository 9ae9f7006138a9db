"""Lines of speech to send: synthesised by eSpeak NG, or cut from recordings."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HERTZ: Final = 16_000
_MAX_LINE_S: Final = 8.0
_SUBJECTS = (
    "the captain", "my sister", "an old friend", "the merchant", "nobody", "the young king",
    "a stranger", "our guide", "the fox", "every knight", "the gardener", "a small dragon",
)  # fmt: skip
_VERBS = (
    "remembers", "wants", "has found", "never liked", "will bring", "keeps", "painted", "sold",
    "is looking for", "dreams about", "forgot", "asked about",
)  # fmt: skip
_OBJECTS = (
    "the silver key", "a warm meal", "the broken bridge", "your letter", "seven apples",
    "the northern road", "a quiet room", "the missing map", "this strange music", "the winter",
    "a better answer", "the morning train",
)  # fmt: skip
_ENDINGS = ("", "", " today", " before sunset", " again", ", you know", " by the river", " at last")

_Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say: 16-bit mono samples at `RATE_HERTZ`, and their text where it is known."""

    samples: bytes
    text: str = ""
    seed: int | None = None
    """Seed of the idle motion where the line always has the same; None: new every time."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / (2 * RATE_HERTZ)


class Speech(Protocol):
    """A source of lines, without end and always the same."""

    def line(self, number: int) -> Line:
        """The line of that number; different numbers give different lines."""


class SynthesisedSpeech:
    """Sentences that eSpeak NG speaks with changing pitch and speed."""

    def __init__(self, program: str, seed: int) -> None:
        """Speak with `program`."""
        self._program = program
        self._seed = seed

    def line(self, number: int) -> Line:
        """The sentence of that number. Raises `subprocess.CalledProcessError`."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - not for secrets
        text = sentence(chance)
        speed, pitch = str(chance.randint(140, 180)), str(chance.randint(30, 70))
        command = [self._program, "-v", "en-us", "-s", speed, "-p", pitch, "--stdout", text]
        spoken = subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        return Line(_read_wave(spoken.stdout).tobytes(), text)


class RecordedSpeech:
    """Recordings (WAV, with a text file of the same name) and copies at other speeds."""

    def __init__(self, recordings: Sequence[Line]) -> None:
        """Use at least one recording."""
        if not recordings:
            raise ValueError("no recordings of speech")
        self._recordings = recordings

    @classmethod
    def of(cls, folders: Sequence[Path]) -> RecordedSpeech:
        """The recordings of some folders, those beyond 8 s cut into pieces without text."""
        lines: list[Line] = []
        for path in sorted(path for folder in folders for path in folder.glob("*.wav")):
            text = path.with_suffix(".txt")
            known = text.read_text(encoding="utf-8").strip() if text.is_file() else ""
            whole = Line(_read_wave(path.read_bytes()).tobytes(), known)
            lines += [whole] if whole.duration_s <= _MAX_LINE_S else _pieces(whole)
        return cls(lines)

    def line(self, number: int) -> Line:
        """The recording of that number; behind the last one they come again at other speeds."""
        round_, index = divmod(number, len(self._recordings))
        chosen = self._recordings[index]
        if not round_:
            return chosen
        samples = np.frombuffer(chosen.samples, np.int16)
        # Golden-ratio steps: no speed comes twice, and none is far from natural.
        speed = 0.9 + 0.2 * ((round_ * 0.618034) % 1.0)
        return Line(_resampled(samples, speed).tobytes(), chosen.text)


def speech_for(seed: int, folders: Sequence[Path]) -> Speech:
    """Recordings where there are folders of them, else eSpeak NG.

    Raises ValueError when neither is there.
    """
    if folders:
        return RecordedSpeech.of(folders)
    program = shutil.which("espeak-ng")
    if program is None:
        raise ValueError("speech is needed: install espeak-ng or name a folder of WAV files")
    return SynthesisedSpeech(program, seed)


def sentence(chance: random.Random) -> str:
    """A sentence of words that pronouncing dictionaries know."""
    words = (chance.choice(_SUBJECTS), chance.choice(_VERBS), chance.choice(_OBJECTS))
    text = " ".join(words) + chance.choice(_ENDINGS)
    return f"{text[0].upper()}{text[1:]}."


def _pieces(whole: Line, seconds: float = 4.0) -> list[Line]:
    step = int(seconds * RATE_HERTZ) * 2
    parts = [whole.samples[at : at + step] for at in range(0, len(whole.samples), step)]
    return [Line(part) for part in parts if len(part) > step // 4]


def _read_wave(data: bytes) -> _Samples:
    # A program that writes to a pipe leaves the sizes in the header open.
    with wave.open(io.BytesIO(data)) as file:
        if file.getsampwidth() != 2:
            raise ValueError("recordings have to be 16-bit WAV files")
        rate, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(len(data)), np.int16)
    mono = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return _resampled(mono, rate / RATE_HERTZ)


def _resampled(samples: _Samples, step: float) -> _Samples:
    if step == 1.0:
        return samples
    at = np.arange(0, len(samples) - 1, step)
    resampled: _Samples = np.interp(at, np.arange(len(samples)), samples).astype(np.int16)
    return resampled
