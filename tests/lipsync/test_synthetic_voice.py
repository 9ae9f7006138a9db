"""eSpeak's voice fits the acoustic model worse than people do; its texts are believed too."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave

import numpy as np
import pytest

from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_media.audio import AudioClip

LINE = "Every knight sold a quiet room by the river."


@pytest.fixture(scope="module")
def spoken() -> AudioClip:
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("espeak-ng is not installed")
    command = [program, "-v", "en-us", "-s", "171", "-p", "48", "--stdout", LINE]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(said)) as file:
        samples = np.frombuffer(file.readframes(1 << 24), np.int16)
        return AudioClip(samples.astype(np.float32) / np.float32(32768), file.getframerate())


@pytest.fixture(scope="module")
def recognizers() -> Recognizers:
    return Recognizers()


def test_a_right_text_that_scores_badly_but_covers_the_speech_is_believed(
    spoken: AudioClip, recognizers: Recognizers
) -> None:
    found = recognise(spoken, RecognitionOptions(text=LINE), recognizers)
    assert found.recognizer is RecognizerName.ALIGNED
    assert not found.warnings


@pytest.mark.parametrize(
    "text", ["The captain sold a quiet room, you know.", "A small dragon wants the winter at last."]
)
def test_a_wrong_text_is_not(spoken: AudioClip, recognizers: Recognizers, text: str) -> None:
    found = recognise(spoken, RecognitionOptions(text=text), recognizers)
    assert [warning.reason for warning in found.warnings] == ["TEXT_DOES_NOT_MATCH"]
