"""What ``kuchipaku lipsync --live`` needs: audio at the pace of speaking, cues as they come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import click
from google.protobuf.duration_pb2 import Duration

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_animation.cues import MouthCue

SAMPLE_RATE = 16_000
_PIECE_S = 0.02
_UNIT_S = {"ms": 0.001, "s": 1.0}
_LATENCY = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)")


def latency_from(ctx: click.Context, param: click.Parameter, value: str | None) -> Duration | None:
    """A time such as 200ms or 0.2s. Raises `click.BadParameter` for anything else."""
    if value is None:
        return None
    match = _LATENCY.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter("a time such as 200ms or 0.2s", ctx=ctx, param=param)
    nanos = round(float(match[1]) * _UNIT_S[match[2]] * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


@dataclass(frozen=True, slots=True)
class Live:
    """How a file is played to the service."""

    latency: Duration | None
    paced: bool

    def applied(self, config: pb.RecognizeCuesConfig) -> pb.RecognizeCuesConfig:
        """The config for live recognition of 16 kHz samples."""
        result = pb.RecognizeCuesConfig()
        result.CopyFrom(config)
        result.recognizer = pb.RECOGNIZER_LIVE
        result.audio_format.encoding = audio_pb2.AUDIO_ENCODING_PCM_S16LE
        result.audio_format.sample_rate_hertz = SAMPLE_RATE
        if self.latency is not None:
            result.live_latency.CopyFrom(self.latency)
        return result

    async def pieces(self, audio: bytes) -> AsyncIterator[bytes]:
        """The file's samples, 20 ms at a time, as fast as they play or as they are taken."""
        data = await asyncio.to_thread(_samples_of, audio)
        size = int(_PIECE_S * SAMPLE_RATE) * 2
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number, start in enumerate(range(0, len(data), size), 1):
            if self.paced:
                # A piece exists when its last sample has been spoken.
                await asyncio.sleep(begun + number * _PIECE_S - loop.time())
            yield data[start : start + size]


def _samples_of(audio: bytes) -> bytes:
    try:
        from kuchipaku_media.audio import decode_audio  # noqa: PLC0415 - not in every installation
    except ImportError:
        raise click.UsageError(
            "--live decodes the file itself: install kuchipaku[standalone]."
        ) from None
    clip = decode_audio(audio, sample_rate=SAMPLE_RATE)
    return (clip.samples * 32_767).astype("<i2").tobytes()


class CueJoiner:
    """Puts the parts of long cues together again, and prints each cue when it begins."""

    def __init__(self, *, printed: bool) -> None:
        """``printed``: show starts and shapes on standard output, as Rhubarb's TSV does."""
        self.cues: list[MouthCue] = []
        self._open = False
        self._printed = printed

    def add(self, cue: MouthCue, message: cue_pb2.MouthCue) -> None:
        """Take the next cue."""
        if self._open and self.cues[-1].shape is cue.shape:
            self.cues[-1] = _longer(self.cues[-1], cue)
        else:
            self.cues.append(cue)
            if self._printed:
                click.echo(f"{cue.start:.2f}\t{cue.shape}")
        self._open = message.open_ended

    def finish(self, duration_s: float) -> None:
        """The end of the audio."""
        if self._printed:
            click.echo(f"{duration_s:.2f}\tX")


def _longer(cue: MouthCue, part: MouthCue) -> MouthCue:
    """The cue with a part that continues it; loudness is the mean over time."""
    length, more = cue.end - cue.start, part.end - part.start
    loudness = (cue.loudness * length + part.loudness * more) / (length + more)
    return replace(cue, end=part.end, loudness=loudness)
