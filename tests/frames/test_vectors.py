"""The repository's test vectors, by the Python decoder and by the JavaScript one."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.frames import CodedFrame, FrameCodecError, FrameDecoder, FrameEncoding

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "vectors"
CLIENT = ROOT / "clients" / "js"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "refused")
REFUSED: list[dict[str, Any]] = json.loads((FOLDER / "refused.json").read_text(encoding="utf-8"))
LOSSY_MEAN_LEVELS = 3


def decoder_of(vector: dict[str, Any]) -> FrameDecoder:
    decoder = FrameDecoder(
        FrameEncoding(vector["encoding"]),
        vector["width"],
        vector["height"],
        reference_window_bytes=vector["reference_window_bytes"],
    )
    decoder.enter_epoch(0)
    return decoder


def frame_of(entry: dict[str, Any]) -> CodedFrame:
    return CodedFrame(
        entry["frame_id"],
        base64.b64decode(entry["data"]) if "data" in entry else None,
        entry.get("base_frame_id"),
        entry.get("same_as_frame_id"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_streams_decode_to_what_the_vectors_say(name: str) -> None:
    vector = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    decoder = decoder_of(vector)
    for entry in vector["frames"]:
        decoder.enter_epoch(entry["epoch"])
        pixels = decoder.decode(frame_of(entry))
        if "sha256" in entry:
            assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["sha256"]
            continue
        source = np.frombuffer(zlib.decompress(base64.b64decode(entry["rgba_zlib"])), np.uint8)
        source = source.reshape(pixels.shape)
        np.testing.assert_array_equal(pixels[..., 3], source[..., 3])
        error = np.abs(pixels[..., :3].astype(float) - source[..., :3])
        assert (error * (source[..., 3:] / 255)).mean() < LOSSY_MEAN_LEVELS


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["description"])
def test_what_a_decoder_must_refuse_is_refused(vector: dict[str, Any]) -> None:
    decoder = decoder_of(vector)
    *before, last = map(frame_of, vector["frames"])
    for frame in before:
        decoder.decode(frame)
    with pytest.raises(FrameCodecError) as caught:
        decoder.decode(last)
    assert caught.value.reason == vector["refused"]


def test_every_encoding_and_every_reason_has_vectors() -> None:
    vectors = [json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in NAMES]
    assert {vector["encoding"] for vector in vectors} == set(map(str, FrameEncoding))
    assert {vector["refused"] for vector in REFUSED} == {
        "FRAME_OUT_OF_ORDER",
        "FRAME_REFERENCE_UNKNOWN",
        "FRAME_NOT_DECODABLE",
        "FRAME_SIZE_WRONG",
    }


def test_the_javascript_decoder_passes_the_same_vectors() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the JavaScript decoder was not tested")
    for package in ("fzstd", "sharp"):
        if not (ROOT / "node_modules" / package).is_dir():
            pytest.skip(f"{package} is missing; `make dev` installs it by `npm ci`")
    done = subprocess.run(
        [node, "--test", "test/vectors.test.js"],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
