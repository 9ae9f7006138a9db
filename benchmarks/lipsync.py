"""Accuracy and cost of the lip sync engines, beside Rhubarb Lip Sync itself.

    python benchmarks/lipsync.py [--quick] [--without-rhubarb] [--only PART ...]
        [--engines NAME] [--voices VOICE ...] [--results FILE]

What is measured depends on what is installed:

- flite: English lines whose phones are known exactly (the first table);
- espeak-ng: Japanese and German lines likewise (the second);
- Rhubarb, by ``make rhubarb``: its rows in the first table;
- KUCHIPAKU_TEST_DATA: agreement with Rhubarb's recorded answers for the same acoustic model, and
  what the mouth does on music, noise and silence.

With ``--results`` the scores of each engine and voice are kept in a file as soon as they are there
and are not measured again, so that a measurement can be made in pieces and go on after a break.

Frames are 10 ms. CPU is seconds of one core per second of audio, animation included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from speechbench import espeak, flite
from speechbench.engines import Hear, cpu_seconds, embedded, live, native, rhubarb_path
from speechbench.results import Results
from speechbench.scores import HEADER, Cost, Scores, Share, frames, print_table, score

from kuchipaku_animation.cues import MouthCue
from kuchipaku_lipsync.phones import PhoneSegment, parse_phone
from kuchipaku_lipsync.recognise import (
    RecognitionOptions,
    Recognizers,
    Step,
    recognise,
    recognise_stepwise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.rhubarb import animate_phones
from kuchipaku_media.audio import AudioClip, decode_audio

PARTS = ("english", "first", "languages", "agreement", "noise")

# Rhubarb's own name for the mode that each recogniser is compared with.
VARIANTS = {
    RecognizerName.PHONETIC: "phonetic",
    RecognizerName.WORDS: "ps_nodialog",
    RecognizerName.ALIGNED: "ps_dialog",
}


def english_engines(recognizers: Recognizers, *, with_rhubarb: bool) -> Iterator[tuple[str, Hear]]:
    """Every engine by the name of its row."""
    yield "aligned (text known)", embedded(recognizers, RecognizerName.ALIGNED)
    yield "words", embedded(recognizers, RecognizerName.WORDS)
    yield "phonetic", embedded(recognizers, RecognizerName.PHONETIC)
    yield "live, 200 ms", live(0.2)
    yield "live, 200 ms, text known", live(0.2, text=True)
    if with_rhubarb and rhubarb_path():
        yield "Rhubarb, text known", native(text=True)
        yield "Rhubarb, words", native()
        yield "Rhubarb, phonetic", native(phonetic=True)


def measure_english(
    engines: Iterable[tuple[str, Hear]], lines: Sequence[flite.SpokenLine], results: Results
) -> None:
    """The first table."""
    seconds = sum(line.clip.duration_s for line in lines)
    voices = dict.fromkeys(line.voice for line in lines)
    print(f"\n## English, flite's voices {', '.join(voices)}: {seconds:.0f} s\n")

    def row(name: str, hear: Hear) -> list[str]:
        scores = Scores()
        for voice in voices:
            own = [line for line in lines if line.voice == voice]
            key = f"{name} / {voice} / {len(own)} lines"
            scores.include(results.get(key, partial(_scored, own, hear)))
        return [name, *scores.cells()]

    print_table(["engine", *HEADER], (row(name, hear) for name, hear in engines))


def _scored(lines: Sequence[flite.SpokenLine], hear: Hear) -> Scores:
    # Models are loaded before the clock starts.
    hear(min(lines, key=lambda line: line.clip.duration_s))
    return score(lines, hear, cpu_seconds)


def measure_first_cues(recognizers: Recognizers, lines: Sequence[flite.SpokenLine]) -> None:
    """How soon the first cues come of two lines with a pause of 0.4 s and known text."""
    shares, seconds, lengths = [], [], []
    silence = np.zeros(int(0.4 * flite.SAMPLE_RATE), np.float32)
    for one, other in zip(lines[::2], lines[1::2], strict=False):
        samples = np.concatenate([one.clip.samples, silence, other.clip.samples])
        clip = AudioClip(samples, flite.SAMPLE_RATE)
        options = RecognitionOptions(RecognizerName.ALIGNED, f"{one.text} {other.text}")
        begun = time.process_time()
        first = None
        for step in recognise_stepwise(clip, options, recognizers):
            if isinstance(step, Step) and step.cues and first is None:
                first = time.process_time() - begun
        seconds.append(first or 0.0)
        shares.append((first or 0.0) / (time.process_time() - begun))
        lengths.append(clip.duration_s)
    print(
        f"\naligned, two lines with a pause, {statistics.median(lengths):.1f} s: first cues after "
        f"{statistics.median(seconds):.2f} s of CPU, {statistics.median(shares):.0%} of the work"
    )


def measure_languages(recognizers: Recognizers) -> None:
    """The second table."""
    print("\n## Japanese and German, espeak-ng's voices\n")
    rows = []
    for language in espeak.LINES:
        lines = list(espeak.spoken_lines(language))
        for name in (RecognizerName.ALIGNED, RecognizerName.PHONETIC):
            hear = embedded(recognizers, name, language)
            rows.append([language, name.value, *_scored(lines, hear).cells()])
        if language == "ja":
            written = [
                replace(line, text=kanji) for line, kanji in zip(lines, espeak.KANJI, strict=True)
            ]
            hear = embedded(recognizers, RecognizerName.ALIGNED, language)
            rows.append([language, "aligned, kanji", *_scored(written, hear).cells()])
    print_table(["language", "engine", *HEADER], rows)


def _clips(folder: Path, kinds: str) -> Iterator[tuple[str, AudioClip]]:
    for file in sorted((folder / "wav").glob("*.wav")):
        if file.stem[0] in kinds:
            yield file.stem, decode_audio(file.read_bytes())


def _recorded(file: Path) -> str:
    return "".join(
        cue["value"] * (round(cue["end"] * 100) - round(cue["start"] * 100))
        for cue in json.loads(file.read_text())["mouthCues"]
    )


def measure_agreement(recognizers: Recognizers, folder: Path) -> None:
    """Agreement with what Rhubarb answered, given the same acoustic model."""
    print("\n## The same frames as Rhubarb with the same acoustic model, recorded speech\n")
    rows = [measure_animation(folder)]
    for name, variant in VARIANTS.items():
        share, cost = Share(), Cost()
        for clip, sound in _clips(folder, "hs"):
            answer = folder / "rhubarb_ptm" / variant / f"{clip}.json"
            text = folder / "txt" / f"{clip}.txt"
            if not answer.exists() or (name is RecognizerName.ALIGNED and not text.exists()):
                continue
            said = text.read_text() if name is RecognizerName.ALIGNED else ""
            begun = time.process_time()
            cues = recognise(sound, RecognitionOptions(name, said), recognizers).cues
            cost.cpu += time.process_time() - begun
            cost.audio += sound.duration_s
            theirs = _recorded(answer)
            share.hits += sum(a == b for a, b in zip(frames(cues), theirs, strict=False))
            share.total += len(theirs)
        rows.append([f"{name.value} ({variant})", str(share), str(cost)])
    print_table(["engine", "frames", "CPU"], rows)


def measure_animation(folder: Path) -> list[str]:
    """Rhubarb's logged phones through the animation stage, against its own cues."""
    share, cost = Share(), Cost()
    for model in ("rhubarb", "rhubarb_ptm"):
        for log in sorted((folder / model / "logs").glob("*.log")):
            clip, variant, _ = log.name.rsplit(".", 2)
            phones = []
            for line in log.read_text().splitlines():
                _, found, entry = line.partition("##phone[")
                if found:
                    times, phone = entry.split("]: ")
                    start, end = (round(float(value) * 100) for value in times.split("-"))
                    phones.append(PhoneSegment(start, end, parse_phone(phone)))
            theirs = _recorded(folder / model / variant / f"{clip}.json")
            begun = time.process_time()
            cues = animate_phones(phones, len(theirs))
            cost.cpu += time.process_time() - begun
            cost.audio += len(theirs) / 100
            ours = "".join(cue.shape * (cue.end_cs - cue.start_cs) for cue in cues)
            share.hits += sum(a == b for a, b in zip(ours, theirs, strict=True))
            share.total += len(theirs)
    return ["animation, from Rhubarb's phones", f"{share.hits / share.total:.4f}", str(cost)]


