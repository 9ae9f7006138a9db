"""Rhubarb itself, where it is installed (make rhubarb)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as pb_grpc
from kuchipaku_animation.cues import validate_cues
from kuchipaku_contract.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
)
from kuchipaku_lipsync.recognise import (
    RecognitionOptions,
    Recognizers,
    Step,
    recognise,
    recognise_stepwise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.rhubarb_native import RhubarbProgram, find_rhubarb
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, BASIC_SHAPES, animate_phones
from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_media.audio import AudioClip
from kuchipaku_runtime import connect, serving
from tests.lipsync.lipsyncclient import S16, answers, check_cover, cues_of, pcm16, refusal, requests

INSTALLED = Path(__file__).parents[2] / "build" / "rhubarb" / "rhubarb"
RHUBARB = RecognizerName.RHUBARB
SPEECH = np.zeros(16_000, np.int16)


@pytest.fixture(scope="module")
def program() -> str:
    if not INSTALLED.exists():
        pytest.skip("Rhubarb is not installed: run make rhubarb")
    return str(INSTALLED)


@pytest.fixture(scope="module")
def native(program: str) -> Recognizers:
    return Recognizers(RhubarbProgram(program))


@pytest.fixture
def short(hello_clip: AudioClip) -> AudioClip:
    """One word: the program takes its time."""
    return AudioClip(hello_clip.samples[: int(1.0 * hello_clip.sample_rate)], 16_000)


def test_cues_of_a_clip(native: Recognizers, short: AudioClip) -> None:
    result = recognise(short, RecognitionOptions(RHUBARB, text="Hello!"), native)
    assert result.recognizer is RHUBARB
    validate_cues(result.cues)
    assert result.cues[0].start == 0
    assert result.cues[-1].end == result.duration == short.duration_s
    assert [word.text for word in result.words] == ["hello"]
    # The animation stage of this package makes the same cues of the phones that it heard.
    ours = animate_phones(result.phones, 100)
    assert [cue.shape for cue in ours] == [cue.shape for cue in result.cues]
    assert max(cue.loudness for cue in result.cues) > 0.5


def test_progress_and_basic_shapes(native: Recognizers, short: AudioClip) -> None:
    options = RecognitionOptions(RHUBARB, text="ハロー", shapes=BASIC_SHAPES)
    steps = list(recognise_stepwise(short, options, native))
    fractions = [step.fraction for step in steps if isinstance(step, Step)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 2
    shapes = {cue.shape for step in steps if isinstance(step, Step) for cue in step.cues}
    assert shapes <= BASIC_SHAPES


def test_silence_is_one_cue(native: Recognizers) -> None:
    result = recognise(
        AudioClip(np.zeros(8_000, np.float32), 16_000), RecognitionOptions(RHUBARB), native
    )
    assert [cue.shape for cue in result.cues] == ["X"]
    assert [note.reason for note in result.warnings] == ["NO_SPEECH"]


def _script(folder: Path, text: str) -> str:
    file = folder / "rhubarb"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def _run(program: str, time_limit_s: float = 30.0) -> list[object]:
    return list(RhubarbProgram(program, time_limit_s).listen(SPEECH, "", ALL_SHAPES))


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        _run(str(tmp_path / "nothing"))
    assert caught.value.reason == "RHUBARB_NOT_INSTALLED"


def test_the_program_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_rhubarb("") is None
    program = _script(tmp_path, "exit 0")
    assert find_rhubarb("") == Path(program).resolve()


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    failure = '{"type": "failure", "reason": "No such model."}'
    program = _script(tmp_path, f"echo noise >&2\necho '{failure}' >&2\nexit 1")
    with pytest.raises(InternalError) as caught:
        _run(program)
    assert caught.value.reason == "RHUBARB_FAILED"
    assert "No such model." in caught.value.message


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceededError) as caught:
        _run(_script(tmp_path, "exec sleep 50"), time_limit_s=0.2)
    assert caught.value.reason == "JOB_TIME_LIMIT"


def test_an_abandoned_run_ends_the_program(tmp_path: Path) -> None:
    progress = '{"type": "progress", "value": 0.5}'
    file = tmp_path / "pid"
    program = _script(tmp_path, f"echo $$ > {file}\necho '{progress}' >&2\nexec sleep 50")
    run = RhubarbProgram(program).listen(SPEECH, "", ALL_SHAPES)
    assert next(run) == 0.5
    run.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


async def test_a_client_that_leaves_ends_the_program(tmp_path: Path, hello_wav: bytes) -> None:
    """The worker is killed, and its program with it."""
    progress = '{"type": "progress", "value": 0.5}'
    file = tmp_path / "pid"
    program = _script(tmp_path, f"echo $$ > {file}\necho '{progress}' >&2\nexec sleep 50")
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s",
        metrics_address=None,
        workers=1,
        preload=False,
        rhubarb_path=program,
    )
    config = pb.RecognizeCuesConfig(recognizer=pb.RECOGNIZER_RHUBARB)
    async with serving(settings, build) as address, connect(address) as peer:
        call = pb_grpc.LipsyncServiceStub(peer.channel).RecognizeCues(
            iter(requests(config, hello_wav))
        )
        async for response in call:
            if response.HasField("progress"):
                break
        pid = int(file.read_text())
        call.cancel()
        while _runs(pid):  # noqa: ASYNC110 - a process tells nobody of its end
            await asyncio.sleep(0.01)


async def test_what_a_killed_worker_leaves_is_removed(tmp_path: Path, hello_wav: bytes) -> None:
    progress = '{"type": "progress", "value": 0.5}'
    file = tmp_path / "arguments"
    program = _script(tmp_path, f"echo \"$@\" > {file}\necho '{progress}' >&2\nexec sleep 50")
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s",
        metrics_address=None,
        workers=1,
        preload=False,
        rhubarb_path=program,
    )
    config = pb.RecognizeCuesConfig(recognizer=pb.RECOGNIZER_RHUBARB)
    folders: list[Path] = []
    async with serving(settings, build) as address, connect(address) as peer:
        stub = pb_grpc.LipsyncServiceStub(peer.channel)
        for _ in range(2):
            call = stub.RecognizeCues(iter(requests(config, hello_wav)))
            async for response in call:
                if response.HasField("progress"):
                    break
            call.cancel()
            folders.append(Path(file.read_text().split()[-1]).parent)
        # The second call has had the worker that replaced the first one's.
        assert folders[0] != folders[1]
        assert not folders[0].exists()
    assert not folders[1].exists()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return False
    return state != "Z"


async def test_through_the_service(program: str, tmp_path: Path, short: AudioClip) -> None:
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s",
        metrics_address=None,
        workers=1,
        preload=False,
        rhubarb_path=program,
    )
    config = pb.RecognizeCuesConfig(
        recognizer=pb.RECOGNIZER_RHUBARB, include_phones=True, audio_format=S16
    )
    async with serving(settings, build) as address, connect(address) as peer:
        stub = pb_grpc.LipsyncServiceStub(peer.channel)
        responses = await answers(stub, requests(config, pcm16(short)))
        again = await answers(stub, requests(config, pcm16(short)))
    check_cover(cues_of(responses), 1.0)
    assert responses[-1].summary.recognizer == pb.RECOGNIZER_RHUBARB
    assert any(response.HasField("phones") for response in responses)
    assert again[-1].summary.from_cache


async def test_a_server_without_it_says_so(tmp_path: Path, hello_wav: bytes) -> None:
    settings = LipsyncSettings(
        address=f"unix:{tmp_path}/s",
        metrics_address=None,
        workers=1,
        preload=False,
        rhubarb_path=str(tmp_path / "nothing"),
    )
    config = pb.RecognizeCuesConfig(recognizer=pb.RECOGNIZER_RHUBARB)
    async with serving(settings, build) as address, connect(address) as peer:
        stub = pb_grpc.LipsyncServiceStub(peer.channel)
        error = await refusal(stub, requests(config, hello_wav))
    assert error.code == "FAILED_PRECONDITION"
    assert (error.reason, error.field) == ("RHUBARB_NOT_INSTALLED", "config.recognizer")
