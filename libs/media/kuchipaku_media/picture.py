"""Bounded decoding of pictures to RGBA pixels.

PNG, WebP and JPEG. Bytes, then pixels as the file's header declares them, are checked before
Pillow sees the file, so that a decompression bomb costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS, MIB
from kuchipaku_media.picture_header import PictureFormat, PictureHeader, read_header

__all__ = ["canvas_hash", "check_picture", "decode_picture", "encode_png"]

Rgba = NDArray[np.uint8]

# What Pillow's parsers raise on damaged input, beside OSError (UnidentifiedImageError and
# truncation are OSErrors).
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def check_picture(
    data: bytes,
    *,
    field: str = "image",
    min_side_px: int = LIMITS.min_image_side_px,
    max_pixels: int = LIMITS.max_image_pixels,
) -> PictureHeader:
    """Check an encoded picture by its header alone and return the header.

    Raises `InvalidArgumentError` with reason IMAGE_EMPTY, IMAGE_TOO_LARGE (bytes),
    IMAGE_FORMAT_UNSUPPORTED (not PNG, WebP or JPEG), IMAGE_NOT_DECODABLE (no size in the
    header), IMAGE_TOO_SMALL or IMAGE_TOO_MANY_PIXELS.
    """
    if not data:
        raise _refuse("The picture is empty.", "IMAGE_EMPTY", field)
    if len(data) > LIMITS.max_image_bytes:
        raise _refuse(
            f"The picture file is larger than the limit of {LIMITS.max_image_bytes // MIB} MiB.",
            "IMAGE_TOO_LARGE",
            field,
        )
    header = read_header(data)
    if header is None:
        raise _refuse("The file is not a PNG, WebP or JPEG.", "IMAGE_FORMAT_UNSUPPORTED", field)
    width, height = header.width, header.height
    if width <= 0 or height <= 0:
        raise _refuse("The picture's header is damaged.", "IMAGE_NOT_DECODABLE", field)
    _check_size(width, height, field, min_side_px, max_pixels)
    return header


def _check_size(width: int, height: int, field: str, min_side_px: int, max_pixels: int) -> None:
    if min(width, height) < min_side_px:
        raise _refuse(
            f"The picture is {width}x{height}; both sides need at least {min_side_px} pixels.",
            "IMAGE_TOO_SMALL",
            field,
        )
    if width * height > max_pixels or max(width, height) > LIMITS.max_image_side_px:
        raise _refuse(
            f"The picture is {width}x{height}; the limits are {max_pixels} pixels and "
            f"{LIMITS.max_image_side_px} pixels a side.",
            "IMAGE_TOO_MANY_PIXELS",
            field,
        )


def decode_picture(
    data: bytes,
    *,
    field: str = "image",
    min_side_px: int = LIMITS.min_image_side_px,
    max_pixels: int = LIMITS.max_image_pixels,
) -> Rgba:
    """Decode a PNG, WebP or JPEG picture to RGBA.

    Returns uint8 of shape (height, width, 4): straight alpha, sRGB, upright (EXIF orientation
    applied). Greyscale, palette, CMYK and 16-bit pictures are converted; an embedded colour
    profile other than sRGB is applied. Raises what `check_picture` raises, and
    `InvalidArgumentError` with IMAGE_ANIMATED for animations and IMAGE_NOT_DECODABLE for
    damaged or truncated files.
    """
    header = check_picture(data, field=field, min_side_px=min_side_px, max_pixels=max_pixels)
    try:
        with Image.open(io.BytesIO(data), formats=[header.format.value]) as image:
            _check_size(*image.size, field, min_side_px, max_pixels)
            if getattr(image, "is_animated", False):
                raise _refuse(
                    "The picture is an animation; a still picture is needed.",
                    "IMAGE_ANIMATED",
                    field,
                )
            image.load()
            pixels = _to_rgba(ImageOps.exif_transpose(image))
    except _DECODER_ERRORS as error:
        raise _refuse(
            "The picture is damaged or incomplete.", "IMAGE_NOT_DECODABLE", field
        ) from error
    return pixels


def _to_rgba(image: Image.Image) -> Rgba:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey_to_rgba(image)
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "PA", "LA", "La", "1", "L", "RGBa"):
        image = image.convert("RGBA")
    if isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "CMYK"):
        image = _to_srgb(image, profile)
    return np.array(image.convert("RGBA"), np.uint8)


def _deep_grey_to_rgba(image: Image.Image) -> Rgba:
    """16-bit greyscale, whose transparent colour, if any, is a single grey level."""
    grey = np.asarray(image).astype(np.int64)
    level = ((np.clip(grey, 0, 65535) + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    opaque = np.full(grey.shape, True) if transparent is None else grey != transparent
    return np.dstack([level, level, level, np.where(opaque, 255, 0).astype(np.uint8)])


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply an embedded ICC profile; one that cannot be read is ignored, as browsers do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted if converted is not None else image


def encode_png(rgba: Rgba, *, level: int = 1) -> bytes:
    """Encode uint8 pixels of shape (height, width, 4) as PNG.

    ``level`` is zlib's: 1 is fast, 6 about a tenth smaller at thrice the time. The same pixels
    and level give the same bytes.
    """
    if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] != 4:
        raise ValueError(f"expected uint8 (height, width, 4), got {rgba.dtype} {rgba.shape}")
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba)).save(
        out, PictureFormat.PNG.value, compress_level=level
    )
    return out.getvalue()


def canvas_hash(rgba: Rgba) -> str:
    """SHA-256 of the pixels' bytes, row by row in RGBA order, as 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(rgba, np.uint8).data).hexdigest()


def _refuse(message: str, reason: str, field: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason=reason, field=field)
