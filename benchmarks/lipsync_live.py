"""Live lip sync, the speech gate and songs: what they get right, how soon, and at what cost.

    python benchmarks/lipsync_live.py [--minutes 10] [--streams 4] [--seed 1] [--only NAME ...]

- accuracy: cues against the exact truth of synthesised speech, by latency (needs flite);
- pace: streams at the pace of speaking through a service: how old a moment is when its cue comes;
- long: one stream of many minutes, fed faster than it plays: memory and CPU;
- gate: share of the time that the mouth is shut in music and noise, and open in speech over them;
- songs: share of the time with the right vowel, of voices that are made afresh from the seed.

CPU is seconds of one core per second of audio. Music, noise and voices come from the seed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from speechbench import flite
from speechbench.scores import print_table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb  # noqa: E402
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc  # noqa: E402
from kuchipaku.type.v1 import audio_pb2  # noqa: E402
from kuchipaku_animation.cues import MouthShape  # noqa: E402
from kuchipaku_lipsync.live import LiveListener, LiveOptions  # noqa: E402
from kuchipaku_lipsync.live.listener import LiveCue  # noqa: E402
from kuchipaku_lipsync.recognise import (  # noqa: E402
    RecognitionOptions,
    Recognizers,
    recognise,
)
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName  # noqa: E402
from kuchipaku_lipsync.rhubarb import animate_phones  # noqa: E402
from kuchipaku_media.audio import AudioClip, decode_audio, resample  # noqa: E402
from kuchipaku_runtime import connect  # noqa: E402
from tests.lipsync.soundmaker import NOT_SPEECH, RATE, Samples, chords, noise, sung  # noqa: E402

LATENCIES = (0.1, 0.2, 0.4, 0.8)
PIECE = RATE // 50
VOWEL_OF = {"D": "a", "B": "i", "F": "u", "C": "e", "H": "e", "E": "o"}
SHUT = "XA"


def live_frames(samples: Samples, latency_s: float = 0.2) -> str:
    """One letter for each 10 ms, from audio in pieces of 20 ms."""
    listener = LiveListener(LiveOptions(latency_s))
    cues: list[LiveCue] = []
    for start in range(0, len(samples), PIECE):
        cues.extend(listener.push(samples[start : start + PIECE]).cues)
    cues.extend(listener.finish()[0].cues)
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def offline_frames(samples: Samples, options: RecognitionOptions, known: Recognizers) -> str:
    """The same of a whole recording."""
    cues = recognise(AudioClip(samples, RATE), options, known).cues
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def accuracy() -> Iterator[Sequence[str]]:
    """Agreement of live cues with the truth."""
    yield ("live", "latency", "truth", "m b p closed", "CPU")
    if not flite.has_flite():
        print("flite is not installed: no accuracy", file=sys.stderr)
        return
    lines = [(resample(line.clip, RATE).samples, line.phones) for line in flite.spoken_lines()]
    for latency_s in LATENCIES:
        same = total = closed = closures = 0
        begun = time.process_time()
        for samples, phones in lines:
            ours = live_frames(samples, latency_s)
            cues = animate_phones(phones, len(samples) // 160)
            truth = "".join(cue.shape * (cue.end_cs - cue.start_cs) for cue in cues)
            same += sum(a == b for a, b in zip(ours, truth, strict=False))
            total += len(truth)
            for phone in phones:
                if phone.phone in ("M", "B", "P"):
                    closures += 1
                    around = ours[max(phone.start_cs - 8, 0) : phone.end_cs + 4]
                    closed += MouthShape.A in around
        cpu = (time.process_time() - begun) / (total / 100)
        name = f"{1000 * latency_s:.0f} ms"
        yield ("", name, f"{same / total:.3f}", f"{closed / closures:.3f}", f"{cpu:.3f}")


def long_stream(minutes: float) -> Iterator[Sequence[str]]:
    """Memory and CPU of one long stream: a spoken line and a pause, again and again."""
    yield ("one stream", "minutes", "resident MiB", "CPU")
    hello = decode_audio((ROOT / "examples/hello.wav").read_bytes(), sample_rate=RATE).samples
    loop = np.concatenate([hello, hello[: RATE // 2] * 0])
    listener = LiveListener()
    begun, fed = time.process_time(), 0
    marks = sorted({1.0, minutes / 2, minutes})
    while marks:
        for start in range(0, len(loop), PIECE):
            listener.push(loop[start : start + PIECE])
        fed += len(loop)
        if fed >= marks[0] * 60 * RATE:
            cpu = (time.process_time() - begun) / (fed / RATE)
            yield ("", f"{marks.pop(0):g}", f"{_resident_mib():.1f}", f"{cpu:.3f}")


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def _speak(stub: pb_grpc.LipsyncServiceAsyncStub, samples: Samples) -> list[float]:
    """How old the oldest moment of each batch of cues was when the batch came, in seconds."""
    data = (samples * 32_767).astype("<i2").tobytes()
    sent_at: list[float] = []
    call = stub.RecognizeCues()
    config = pb.RecognizeCuesConfig(recognizer=pb.RECOGNIZER_LIVE)
    config.audio_format.encoding = audio_pb2.AUDIO_ENCODING_PCM_S16LE
    config.audio_format.sample_rate_hertz = RATE
    await call.write(pb.RecognizeCuesRequest(config=config))

    async def send() -> None:
        begun = time.monotonic()
        for number, start in enumerate(range(0, len(data), 2 * PIECE), 1):
            await asyncio.sleep(begun + number * PIECE / RATE - time.monotonic())
            chunk = audio_pb2.AudioChunk(data=data[start : start + 2 * PIECE])
            await call.write(pb.RecognizeCuesRequest(audio=chunk))
            sent_at.append(time.monotonic())

    sending = asyncio.create_task(send())
    ages: list[float] = []
    while not sending.done():
        response = await call.read()
        if isinstance(response, pb.RecognizeCuesResponse) and response.cues.cues:
            start_s = response.cues.cues[0].start_offset.ToNanoseconds() / 1e9
            ages.append(time.monotonic() - sent_at[int(start_s * RATE / PIECE)])
    call.cancel()
    return ages


async def pace(streams: int) -> Sequence[Sequence[str]]:
    """Streams at the pace of speaking, through a service in a process of its own."""
    hello = decode_audio((ROOT / "examples/hello.wav").read_bytes(), sample_rate=RATE).samples
    rows: list[Sequence[str]] = [
        ("at the pace of speaking", "streams", "median", "99 %", "CPU, recogniser", "CPU, service")
    ]
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{folder}/s"
        async with service(address) as process, connect(address) as peer:
            stub = pb_grpc.LipsyncServiceStub(peer.channel)
            await _speak(stub, hello[: 2 * RATE])
            for count in sorted({1, streams}):
                before = _cpu_of(process.pid)
                ages = await asyncio.gather(*(_speak(stub, hello) for _ in range(count)))
                served, worked = (
                    (now - then) / (count * len(hello) / RATE)
                    for now, then in zip(_cpu_of(process.pid), before, strict=True)
                )
                middle, late = np.quantile(np.concatenate(ages), [0.5, 0.99]) * 1000
                cpu = (f"{worked:.3f}", f"{served + worked:.3f}")
                rows.append(("", str(count), f"{middle:.0f} ms", f"{late:.0f} ms", *cpu))
    return rows


@asynccontextmanager
async def service(address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The lip sync service, ready."""
    settings = {
        "ADDRESS": address,
        "WORKERS": "1",
        "PRELOAD": "false",
        "LOG_LEVEL": "WARNING",
    }
    environment = {f"KUCHIPAKU_LIPSYNC_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kuchipaku_lipsync", env={**os.environ, **environment}
    )
    try:
        async with connect(address) as peer:
            await asyncio.wait_for(peer.channel.channel_ready(), 60)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _cpu_of(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of those that it has started and that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return _cpu_seconds(pid), sum(map(_cpu_seconds, children))


def _cpu_seconds(pid: int) -> float:
    """Of all threads of a process, as the scheduler counts them: finer than its clock ticks."""
    schedules = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(schedule.read_text().split()[0]) for schedule in schedules) / 1e9


