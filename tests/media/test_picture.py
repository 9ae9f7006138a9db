from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_media.picture import canvas_hash, check_picture, decode_picture, encode_png


def sample(height: int = 80, width: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    alpha = np.where(columns < width // 2, 255, 128)
    return np.dstack([rows * 2, columns * 2, rows + columns, alpha]).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        decode_picture(data, field="picture")
    assert caught.value.field == "picture"
    return caught.value.reason


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG whose rows are all zero, however large."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})]
)
def test_lossless_pictures_come_back_exactly(kind, options):
    pixels = sample()
    np.testing.assert_array_equal(
        decode_picture(saved(Image.fromarray(pixels), kind, **options)), pixels
    )


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})]
)
def test_lossy_pictures_are_opaque_and_close(kind, options):
    pixels = sample()
    decoded = decode_picture(saved(Image.fromarray(pixels).convert("RGB"), kind, **options))
    assert (decoded[..., 3] == 255).all()
    assert np.abs(decoded[..., :3].astype(int) - pixels[..., :3]).mean() < 6


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_headers_give_the_size(progressive):
    image = Image.fromarray(sample(70, 200)).convert("RGB")
    data = saved(image, "JPEG", progressive=progressive, exif=Image.Exif().tobytes())
    header = check_picture(data)
    assert (header.width, header.height) == (200, 70)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(sample(80, 120)).convert("RGB"), "JPEG", exif=exif.tobytes())
    assert decode_picture(data).shape == (120, 80, 4)


def test_palette_with_transparency():
    image = Image.new("P", (64, 64), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 1)
    pixels = decode_picture(saved(image, "PNG", transparency=0))
    assert pixels[0, 0].tolist() == [0, 255, 0, 255]
    assert pixels[1, 1, 3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB"])
def test_other_modes(mode):
    pixels = decode_picture(saved(Image.fromarray(sample()).convert(mode), "PNG"))
    assert pixels.shape == (80, 96, 4)
    assert pixels.dtype == np.uint8


def test_cmyk_jpeg():
    data = saved(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", quality=95)
    assert decode_picture(data)[10, 10, 0] > 200


def test_sixteen_bit_grey_keeps_its_levels():
    grey = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = decode_picture(saved(Image.fromarray(grey), "PNG"))
    assert np.abs(pixels[..., 0].astype(float) - grey / 257).max() <= 0.51
    assert (pixels[..., 3] == 255).all()


def test_a_colour_profile_is_applied_and_srgb_changes_nothing():
    pixels = sample()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = decode_picture(saved(Image.fromarray(pixels), "PNG", icc_profile=srgb))
    np.testing.assert_array_equal(kept, pixels)
    broken = decode_picture(saved(Image.fromarray(pixels), "PNG", icc_profile=b"not a profile"))
    np.testing.assert_array_equal(broken, pixels)


def test_pictures_of_extreme_size_are_refused_from_the_header():
    assert refusal(png_of_size(1, 1)) == "IMAGE_TOO_SMALL"
    assert refusal(png_of_size(512, 8)) == "IMAGE_TOO_SMALL"
    assert refusal(png_of_size(20_000, 20_000)) == "IMAGE_TOO_MANY_PIXELS"
    assert refusal(png_of_size(300_000, 64)) == "IMAGE_TOO_MANY_PIXELS"


def test_a_file_over_the_byte_limit_is_refused():
    assert refusal(b"\x89PNG\r\n\x1a\n" + bytes(21 * 1024 * 1024)) == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "IMAGE_EMPTY"),
        (b"plain text", "IMAGE_FORMAT_UNSUPPORTED"),
        (b"GIF89a" + bytes(50), "IMAGE_FORMAT_UNSUPPORTED"),
        (b"\x89PNG\r\n\x1a\n", "IMAGE_NOT_DECODABLE"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "IMAGE_NOT_DECODABLE"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X", "IMAGE_NOT_DECODABLE"),
    ],
)
def test_what_is_not_a_picture_is_refused(data, reason):
    assert refusal(data) == reason


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_truncated_pictures_are_refused(kind, keep):
    noise = np.random.default_rng(3).integers(0, 256, (128, 128, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    assert refusal(data[: int(len(data) * keep)]) == "IMAGE_NOT_DECODABLE"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind):
    frames = [Image.fromarray(sample()), Image.fromarray(sample()[::-1])]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert refusal(data) == "IMAGE_ANIMATED"


@given(
    kind=st.sampled_from(["PNG", "WEBP", "JPEG"]),
    damage=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_damage_never_escapes_as_another_error(kind, damage):
    data = bytearray(saved(Image.fromarray(sample()).convert("RGB"), kind))
    for position, value in damage:
        data[position % len(data)] = value
    try:
        pixels = decode_picture(bytes(data))
    except InvalidArgumentError:
        return
    assert pixels.ndim == 3


def test_png_round_trip_and_level():
    pixels = sample()
    fast, small = encode_png(pixels), encode_png(pixels, level=9)
    np.testing.assert_array_equal(decode_picture(fast), pixels)
    np.testing.assert_array_equal(decode_picture(small), pixels)
    assert len(small) <= len(fast)
    assert encode_png(pixels) == fast
    with pytest.raises(ValueError, match="uint8"):
        encode_png(pixels[..., :3])


def test_canvas_hash_is_of_the_pixels():
    pixels = sample()
    assert canvas_hash(pixels) == canvas_hash(np.asfortranarray(pixels))
    assert len(canvas_hash(pixels)) == 64
    changed = pixels.copy()
    changed[0, 0, 0] ^= 1
    assert canvas_hash(changed) != canvas_hash(pixels)


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\xd0"], ids=["fill bytes", "empty segments"])
def test_a_size_hidden_far_behind_is_not_looked_for(filler):
    """Looking would hold up whoever looks: as many steps as there are bytes."""
    image = Image.fromarray(sample(70, 200)).convert("RGB")
    data = saved(image, "JPEG")
    near = data[:2] + filler * 100 + data[2:]
    assert check_picture(near).width == 200
    with pytest.raises(InvalidArgumentError) as caught:
        check_picture(data[:2] + b"\xff" + filler * 500_000 + data[2:])
    assert caught.value.reason == "IMAGE_NOT_DECODABLE"
