"""What ``kuchipaku speak`` asks of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kuchipaku.cli.connection import Gateway
from kuchipaku.cli.main import main
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2

HELLO = str(Path(__file__).parents[2] / "examples/hello.wav")
TOLD = ["--text-string", "Guten Tag", "--language", "de-AT"]


@dataclass
class Recorder:
    """A gateway's client that keeps what it is asked."""

    film: pb.RenderVideoConfig = field(default_factory=pb.RenderVideoConfig)
    session: list[pb.SpeakRequest] = field(default_factory=list)

    async def __aenter__(self) -> Recorder:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def render_video(
        self, config: pb.RenderVideoConfig, audio: bytes
    ) -> AsyncIterator[pb.RenderVideoResponse]:
        self.film = config
        yield pb.RenderVideoResponse(summary=pb.RenderVideoSummary(frame_count=1))

    async def speak(
        self, requests: AsyncIterator[pb.SpeakRequest]
    ) -> AsyncIterator[pb.SpeakResponse]:
        self.session = [request async for request in requests]
        frames = frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=1, data=b"png")])
        yield pb.SpeakResponse(frames=frames)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(Gateway, "client", lambda self: recorder)
    return recorder


def _speak(*options: str) -> Any:
    arguments = ["speak", "--character", "momo", "--audio", HELLO, *options]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_film_is_told_the_language_of_its_text(recorder: Recorder, tmp_path: Path) -> None:
    _speak(*TOLD, "-o", str(tmp_path / "film.mp4"))
    assert (recorder.film.text, recorder.film.language) == ("Guten Tag", "de-AT")


def test_frames_are_told_the_language_of_their_text(recorder: Recorder, tmp_path: Path) -> None:
    _speak(*TOLD, "-o", f"{tmp_path}/frames/")
    spec = recorder.session[1].utterance
    assert (spec.text, spec.language) == ("Guten Tag", "de-AT")
    assert (tmp_path / "frames" / "frame_00000.png").read_bytes() == b"png"


def test_the_language_is_guessed_unless_told(recorder: Recorder, tmp_path: Path) -> None:
    _speak("--text-string", "Hello", "-o", str(tmp_path / "film.mp4"))
    assert recorder.film.language == ""
