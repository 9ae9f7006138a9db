"""Data that no sender writes: the codec's error, nothing else, and no more memory than a frame."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku.frames import (
    CodedFrame,
    FrameCodecError,
    FrameDecoder,
    FrameEncoder,
    FrameEncoding,
)

SIDE = 24
BYTES = SIDE * SIDE * 4
PICTURE = np.random.default_rng(0).integers(0, 4, (SIDE, SIDE, 4), np.uint8) * np.uint8(60)


def good(encoding: FrameEncoding, **options: int) -> bytes:
    coded = FrameEncoder(encoding, SIDE, SIDE, **options).encode(PICTURE)
    assert coded.data
    return coded.data


FILES = {
    "delta": (FrameEncoding.DELTA_ZSTD, good(FrameEncoding.DELTA_ZSTD)),
    "png": (FrameEncoding.PNG, good(FrameEncoding.PNG)),
    "webp": (FrameEncoding.WEBP, good(FrameEncoding.WEBP)),
    "lossy webp": (FrameEncoding.WEBP, good(FrameEncoding.WEBP, quality=50)),
    "jpeg": (FrameEncoding.JPEG_ALPHA, good(FrameEncoding.JPEG_ALPHA)),
}


def decode(encoding: FrameEncoding, data: bytes) -> np.ndarray:
    decoder = FrameDecoder(encoding, SIDE, SIDE)
    decoder.enter_epoch(0)
    return decoder.decode(CodedFrame(0, data))


@settings(deadline=None)
@given(data=st.binary(max_size=200), encoding=st.sampled_from(FrameEncoding))
def test_arbitrary_bytes_raise_nothing_else(data: bytes, encoding: FrameEncoding) -> None:
    with pytest.raises(FrameCodecError):
        decode(encoding, data)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
    tail=st.binary(max_size=4),
)
def test_damaged_data_is_refused_or_decodes_to_a_whole_frame(
    name: str, changes: list[tuple[float, int]], cut: float, tail: bytes
) -> None:
    encoding, file = FILES[name]
    damaged = bytearray(file)
    for where, byte in changes:
        damaged[int(where * len(damaged))] = byte
    data = bytes(damaged[: int(cut * len(damaged))]) + tail
    try:
        pixels = decode(encoding, data)
    except FrameCodecError:
        return
    assert pixels.shape == (SIDE, SIDE, 4)


@pytest.mark.parametrize("name", sorted(FILES))
def test_cut_off_data_is_refused_at_every_length(name: str) -> None:
    encoding, file = FILES[name]
    for length in [*range(0, len(file), 7), len(file) - 1]:
        with pytest.raises(FrameCodecError):
            decode(encoding, file[:length])


def huge_webp() -> bytes:
    """An extended WebP file whose header claims 16384x16384 pixels."""
    side = (16383).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + side + side
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_jpeg() -> bytes:
    """A JPEG_ALPHA frame with a second frame header of 65535x65535 pixels."""
    data = FILES["jpeg"][1]
    length = struct.unpack_from("<I", data, 4)[0]
    jpeg, plane = data[8 : 8 + length], data[8 + length :]
    at = jpeg.index(b"\xff\xc0")
    size = 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
    header = bytearray(jpeg[at : at + size])
    header[5:9] = b"\xff\xff\xff\xff"
    jpeg = jpeg[: at + size] + bytes(header) + jpeg[at + size :]
    return b"\1\0\0\0" + struct.pack("<I", len(jpeg)) + jpeg + plane


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (FrameEncoding.DELTA_ZSTD, zstandard.compress(bytes(1 << 26))),
        (
            FrameEncoding.DELTA_ZSTD,
            zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 26)),
        ),
        (FrameEncoding.WEBP, huge_webp()),
        (FrameEncoding.JPEG_ALPHA, huge_jpeg()),
        (FrameEncoding.JPEG_ALPHA, b"\0\0\0\0\xff\xff\xff\xff" + bytes(64)),
    ],
)
def test_what_claims_much_memory_gets_none(encoding: FrameEncoding, data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FrameCodecError):
            decode(encoding, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@settings(deadline=None)
@given(
    frames=st.lists(
        st.builds(
            CodedFrame,
            frame_id=st.integers(-1, 6),
            data=st.none() | st.sampled_from([FILES["delta"][1], b"", b"x"]),
            base_frame_id=st.none() | st.integers(-1, 6),
            same_as_frame_id=st.none() | st.integers(-1, 6),
        ),
        max_size=12,
    ),
    window=st.integers(0, 3),
)
def test_any_sequence_of_frames_is_decoded_or_refused(
    frames: list[CodedFrame], window: int
) -> None:
    decoder = FrameDecoder(
        FrameEncoding.DELTA_ZSTD, SIDE, SIDE, reference_window_bytes=window * BYTES
    )
    decoder.enter_epoch(0)
    for frame in frames:
        try:
            assert decoder.decode(frame).shape == (SIDE, SIDE, 4)
        except FrameCodecError:
            return
