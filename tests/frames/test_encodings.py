"""What each encoding keeps of a picture, and what a dead band may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku.frames import FrameDecoder, FrameEncoder, FrameEncoding
from kuchipaku.frames.delta import difference

SIZE = (48, 40)
"""Height and width."""


def soft_disc(seed: int = 1) -> np.ndarray:
    """A shaded disc with a soft edge on nothing, as characters are."""
    height, width = SIZE
    y, x = np.mgrid[0:height, 0:width]
    picture = np.zeros((height, width, 4))
    picture[..., 0] = 40 * seed % 200 + x
    picture[..., 1] = 200 - 2 * y
    picture[..., 2] = 120
    picture[..., 3] = np.clip((18 - np.hypot(x - width / 2, y - height / 2)) * 90, 0, 255)
    picture[picture[..., 3] < 1] = 0
    return picture.astype(np.uint8)


def coder(encoding: FrameEncoding, **options: int) -> tuple[FrameEncoder, FrameDecoder]:
    height, width = SIZE
    decoder = FrameDecoder(encoding, width, height)
    decoder.enter_epoch(0)
    return FrameEncoder(encoding, width, height, **options), decoder


def on_grey(pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., 3:] / 255
    return pixels[..., :3] * alpha + 128 * (1 - alpha)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((on_grey(a) - on_grey(b)) ** 2))))


@pytest.mark.parametrize(
    "encoding",
    [FrameEncoding.RAW, FrameEncoding.DELTA_ZSTD, FrameEncoding.PNG, FrameEncoding.WEBP],
)
def test_lossless_encodings_keep_colours_of_transparent_pixels(encoding: FrameEncoding) -> None:
    encoder, decoder = coder(encoding)
    picture = soft_disc()
    picture[0, 0] = (9, 8, 7, 0)
    np.testing.assert_array_equal(decoder.decode(encoder.encode(picture)), picture)


@pytest.mark.parametrize(
    ("encoding", "quality", "least_db"),
    [
        (FrameEncoding.WEBP, 90, 36),
        (FrameEncoding.JPEG_ALPHA, 0, 38),
        (FrameEncoding.JPEG_ALPHA, 98, 44),
    ],
)
def test_lossy_encodings_keep_alpha_and_look_alike(
    encoding: FrameEncoding, quality: int, least_db: float
) -> None:
    encoder, decoder = coder(encoding, quality=quality)
    picture = soft_disc()
    shown = decoder.decode(encoder.encode(picture))
    np.testing.assert_array_equal(shown[..., 3], picture[..., 3])
    assert psnr(shown, picture) > least_db


def test_a_better_quality_costs_more() -> None:
    for encoding in (FrameEncoding.WEBP, FrameEncoding.JPEG_ALPHA):
        sizes = []
        for quality in (30, 95):
            encoder, _ = coder(encoding, quality=quality)
            sizes.append(encoder.encode(soft_disc()).size_bytes)
        assert sizes[0] < sizes[1]


def test_an_opaque_jpeg_carries_no_alpha() -> None:
    encoder, decoder = coder(FrameEncoding.JPEG_ALPHA)
    picture = soft_disc()
    with_alpha = encoder.encode(picture)
    decoder.decode(with_alpha)
    picture[..., 3] = 255
    coded = encoder.encode(picture)
    assert coded.data is not None
    assert (coded.data[0], with_alpha.data[0] if with_alpha.data else None) == (0, 1)
    assert (decoder.decode(coded)[..., 3] == 255).all()


@pytest.mark.parametrize("encoding", FrameEncoding)
def test_a_repeated_picture_is_a_reference_in_every_encoding(encoding: FrameEncoding) -> None:
    encoder, decoder = coder(encoding)
    first = decoder.decode(encoder.encode(soft_disc()))
    again = encoder.encode(soft_disc())
    assert again.same_as_frame_id == 0
    np.testing.assert_array_equal(decoder.decode(again), first)


@settings(max_examples=40, deadline=None)
@given(
    band=st.integers(1, 16),
    interval=st.integers(1, 6),
    steps=st.lists(st.integers(-30, 30), min_size=1, max_size=12),
    seed=st.integers(0, 9),
)
def test_a_dead_band_bounds_the_error_of_every_frame(
    band: int, interval: int, steps: list[int], seed: int
) -> None:
    """Noise that walks by ``steps``: errors must not add up over the stream."""
    rng = np.random.default_rng(seed)
    encoder, decoder = coder(FrameEncoding.DELTA_ZSTD, dead_band=band, keyframe_interval=interval)
    picture = rng.integers(0, 256, (*SIZE, 4))
    for step in steps:
        picture = np.clip(picture + rng.integers(-abs(step), abs(step) + 1, picture.shape), 0, 255)
        given_pixels = picture.astype(np.uint8)
        coded = encoder.encode(given_pixels)
        shown = decoder.decode(coded)
        assert np.abs(shown.astype(int) - picture).max() <= band
        sharp = (picture[..., 3] == 0) | (picture[..., 3] == 255)
        np.testing.assert_array_equal(shown[..., 3][sharp], picture[..., 3][sharp])
        if coded.data and coded.base_frame_id is None:
            np.testing.assert_array_equal(shown, given_pixels)


@settings(deadline=None)
@given(band=st.integers(1, 16))
def test_every_pair_of_levels_stays_within_the_band(band: int) -> None:
    wanted, base = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    pixels, known = (np.repeat(one[..., None], 4, -1) for one in (wanted, base))
    shown = np.add(known, difference(pixels, known, band)).astype(int)
    error = np.abs(shown - pixels)
    assert error.max() == band
    alpha = error[..., 3]
    assert not alpha[(wanted == 0) | (wanted == 255)].any()


def test_a_change_within_the_band_costs_nothing() -> None:
    encoder, decoder = coder(FrameEncoding.DELTA_ZSTD, dead_band=2)
    picture = soft_disc()
    decoder.decode(encoder.encode(picture))
    # Opaque and transparent pixels have exact alpha, so that only colours may be off.
    picture[..., :3] += np.uint8(2)
    assert encoder.encode(picture).same_as_frame_id == 0
    picture[..., :3] += np.uint8(1)
    coded = encoder.encode(picture)
    assert coded.base_frame_id == 1


def test_a_dead_band_saves_bytes_on_noise() -> None:
    rng = np.random.default_rng(1)
    frames = [
        np.clip(soft_disc() + rng.normal(0, 2, (*SIZE, 4)), 0, 255).astype(np.uint8)
        for _ in range(5)
    ]
    sizes = []
    for band in (0, 2, 8):
        encoder, _ = coder(FrameEncoding.DELTA_ZSTD, dead_band=band)
        sizes.append(sum(encoder.encode(frame).size_bytes for frame in frames[1:]))
    assert sizes[0] > 1.3 * sizes[1]
    assert sizes[1] > 1.5 * sizes[2]


@pytest.mark.parametrize(
    "options",
    [
        {"dead_band": 17},
        {"dead_band": -1},
        {"quality": 101},
        {"quality": -1},
        {"keyframe_interval": 0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        coder(FrameEncoding.DELTA_ZSTD, **options)
