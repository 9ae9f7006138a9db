"""Decoding of picture files with Pillow, which only clients of such frames need."""

from __future__ import annotations

import io
import warnings

import numpy as np

from kuchipaku.frames.types import FrameCodecError, Rgba, not_decodable, wrong_size


def open_picture(data: bytes, kind: str, mode: str, width: int, height: int) -> Rgba:
    """Return the pixels of a picture file: uint8 (height, width, channels of ``mode``).

    The caller has read the size from the file's header before, so that no file makes Pillow
    allocate more than the frame has.

    Args:
        data: the file.
        kind: Pillow's name of its format.
        mode: "RGBA" or "RGB".
        width: what the picture must measure, in pixels.
        height: likewise.

    Raises:
        FrameCodecError: FRAME_NOT_DECODABLE or FRAME_SIZE_WRONG.
        ImportError: Pillow is not installed (``pip install kuchipaku[png]``).
    """
    from PIL import Image  # noqa: PLC0415 - a client of RAW and DELTA_ZSTD needs no Pillow

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=[kind]) as image:
            # What Pillow warns of is a file that no sender of frames writes.
            warnings.simplefilter("error")
            # A second header may have told Pillow another size than the caller has read.
            if image.size != (width, height):
                raise wrong_size(f"The {kind} file has another size", width, height)
            return np.array(image.convert(mode), np.uint8)
    except FrameCodecError:
        raise
    except Exception as error:  # Pillow's readers let through whatever parsing runs into
        raise not_decodable(f"is a damaged {kind} file") from error
