"""Speech whose phones are known exactly: lines that flite speaks, with flite's own timings.

flite (http://www.festvox.org/flite, Debian package ``flite``) tells the end of each segment that
it synthesises, so the truth needs no human ear. The lines are such as games have.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kuchipaku_lipsync.phones import Phone, PhoneSegment, parse_phone
from kuchipaku_media.audio import AudioClip, decode_audio

SAMPLE_RATE = 16_000
# kal16 is left out: its audio ends up to 0.1 s away from the times that it tells.
VOICES = ("slt", "rms", "awb")

LINES = (
    "Welcome back, traveler. Before you leave the village, please talk to the blacksmith.",
    "Five brave people vanished beyond the northern bridge, and we have very few potions left.",
    "Hurry up! The bomb is about to blow, and the pump room is already flooding.",
    "My mother never told me why the moon above Plum Hollow burns blue at midnight.",
    "I bought a map, a pot of honey and a pair of boots. Will that be enough?",
    "You should not have come here. The shadow in the chapel remembers your name.",
    "What a lovely morning! Shall we walk along the harbour and watch the ships?",
    "Open the gate, or my archers will fill you with arrows before the bell rings twice.",
    "No way. Nobody jumps from that tower and lives, not even a mage with a feather charm.",
    "Thank you, thank you! Here, take this amber ring; it belonged to my grandfather.",
    "Enemy spotted near the pipeline. Bravo team, move up and keep your heads down.",
    "She sells maps, lamps, bombs and poems. Maybe we can buy her silence, too.",
)


@dataclass(frozen=True)
class SpokenLine:
    """One line, how it sounds, and which phone is heard when."""

    voice: str
    text: str
    clip: AudioClip
    phones: list[PhoneSegment]


def has_flite() -> bool:
    """Whether flite is installed."""
    return shutil.which("flite") is not None


def spoken_lines(voices: Iterable[str] = VOICES) -> Iterator[SpokenLine]:
    """Every line in every voice. Raises OSError where flite is missing."""
    for voice in voices:
        for text in LINES:
            yield speak(text, voice)


def speak(text: str, voice: str) -> SpokenLine:
    """One line as `voice` says it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "line.wav"
        command = ["flite", "-voice", voice, "-t", text, "-psdur", "-o", str(file)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        clip = decode_audio(file.read_bytes())
    return SpokenLine(voice, text, clip, list(_phones(answer.stdout)))


def _phones(told: str) -> Iterator[PhoneSegment]:
    """Phones of flite's `name:end` pairs; pauses are left out."""
    start = 0
    for entry in told.split():
        name, _, time = entry.partition(":")
        end = round(float(time) * 100)
        if name != "pau" and start < end:
            phone = Phone.SCHWA if name == "ax" else parse_phone(name)
            yield PhoneSegment(start, end, phone)
        start = end
