"""Files that are heard while they come: what is there can be heard, and nothing else changes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.live.demuxed import DemuxedSource
from kuchipaku_lipsync.live.sources import FileSource
from kuchipaku_media.audio import AudioClip
from kuchipaku_media.signature import demuxer_for
from tests.lipsync.encodings import encoded

RATE = 16_000
SECONDS = 6.38

Samples = NDArray[np.float32]


def heard(data: bytes, size: int) -> Samples:
    source = FileSource()
    pieces = [source.push(data[start : start + size]) for start in range(0, len(data), size)]
    return np.concatenate([*pieces, source.finish()])


def behind(data: bytes) -> tuple[float, float]:
    """How much has to have come before the first sample does, and how old the oldest one that is
    not there becomes at most: in seconds, of a file that comes evenly in pieces of 20 ms.
    """
    source = FileSource()
    first, most, samples = SECONDS, 0.0, 0
    size = max(1, round(len(data) / SECONDS * 0.02))
    for start in range(0, len(data), size):
        came_s = min(start + size, len(data)) / len(data) * SECONDS
        most = max(most, came_s - samples / RATE)
        new = len(source.push(data[start : start + size]))
        if new and not samples:
            first = came_s
        samples += new
    source.close()
    return first, most


WAVS = [
    ("pcm_s16le", RATE, "mono"),
    ("pcm_s16le", 48_000, "stereo"),
    ("pcm_u8", 8_000, "mono"),
    ("pcm_s24le", RATE, "mono"),
    ("pcm_s32le", RATE, "mono"),
    ("pcm_f32le", RATE, "stereo"),
    ("pcm_f64le", RATE, "mono"),
]


@pytest.mark.parametrize(("codec", "rate", "layout"), WAVS)
def test_a_wav_is_heard_as_ffmpeg_does_but_at_once(
    hello_clip: AudioClip, codec: str, rate: int, layout: str
) -> None:
    data = encoded(hello_clip, "wav", codec, rate=rate, layout=layout)
    theirs = DemuxedSource("wav")
    expected = np.concatenate([theirs.push(data), theirs.finish()])
    np.testing.assert_array_equal(heard(data, 777), expected)
    first, most = behind(data)
    # At 8 kHz it is the resampler that looks ahead.
    assert first < 0.15
    assert most < 0.15


@pytest.mark.parametrize("bit_rate", [24_000, 64_000])
@pytest.mark.parametrize("options", [{}, {"write_xing": "0"}, {"id3v2_version": "0"}])
def test_an_mp3_is_heard_as_ffmpeg_does_but_frame_by_frame(
    hello_clip: AudioClip, bit_rate: int, options: dict[str, str]
) -> None:
    data = encoded(hello_clip, "mp3", "libmp3lame", options, bit_rate=bit_rate)
    theirs = DemuxedSource("mp3")
    expected = np.concatenate([theirs.push(data), theirs.finish()])
    np.testing.assert_array_equal(heard(data, 77), expected)
    first, most = behind(data)
    assert first < 0.2
    assert most < 0.25


def test_an_mp3_with_a_picture_and_titles(hello_clip: AudioClip) -> None:
    plain = encoded(hello_clip, "mp3", "libmp3lame", {"id3v2_version": "0"})
    size = 200_000
    tag = b"ID3\x03\x00\x00" + bytes(
        [size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]
    )
    data = tag + bytes(size) + plain + b"TAG" + b"title" * 25
    samples, expected = heard(data, 1_000), heard(plain, 1_000)
    np.testing.assert_array_equal(samples[: len(expected)], expected)
    assert len(samples) - len(expected) < RATE // 10


@pytest.mark.parametrize(
    ("container", "codec", "options", "limit"),
    [
        ("adts", "aac", {}, 0.15),
        ("aiff", "pcm_s16be", {}, 0.2),
        ("webm", "libopus", {"live": "1"}, 0.3),
        ("wav", "pcm_mulaw", {}, 0.25),
        # Its pages: 0.2 s, and a second unless the writer is told.
        ("ogg", "libopus", {"page_duration": "200000"}, 0.4),
        ("ogg", "libopus", {}, 1.2),
        ("flac", "flac", {}, 1.2),
    ],
)
def test_other_formats_are_behind_by_no_more_than_their_pieces(
    hello_clip: AudioClip, container: str, codec: str, options: dict[str, str], limit: float
) -> None:
    data = encoded(hello_clip, container, codec, options)
    assert behind(data)[1] < limit
    assert len(heard(data, 500)) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)


def fmt(kind: int, channels: int, rate: int, bits: int) -> bytes:
    width = bits // 8 * channels
    return struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits)


def wav(head: bytes, samples: bytes, data_size: int, extra: bytes = b"") -> bytes:
    chunks = b"WAVE" + b"fmt " + struct.pack("<I", len(head)) + head + extra
    chunks += b"data" + struct.pack("<I", data_size) + samples
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


S16_MONO = fmt(1, 1, RATE, 16)
TONE = (np.sin(np.arange(RATE) / 10) * 8000).astype("<i2").tobytes()


@pytest.mark.parametrize("data_size", [0, 0xFFFFFFFF, 0x7FFFFFFF, len(TONE), 10 * len(TONE)])
def test_a_wav_is_heard_as_far_as_it_goes(data_size: int) -> None:
    """A writer on a stream does not know the length; a file that is cut has less than it says."""
    assert len(heard(wav(S16_MONO, TONE, data_size), 999)) == RATE
    assert len(heard(wav(S16_MONO, TONE + b"\1", data_size), 999)) == RATE


def test_what_stands_around_the_samples_of_a_wav_is_no_sound() -> None:
    before = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"JUNK" + struct.pack("<I", 70_000)
    data = wav(S16_MONO, TONE, len(TONE), before + bytes(70_000)) + b"LIST" + bytes(5_000)
    np.testing.assert_array_equal(heard(data, 1_000), heard(wav(S16_MONO, TONE, 0), 1_000))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "AUDIO_EMPTY"),
        (wav(S16_MONO, b"", 0), "AUDIO_NOT_DECODABLE"),
        (wav(S16_MONO, b"", 0, b"LIST" + struct.pack("<I", 20) + bytes(20)), "AUDIO_EMPTY"),
        (wav(S16_MONO[:8], bytes(100), 100), "AUDIO_NOT_DECODABLE"),
        (b"RIFF\0\0\0\0WAVE" + b"JUNK\xff\xff\xff\x0f" + bytes(100), "AUDIO_NOT_DECODABLE"),
        (wav(fmt(1, 1, 0, 16), TONE, 0), "AUDIO_SAMPLE_RATE_UNSUPPORTED"),
        (wav(fmt(1, 99, RATE, 16), TONE, 0), "AUDIO_CHANNELS_UNSUPPORTED"),
        (wav(fmt(3, 1, RATE, 32), b"\xff" * 800, 0), "AUDIO_NOT_FINITE"),
        (b"\xff\xfb\x90\x00" + b"\xaa" * 60_000, "AUDIO_NOT_DECODABLE"),
    ],
)
def test_broken_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        heard(data, 500)
    assert (caught.value.reason, caught.value.field) == (reason, "audio")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"\xff\xfb\x90\x00", b"ID3\3\0\0\0\0\0\1"]),
    st.binary(max_size=3_000),
    st.integers(1, 400),
)
def test_hostile_files_are_refused_or_heard(head: bytes, tail: bytes, size: int) -> None:
    try:
        samples = heard(head + tail, size)
    except InvalidArgumentError:
        return
    assert np.isfinite(samples).all()


def test_the_format_is_told_behind_a_tag(hello_clip: AudioClip) -> None:
    data = b"ID3\x03\x00\x00\x00\x00\x02\x00" + bytes(256) + encoded(hello_clip, "adts", "aac")
    assert demuxer_for(data) == "aac"
    assert len(heard(data, 50)) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)
