"""What runs in the worker processes. Each keeps its recognisers from job to job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kuchipaku_lipsync.intake import Audio
from kuchipaku_lipsync.recognise import (
    Outcome,
    Recognition,
    RecognitionOptions,
    Recognizers,
    Step,
    align_text,
    recognise_stepwise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.rhubarb_native import RhubarbProgram

_RECOGNIZERS = Recognizers()


def prepare_worker(
    preloaded: Sequence[RecognizerName],
    rhubarb_path: str = "",
    time_limit_s: float = 900.0,
    scratch: Path | None = None,
) -> None:
    """Loads recognisers before the first job. ``scratch``: see `RhubarbProgram`."""
    _RECOGNIZERS.rhubarb = RhubarbProgram(rhubarb_path, time_limit_s, scratch)
    _RECOGNIZERS.preload(preloaded)


def recognise_job(audio: Audio, options: RecognitionOptions) -> Iterator[Step | Outcome]:
    """`recognise_stepwise` of a recording. Raises what decoding and recognition raise."""
    yield from recognise_stepwise(audio.clip(), options, _RECOGNIZERS)


def align_job(audio: Audio, text: str, language: str = "") -> Recognition:
    """`align_text` of a recording. Raises what decoding and alignment raise."""
    return align_text(audio.clip(), text, _RECOGNIZERS, language)
