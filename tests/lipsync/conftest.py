from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from kuchipaku_lipsync.recognise import Recognizers
from kuchipaku_media.audio import AudioClip, decode_audio

# A machine that is busy is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """The folder of the speech corpus with Rhubarb's answers."""
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not root:
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder of extra test data")
    folder = Path(root) / "data" / "speech"
    if not folder.is_dir():
        pytest.skip(f"no speech corpus in {folder}")
    return folder


@pytest.fixture(scope="session")
def hello_wav() -> bytes:
    return (EXAMPLES / "hello.wav").read_bytes()


@pytest.fixture(scope="session")
def hello_text() -> str:
    return (EXAMPLES / "hello.txt").read_text()


@pytest.fixture(scope="session")
def hello_clip(hello_wav: bytes) -> AudioClip:
    return decode_audio(hello_wav)


@pytest.fixture(scope="session")
def recognizers() -> Recognizers:
    """Loaded once: a word decoder takes half a second."""
    return Recognizers()