def gate(seed: int, known: Recognizers) -> Iterator[Sequence[str]]:
    """Mouths in music and noise, and in speech over them."""
    yield ("mouth shut", "whole", "live", "without the gate")
    auto = RecognitionOptions()
    for name, make in NOT_SPEECH.items():
        rows = [make(seed + number) for number in range(4)]
        whole = "".join(offline_frames(samples, auto, known) for samples in rows)
        live = "".join(live_frames(samples) for samples in rows)
        bare = "".join(_ungated_frames(samples) for samples in rows)
        yield (name, _share_shut(whole), _share_shut(live), _share_shut(bare))
    hello = decode_audio((ROOT / "examples/hello.wav").read_bytes(), sample_rate=RATE).samples
    phonetic = RecognitionOptions(RecognizerName.PHONETIC)
    spoken = _open(offline_frames(hello, phonetic, known))
    for name, background in (("chords", chords), ("white noise", noise)):
        mixed = _mixed(hello, background, seed)
        whole = _open(offline_frames(mixed, phonetic, known))[spoken].mean()
        live = _open(live_frames(mixed))[spoken].mean()
        yield (f"open in speech over {name}, 10 dB", f"{whole:.3f}", f"{live:.3f}", "")


def _ungated_frames(samples: Samples) -> str:
    listener = LiveListener(LiveOptions(gated=False))
    cues = [*listener.push(samples).cues, *listener.finish()[0].cues]
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def _mixed(speech: Samples, background: Callable[[int], Samples], seed: int) -> Samples:
    behind = np.resize(background(seed), len(speech))
    gain = 10 ** (-10 / 20) * np.sqrt(np.mean(speech**2) / np.mean(behind**2))
    return np.asarray(np.clip(speech + gain * behind, -1, 1), np.float32)


