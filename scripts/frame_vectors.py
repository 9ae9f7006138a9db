"""Write the test vectors of the frame codec: tests/frames/vectors/*.json.

    python scripts/frame_vectors.py

The layout of the files is described in docs/frame-codec.md. Data may change with the versions of
Zstandard, libwebp and libjpeg-turbo; what it decodes to may not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from kuchipaku.frames import CodedFrame, FrameDecoder, FrameEncoder, FrameEncoding, Rgba
from kuchipaku.frames.jpegalpha import encode_jpeg_alpha
from kuchipaku.frames.png import encode_png
from kuchipaku.frames.webp import encode_webp

WIDTH, HEIGHT = 40, 32
FRAME_BYTES = WIDTH * HEIGHT * 4
FOLDER = Path(__file__).resolve().parents[1] / "tests" / "frames" / "vectors"

Vector = dict[str, Any]


def face(mouth: float, turn: float = 0.0) -> Rgba:
    """A disc with a soft edge, shaded, with a mouth that opens."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    distance = np.hypot(x - WIDTH / 2 - 4 * turn, y - HEIGHT / 2)
    picture = np.zeros((HEIGHT, WIDTH, 4))
    picture[..., 0] = 230 - 2 * y
    picture[..., 1] = 190 - x
    picture[..., 2] = 170 + 20 * np.sin(x / 5)
    lips = np.hypot((x - WIDTH / 2 - 4 * turn) / 5, (y - 22) / (1 + 3 * mouth)) < 1
    picture[lips, :3] = (120, 20, 40)
    picture[..., 3] = np.clip((14 - distance) * 128, 0, 255)
    picture[picture[..., 3] < 1] = 0
    return picture.round().astype(np.uint8)


OPENINGS = [0.0, 0.0, 0.4, 1.0, 0.4, 0.0, 0.0, 1.0]


def talking(sway: float = 0.0) -> list[Rgba]:
    """A few frames, of which some recur."""
    return [face(opening, sway * i) for i, opening in enumerate(OPENINGS)]


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def head_of(description: str, encoding: FrameEncoding, window: int = 0) -> Vector:
    return {
        "description": description,
        "encoding": str(encoding),
        "width": WIDTH,
        "height": HEIGHT,
        "reference_window_bytes": window,
    }


def entry(epoch: int, frame: CodedFrame) -> Vector:
    fields: Vector = {"epoch": epoch, "frame_id": frame.frame_id}
    if frame.base_frame_id is not None:
        fields["base_frame_id"] = frame.base_frame_id
    if frame.same_as_frame_id is not None:
        fields["same_as_frame_id"] = frame.same_as_frame_id
    else:
        fields["data"] = text_of(frame.data or b"")
    return fields


def stream(
    description: str,
    encoding: FrameEncoding,
    frames: Sequence[Rgba],
    *,
    window: int = 0,
    keyed: bool = False,
    epochs: int = 1,
    lossy: bool = False,
    **options: int,
) -> Vector:
    """A stream, each frame with what it decodes to."""
    encoder = FrameEncoder(
        encoding, WIDTH, HEIGHT, reference_window_bytes=window, level=3, **options
    )
    decoder = FrameDecoder(encoding, WIDTH, HEIGHT, reference_window_bytes=window)
    entries = []
    for epoch in range(epochs):
        if epoch:
            encoder.start_epoch()
        decoder.enter_epoch(epoch)
        for pixels in frames:
            coded = encoder.encode(pixels, hash(pixels.tobytes()) if keyed else None)
            fields = entry(epoch, coded)
            shown = decoder.decode(coded)
            if lossy:
                fields["rgba_zlib"] = text_of(zlib.compress(pixels.tobytes(), 9))
            else:
                fields["sha256"] = hashlib.sha256(shown.tobytes()).hexdigest()
            entries.append(fields)
    return {**head_of(description, encoding, window), "frames": entries}


def streams() -> Iterator[tuple[str, Vector]]:
    """All vectors that decode, by name."""
    still, sway = talking(), talking(0.2)
    two = 2 * FRAME_BYTES
    delta = FrameEncoding.DELTA_ZSTD
    yield "raw", stream("RAW, equal frames as references", FrameEncoding.RAW, still[:3])
    yield "delta", stream("deltas to the frame before, equal frames as references", delta, sway)
    yield (
        "delta_keyframes",
        stream("a keyframe after every two frames", delta, sway, keyframe_interval=2),
    )
    yield (
        "delta_window",
        stream(
            "references to pictures in a window of two frames; taking a picture over renames it",
            delta,
            still,
            window=two,
            keyed=True,
        ),
    )
    yield "delta_epochs", stream("two epochs: ids begin again", delta, sway[:4], epochs=2)
    yield "delta_dead_band", stream("dead band 2", delta, sway, dead_band=2)
    yield "png", stream("PNG, equal frames as references", FrameEncoding.PNG, still[:4])
    yield "png_filters", filtered_png()
    yield "webp", stream("lossless WebP", FrameEncoding.WEBP, still[:4])
    yield (
        "webp_lossy",
        stream("lossy WebP, alpha exact", FrameEncoding.WEBP, sway[:3], quality=90, lossy=True),
    )
    opaque = [np.dstack([pixels[..., :3], np.full((HEIGHT, WIDTH), 255)]) for pixels in sway[2:4]]
    frames = [*sway[:3], *(pixels.astype(np.uint8) for pixels in opaque)]
    yield (
        "jpeg_alpha",
        stream(
            "colours as JPEG, alpha exact; the last two opaque",
            FrameEncoding.JPEG_ALPHA,
            frames,
            lossy=True,
            quality=95,
        ),
    )