def measure_noise(recognizers: Recognizers, folder: Path) -> None:
    """How much of the time the mouth is shut where nobody speaks."""
    print("\n## Share of the time with the mouth at rest\n")
    rows = []
    for clip, sound in _clips(folder, "n"):
        words = recognise(sound, RecognitionOptions(RecognizerName.WORDS), recognizers).cues
        heard = live(0.2)(flite.SpokenLine("", "", sound, []))
        theirs = _recorded(folder / "rhubarb" / "ps_nodialog" / f"{clip}.json")
        share = theirs.count("X") / len(theirs)
        rows.append([clip, _resting(words), _resting(heard), f"{share:.2f}"])
    print_table(["clip", "words", "live, 200 ms", "Rhubarb, words (recorded)"], rows)


def _resting(cues: Sequence[MouthCue]) -> str:
    shown = frames(cues)
    return f"{shown.count('X') / max(len(shown), 1):.2f}"


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a third of the English lines")
    parser.add_argument(
        "--without-rhubarb", action="store_true", help="not Rhubarb itself, which takes most time"
    )
    parser.add_argument("--engines", default="", help="only rows whose name contains this")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--voices", nargs="*", choices=flite.VOICES, default=flite.VOICES)
    parser.add_argument("--results", type=Path, help="JSON file of what was measured before")
    arguments = parser.parse_args()
    recognizers = Recognizers()
    if flite.has_flite():
        lines = list(flite.spoken_lines(arguments.voices))[:: 3 if arguments.quick else 1]
        if "english" in arguments.only:
            results = Results(arguments.results)
            with_rhubarb = not arguments.without_rhubarb
            engines = [
                engine
                for engine in english_engines(recognizers, with_rhubarb=with_rhubarb)
                if arguments.engines in engine[0]
            ]
            measure_english(engines, lines, results)
        if "first" in arguments.only:
            measure_first_cues(recognizers, lines)
    else:
        print("flite is not installed: no English lines with known phones", file=sys.stderr)
    if espeak.has_espeak() and "languages" in arguments.only:
        measure_languages(recognizers)
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    if root:
        folder = Path(root) / "data" / "speech"
        if "agreement" in arguments.only:
            measure_agreement(recognizers, folder)
        if "noise" in arguments.only:
            measure_noise(recognizers, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