def _share_shut(frames: str) -> str:
    return f"{sum(shape in SHUT for shape in frames) / len(frames):.3f}"


def _open(frames: str) -> np.ndarray:
    return np.array([shape not in SHUT for shape in frames])


def songs(seed: int, voices: int, known: Recognizers) -> Iterator[Sequence[str]]:
    """The right vowel of five, in cues."""
    yield ("songs", "voices", "right vowel", "worst voice", "noticed", "CPU")
    options = RecognitionOptions(content=AudioContent.SONG)
    shares, noticed, audio_s = [], 0, 0.0
    begun = time.process_time()
    for number in range(voices):
        samples, truth = sung(seed * 1_000 + number)
        audio_s += len(samples) / RATE
        frames = offline_frames(samples, options, known)
        pairs = [(VOWEL_OF.get(a), b) for a, b in zip(frames, truth, strict=False) if b != "-"]
        shares.append(sum(a == b for a, b in pairs) / len(pairs))
    cpu = (time.process_time() - begun) / audio_s
    for number in range(voices):
        samples, _ = sung(seed * 1_000 + number)
        heard = recognise(AudioClip(samples, RATE), RecognitionOptions(), known)
        noticed += heard.recognizer is RecognizerName.SONG
    yield (
        "",
        str(voices),
        f"{np.mean(shares):.3f}",
        f"{min(shares):.3f}",
        f"{noticed / voices:.3f}",
        f"{cpu:.3f}",
    )


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long stream")
    parser.add_argument("--streams", type=int, default=4, help="streams at the same time")
    parser.add_argument("--voices", type=int, default=24, help="singers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="accuracy, pace, long, gate, songs")
    options = parser.parse_args()
    known = Recognizers()
    parts: dict[str, Callable[[], Sequence[Sequence[str]]]] = {
        "accuracy": lambda: list(accuracy()),
        "pace": lambda: asyncio.run(pace(options.streams)),
        "long": lambda: list(long_stream(options.minutes)),
        "gate": lambda: list(gate(options.seed, known)),
        "songs": lambda: list(songs(options.seed, options.voices, known)),
    }
    for name, table in parts.items():
        if not options.only or name in options.only:
            header, *rows = table()
            print_table(header, rows)
            print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
