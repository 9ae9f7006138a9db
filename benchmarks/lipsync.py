"""Accuracy and cost of the lip sync recognisers.

    KUCHIPAKU_TEST_DATA=<folder> python benchmarks/lipsync.py [--clips h01_librivox_0870 ...]

Agreement is the share of 10 ms frames with the same mouth shape: with the native Rhubarb and the
same acoustic model (over the human and synthesised clips), and with the exact truth of
synthesised speech. CPU is seconds of one core per second of audio, animation included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kuchipaku_animation.cues import MouthCue
from kuchipaku_lipsync.phones import PhoneSegment, parse_phone
from kuchipaku_lipsync.recognise import Recognition, RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.rhubarb import animate_phones
from kuchipaku_media.audio import AudioClip, decode_audio

# Rhubarb's own name for the mode that each recogniser is compared with.
NATIVE_VARIANTS = {
    RecognizerName.PHONETIC: "phonetic",
    RecognizerName.WORDS: "ps_nodialog",
    RecognizerName.ALIGNED: "ps_dialog",
}
CLOSURES = frozenset("MBP")


@dataclass
class Tally:
    """Equal frames of all frames."""

    same: int = 0
    total: int = 0

    def add(self, ours: str, theirs: str) -> None:
        self.same += sum(mine == other for mine, other in zip(ours, theirs, strict=False))
        self.total += len(theirs)

    def __str__(self) -> str:
        return f"{self.same / self.total:.3f}" if self.total else "-"


@dataclass
class Cost:
    """CPU seconds over seconds of audio."""

    cpu: float = 0.0
    audio: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpu / self.audio:.3f}" if self.audio else "-"


def _frames(cues: Iterable[dict[str, float | str]]) -> str:
    return "".join(
        str(cue["value"]) * (round(float(cue["end"]) * 100) - round(float(cue["start"]) * 100))
        for cue in cues
    )


def _own_frames(cues: Iterable[MouthCue]) -> str:
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def _timed(cost: Cost, clip: AudioClip, work: Callable[[], Recognition]) -> Recognition:
    begun = time.process_time()
    result = work()
    cost.cpu += time.process_time() - begun
    cost.audio += clip.duration_s
    return result


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _closures(cues: Iterable[MouthCue], phones: Iterable[dict[str, float | str]]) -> Tally:
    """How many of the true m, b and p have closed lips at or just before them."""
    closed = [(cue.start, cue.end) for cue in cues if cue.shape == "A"]
    tally = Tally()
    for phone in phones:
        if phone["phone"] in CLOSURES:
            start, end = float(phone["start"]) - 0.08, float(phone["end"]) + 0.04
            tally.same += any(first < end and last > start for first, last in closed)
            tally.total += 1
    return tally


def measure_recogniser(
    folder: Path, clips: list[str], name: RecognizerName, recognizers: Recognizers
) -> list[str]:
    """One row of the table."""
    native, truth, closures, cost = Tally(), Tally(), Tally(), Cost()
    for clip in clips:
        text_file = folder / "txt" / f"{clip}.txt"
        if name is RecognizerName.ALIGNED and not text_file.exists():
            continue
        text = text_file.read_text() if name is RecognizerName.ALIGNED else ""
        sound = decode_audio((folder / "wav" / f"{clip}.wav").read_bytes())
        options = RecognitionOptions(name, text)
        result = _timed(
            cost,
            sound,
            lambda s=sound, o=options: recognise(s, o, recognizers),  # type: ignore[misc]
        )
        if result.recognizer is not name:
            print(f"{clip}: {name} fell back to {result.recognizer}", file=sys.stderr)
        ours = _own_frames(result.cues)
        answer = folder / "rhubarb_ptm" / NATIVE_VARIANTS[name] / f"{clip}.json"
        if clip[0] in "hs" and answer.exists():
            native.add(ours, _frames(json.loads(answer.read_text())["mouthCues"]))
        truth_file = folder / "truth" / f"{clip}.json"
        if truth_file.exists():
            exact = json.loads(truth_file.read_text())
            truth.add(ours, _frames(exact["shapes_by_rhubarb_rules"]))
            found = _closures(result.cues, exact["phones"])
            closures.same += found.same
            closures.total += found.total
    return [name.value, str(native), str(truth), str(closures), str(cost)]


def measure_animation(folder: Path) -> list[str]:
    """Rhubarb's logged phones through the animation stage, against its own cues."""
    exact, cost = Tally(), Cost()
    for model in ("rhubarb", "rhubarb_ptm"):
        for log in sorted((folder / model / "logs").glob("*.log")):
            clip, variant, _ = log.name.rsplit(".", 2)
            answer = json.loads((folder / model / variant / f"{clip}.json").read_text())
            phones = []
            for line in log.read_text().splitlines():
                _, found, entry = line.partition("##phone[")
                if found:
                    times, phone = entry.split("]: ")
                    start, end = (round(float(value) * 100) for value in times.split("-"))
                    phones.append(PhoneSegment(start, end, parse_phone(phone)))
            duration = round(answer["metadata"]["duration"] * 100)
            begun = time.process_time()
            cues = animate_phones(phones, duration)
            cost.cpu += time.process_time() - begun
            cost.audio += duration / 100
            ours = "".join(cue.shape * (cue.end_cs - cue.start_cs) for cue in cues)
            exact.add(ours, _frames(answer["mouthCues"]))
    return ["animation from Rhubarb's phones", str(exact), "-", "-", str(cost)]


def measure_loading() -> tuple[Recognizers, list[str]]:
    """Loads every recogniser; what that takes."""
    recognizers = Recognizers()
    lines = [f"{'before loading':20}{'':>8}  {_rss_mib():6.0f} MiB resident"]
    for name in (RecognizerName.PHONETIC, RecognizerName.ALIGNED, RecognizerName.WORDS):
        begun = time.process_time()
        if name is RecognizerName.ALIGNED:
            _ = recognizers.aligner
        else:
            recognizers.preload([name])
        seconds = time.process_time() - begun
        lines.append(f"{'+ ' + name.value:20}{seconds:7.2f}s  {_rss_mib():6.0f} MiB resident")
    return recognizers, lines


def main() -> int:
    """Prints the table; 2 without test data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", nargs="*", help="only these clips")
    arguments = parser.parse_args()
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not root:
        print("KUCHIPAKU_TEST_DATA names no folder of extra test data", file=sys.stderr)
        return 2
    folder = Path(root) / "data" / "speech"
    clips = arguments.clips or sorted(path.stem for path in (folder / "wav").glob("*.wav"))
    recognizers, loading = measure_loading()
    print(*loading, sep="\n")
    rows = [["", "native", "truth", "m b p closed", "CPU"], measure_animation(folder)]
    rows += [
        measure_recogniser(folder, clips, name, recognizers)
        for name in (RecognizerName.PHONETIC, RecognizerName.WORDS, RecognizerName.ALIGNED)
    ]
    print()
    for row in rows:
        print(f"{row[0]:34}" + "".join(f"{cell:>14}" for cell in row[1:]))
    print(f"\nresident after all: {_rss_mib():.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
