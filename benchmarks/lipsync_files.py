"""How late files are heard that are streamed at the pace of speaking, by their container.

    python benchmarks/lipsync_files.py [--only wav mp3 ...]

Each file comes in pieces of 20 ms, evenly. "Sound after" is how much of it has to have come before
the first sound is decoded: by FFmpeg's demuxer as it is, and here. The age of the cues is measured
through a service with RECOGNIZER_LIVE at 200 ms: of the oldest moment in an answer when it comes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from lipsync_live import service
from speechbench.scores import print_table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb  # noqa: E402
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc  # noqa: E402
from kuchipaku.type.v1 import audio_pb2  # noqa: E402
from kuchipaku_lipsync.intake import AudioLayout  # noqa: E402
from kuchipaku_lipsync.live.demuxed import DemuxedSource  # noqa: E402
from kuchipaku_lipsync.live.sources import FileSource, PcmSource, Source  # noqa: E402
from kuchipaku_media.audio import AudioClip, decode_audio  # noqa: E402
from kuchipaku_media.pcm import PcmFormat  # noqa: E402
from kuchipaku_media.signature import demuxer_for  # noqa: E402
from kuchipaku_runtime import connect  # noqa: E402
from tests.lipsync.encodings import encoded  # noqa: E402

RATE = 16_000
PIECE_S = 0.02
RAW = "raw samples"


def files(clip: AudioClip) -> dict[str, bytes]:
    """The clip in each container."""
    return {
        RAW: (clip.samples * 32_767).astype("<i2").tobytes(),
        "wav": encoded(clip, "wav", "pcm_s16le"),
        "wav, u-law": encoded(clip, "wav", "pcm_mulaw"),
        "aiff": encoded(clip, "aiff", "pcm_s16be"),
        "mp3, 64 kbit/s": encoded(clip, "mp3", "libmp3lame", bit_rate=64_000),
        "mp3, 24 kbit/s": encoded(clip, "mp3", "libmp3lame", bit_rate=24_000),
        "aac (adts)": encoded(clip, "adts", "aac"),
        "webm, live": encoded(clip, "webm", "libopus", {"live": "1"}),
        "ogg opus, pages of 0.2 s": encoded(clip, "ogg", "libopus", {"page_duration": "200000"}),
        "ogg opus, pages of 1 s": encoded(clip, "ogg", "libopus"),
        "flac": encoded(clip, "flac", "flac"),
    }


def pieces(data: bytes, seconds: float) -> list[bytes]:
    """What comes every 20 ms."""
    size = max(2, round(len(data) / seconds * PIECE_S / 2) * 2)
    return [data[start : start + size] for start in range(0, len(data), size)]


def sound_after(source: Source, parts: Sequence[bytes], seconds: float) -> float:
    """How much has to have come before the first sample does."""
    try:
        for number, part in enumerate(parts, 1):
            if len(source.push(part)):
                return number * seconds / len(parts)
        return seconds
    finally:
        source.close()


def source_of(name: str) -> Source:
    """What reads it here."""
    layout = AudioLayout(PcmFormat.S16LE, RATE, 1)
    return PcmSource(layout) if name == RAW else FileSource()


async def cue_ages(
    stub: pb_grpc.LipsyncServiceAsyncStub, name: str, parts: Sequence[bytes], seconds: float
) -> list[float]:
    """How old the oldest moment of each batch of cues was when the batch came, in seconds."""
    config = pb.RecognizeCuesConfig(recognizer=pb.RECOGNIZER_LIVE)
    if name == RAW:
        config.audio_format.encoding = audio_pb2.AUDIO_ENCODING_PCM_S16LE
        config.audio_format.sample_rate_hertz = RATE
    call = stub.RecognizeCues()
    await call.write(pb.RecognizeCuesRequest(config=config))
    await call.read()
    begun = time.monotonic()

    async def send() -> None:
        for number, part in enumerate(parts, 1):
            await asyncio.sleep(begun + number * seconds / len(parts) - time.monotonic())
            await call.write(pb.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=part)))

    sending = asyncio.create_task(send())
    ages: list[float] = []
    while not sending.done():
        response = await call.read()
        if isinstance(response, pb.RecognizeCuesResponse) and response.cues.cues:
            start_s = response.cues.cues[0].start_offset.ToNanoseconds() / 1e9
            ages.append(time.monotonic() - begun - start_s)
    call.cancel()
    return ages


async def table(chosen: Callable[[str], bool]) -> list[Sequence[str]]:
    """A row for each container."""
    clip = decode_audio((ROOT / "examples/hello.wav").read_bytes(), sample_rate=RATE)
    rows: list[Sequence[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{folder}/s"
        async with service(address), connect(address) as peer:
            stub = pb_grpc.LipsyncServiceStub(peer.channel)
            for name, data in files(clip).items():
                if not chosen(name):
                    continue
                parts = pieces(data, clip.duration_s)
                demuxer = None if name == RAW else demuxer_for(data)
                theirs = "-"
                if demuxer is not None:
                    alone = sound_after(DemuxedSource(demuxer), parts, clip.duration_s)
                    theirs = f"{alone:.2f} s"
                ours = sound_after(source_of(name), parts, clip.duration_s)
                ages = await cue_ages(stub, name, parts, clip.duration_s)
                first, middle, late = ages[0], *np.quantile(ages, [0.5, 0.99])
                rows.append(
                    (
                        name,
                        theirs,
                        f"{ours:.2f} s",
                        f"{first:.2f} s",
                        f"{middle:.2f} s",
                        f"{late:.2f} s",
                    )
                )
    return rows


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="*", help="containers whose names begin so")
    only = parser.parse_args().only
    header = ("container", "sound after, FFmpeg alone", "here", "first cue", "median", "99 %")
    rows = asyncio.run(table(lambda name: not only or name.startswith(tuple(only))))
    print_table(header, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
