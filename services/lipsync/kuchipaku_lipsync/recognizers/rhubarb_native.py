"""Rhubarb Lip Sync itself, as a program of its own.

https://github.com/DanielSWolf/rhubarb-lip-sync (MIT licence). One thread for each recording,
since only then it gives the same answer twice; several recordings go to several workers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_animation.cues import MouthShape
from kuchipaku_contract.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
)
from kuchipaku_lipsync.phones import PhoneSegment, parse_phone
from kuchipaku_lipsync.recognizers.base import WordSegment
from kuchipaku_lipsync.recognizers.words import is_spoken, spelling
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES, ShapeCue
from kuchipaku_lipsync.speech import SAMPLE_RATE

_ENTRY: Final = re.compile(r"##(phone|word)\[([\d.]+)-([\d.]+)\]: (\S+)")


@dataclass(frozen=True, slots=True)
class RhubarbAnswer:
    """What Rhubarb heard; times from the start of the recording."""

    cues: list[ShapeCue]
    phones: list[PhoneSegment] = field(default_factory=list)
    words: list[WordSegment] = field(default_factory=list)


def find_rhubarb(path: str) -> Path | None:
    """The program at ``path`` or, where that is empty, on the PATH; None without one."""
    found = shutil.which(path or "rhubarb")
    return Path(found).resolve() if found else None


class RhubarbProgram:
    """Runs Rhubarb. Its models lie in ``res`` beside the program."""

    def __init__(
        self, path: str = "", time_limit_s: float = 900.0, scratch: Path | None = None
    ) -> None:
        """``path`` as of `find_rhubarb`; looked up at the first run.

        ``scratch``: where the files of a run lie for its time, by default where the system keeps
        such. What killed processes left there is removed now.
        """
        self._path = path
        self._time_limit_s = time_limit_s
        self._scratch = scratch
        if scratch is not None:
            _sweep(scratch)

    def listen(
        self,
        samples: NDArray[np.int16],
        text: str,
        shapes: frozenset[MouthShape],
        *,
        phonetic: bool = False,
    ) -> Iterator[float | RhubarbAnswer]:
        """The share of the work done, again and again, and the answer at the end.

        ``samples``: int16 (n,) at 16 kHz. The program ends with the generator. Raises
        FailedPreconditionError RHUBARB_NOT_INSTALLED, DeadlineExceededError JOB_TIME_LIMIT and
        InternalError RHUBARB_FAILED.
        """
        program = find_rhubarb(self._path)
        if program is None:
            raise not_installed()
        prefix = f"kuchipaku-rhubarb-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self._scratch) as name:
            folder = Path(name)
            _write_wav(folder / "speech.wav", samples)
            command = _command(program, folder, shapes, phonetic=phonetic)
            if text.strip():
                (folder / "text.txt").write_text(text, encoding="utf-8")
                command += ["-d", str(folder / "text.txt")]
            yield from self._run([*command, str(folder / "speech.wav")])
            yield _read_answer(folder)

    def _run(self, command: list[str]) -> Iterator[float]:
        process = subprocess.Popen(  # noqa: S603 - the program that the settings name
            [*_ending_with_parent(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._time_limit_s, stop)
        timer.start()
        reason = ""
        with process:
            try:
                for line in process.stderr or ():
                    event = _event(line)
                    if event.get("type") == "progress":
                        yield float(event["value"])
                    elif event.get("type") == "failure":
                        reason = str(event.get("reason", ""))
                process.wait()
            finally:
                timer.cancel()
                process.kill()
        if late.is_set():
            raise DeadlineExceededError(
                f"Rhubarb took longer than {self._time_limit_s:g} s.",
                reason="JOB_TIME_LIMIT",
                limit_s=self._time_limit_s,
            )
        if process.returncode != 0:
            raise InternalError(
                f"Rhubarb failed: {reason or f'exit code {process.returncode}'}",
                reason="RHUBARB_FAILED",
            )


def _sweep(scratch: Path) -> None:
    for folder in scratch.glob("kuchipaku-rhubarb-*-*"):
        try:
            os.kill(int(folder.name.split("-")[2]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)


def not_installed() -> FailedPreconditionError:
    """The error where the program is missing."""
    return FailedPreconditionError(
        "The server has no Rhubarb Lip Sync.",
        reason="RHUBARB_NOT_INSTALLED",
        field="config.recognizer",
    )


def _ending_with_parent() -> list[str]:
    """A prefix, where the system has it, that ends the program with a worker that is killed.

    Not `preexec_fn`: that forks, and gRPC's threads do not survive a fork.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _command(
    program: Path, folder: Path, shapes: frozenset[MouthShape], *, phonetic: bool
) -> list[str]:
    extended = "".join(sorted(shape.value for shape in shapes - BASIC_SHAPES))
    recognizer = "phonetic" if phonetic else "pocketSphinx"
    return [
        str(program),
        *("-f", "json", "-o", str(folder / "cues.json")),
        *("-r", recognizer, "--threads", "1", "--machineReadable"),
        *("--extendedShapes", extended),
        *("--logFile", str(folder / "log.txt"), "--logLevel", "debug"),
    ]


def _write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _read_answer(folder: Path) -> RhubarbAnswer:
    answer = json.loads((folder / "cues.json").read_text(encoding="utf-8"))
    cues = [
        ShapeCue(_cs(cue["start"]), _cs(cue["end"]), MouthShape(cue["value"]))
        for cue in answer["mouthCues"]
    ]
    phones: list[PhoneSegment] = []
    words: list[WordSegment] = []
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    for kind, start, end, name in _ENTRY.findall(log):
        if kind == "phone":
            phones.append(PhoneSegment(_cs(start), _cs(end), parse_phone(name)))
        elif is_spoken(name):
            words.append(WordSegment(_cs(start), _cs(end), spelling(name)))
    return RhubarbAnswer(cues, phones, words)


def _cs(seconds: float | str) -> int:
    return round(float(seconds) * 100)