def filtered_png() -> Vector:
    """PNGs whose writer chooses a filter for each row, as common ones do."""
    from io import BytesIO  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415

    entries = []
    for i, pixels in enumerate(talking(0.2)[:2]):
        file = BytesIO()
        Image.fromarray(pixels).save(file, "PNG", optimize=bool(i))
        fields = entry(0, CodedFrame(i, file.getvalue()))
        entries.append({**fields, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()})
    return {**head_of("PNG of another writer, all filters", FrameEncoding.PNG), "frames": entries}


def refusals() -> Iterator[tuple[str, FrameEncoding, list[CodedFrame], str]]:
    """What a decoder must refuse: description, encoding, frames, and why the last is refused."""
    packer = zstandard.ZstdCompressor(level=3)
    first, second = talking(0.2)[1:3]
    key = packer.compress(first.tobytes())
    delta = packer.compress((second - first).tobytes())
    raw, zstd = FrameEncoding.RAW, FrameEncoding.DELTA_ZSTD
    png, webp, jpeg = FrameEncoding.PNG, FrameEncoding.WEBP, FrameEncoding.JPEG_ALPHA
    good = CodedFrame(0, key)

    yield "the first id is not 0", zstd, [CodedFrame(1, key)], "FRAME_OUT_OF_ORDER"
    yield "an id is left out", zstd, [good, CodedFrame(2, delta, 0)], "FRAME_OUT_OF_ORDER"
    yield "an id comes again", zstd, [good, good], "FRAME_OUT_OF_ORDER"
    unknown = "FRAME_REFERENCE_UNKNOWN"
    yield "a base that never was", zstd, [good, CodedFrame(1, delta, 7)], unknown
    yield (
        "a base that has left the window",
        zstd,
        [good, CodedFrame(1, delta, 0), CodedFrame(2, delta, 0)],
        unknown,
    )
    yield (
        "a picture that is known by another id now",
        zstd,
        [good, CodedFrame(1, same_as_frame_id=0), CodedFrame(2, same_as_frame_id=0)],
        unknown,
    )
    yield "a reference to itself", zstd, [CodedFrame(0, same_as_frame_id=0)], unknown
    pixels = first.tobytes()
    yield "a base in RAW", raw, [CodedFrame(0, pixels), CodedFrame(1, pixels, 0)], unknown
    size, broken = "FRAME_SIZE_WRONG", "FRAME_NOT_DECODABLE"
    yield "no data", raw, [CodedFrame(0, b"")], broken
    yield "a byte too few", raw, [CodedFrame(0, pixels[:-1])], size
    yield "a byte too many", raw, [CodedFrame(0, pixels + b"\0")], size
    yield "not Zstandard", zstd, [CodedFrame(0, bytes(range(64)))], broken
    yield "Zstandard cut off", zstd, [CodedFrame(0, key[:-1])], broken
    yield "a byte after the Zstandard frame", zstd, [CodedFrame(0, key + b"\0")], broken
    yield "two Zstandard frames", zstd, [CodedFrame(0, key + key)], broken
    bomb = packer.compress(bytes(1 << 24))
    yield "16 MiB of zeros, declared", zstd, [CodedFrame(0, bomb)], size
    silent = zstandard.ZstdCompressor(level=3, write_content_size=False)
    yield "no declared size", zstd, [CodedFrame(0, silent.compress(pixels))], size
    image = encode_png(first)
    yield "PNG cut off", png, [CodedFrame(0, image[:-30])], broken
    yield "bytes after the PNG", png, [CodedFrame(0, image + bytes(4))], broken
    yield "PNG of another size", png, [CodedFrame(0, encode_png(first[:, 1:]))], size
    yield "not a PNG", png, [CodedFrame(0, pixels[:64])], broken
    image = encode_webp(first)
    yield "WebP cut off", webp, [CodedFrame(0, image[:-9])], broken
    yield "bytes after the WebP", webp, [CodedFrame(0, image + bytes(4))], broken
    yield "WebP of another size", webp, [CodedFrame(0, encode_webp(first[1:]))], size
    image = encode_jpeg_alpha(first, packer)
    yield "JPEG_ALPHA of an unknown kind", jpeg, [CodedFrame(0, b"\2" + image[1:])], broken
    yield "alpha cut off", jpeg, [CodedFrame(0, image[:-1])], broken
    yield "alpha missing", jpeg, [CodedFrame(0, b"\0" + image[1:])], broken
    other = encode_jpeg_alpha(np.ascontiguousarray(first[:, 1:]), packer)
    yield "JPEG_ALPHA of another size", jpeg, [CodedFrame(0, other)], size
    yield "JPEG_ALPHA shorter than its header", jpeg, [CodedFrame(0, image[:7])], broken


def refused() -> list[Vector]:
    """The vectors whose last frame must be refused."""
    return [
        {
            **head_of(description, encoding),
            "frames": [entry(0, frame) for frame in frames],
            "refused": reason,
        }
        for description, encoding, frames, reason in refusals()
    ]


def write(name: str, content: object, dump: Callable[..., str] = json.dumps) -> None:
    path = FOLDER / f"{name}.json"
    path.write_text(dump(content, indent=1) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, vector in streams():
        write(name, vector)
    write("refused", refused())


if __name__ == "__main__":
    main()
