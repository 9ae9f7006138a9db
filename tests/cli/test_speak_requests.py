"""What ``kuchipaku speak`` asks of the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kuchipaku.cli.connection import Gateway
from kuchipaku.cli.main import main
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor_pb
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError, KuchipakuError

HELLO = str(Path(__file__).parents[2] / "examples/hello.wav")
TOLD = ["--text-string", "Guten Tag", "--language", "de-AT"]


@dataclass
class Recorder:
    """A gateway's client that keeps what it is asked."""

    film: pb.RenderVideoConfig = field(default_factory=pb.RenderVideoConfig)
    session: list[pb.SpeakRequest] = field(default_factory=list)
    failure: KuchipakuError | None = None
    """Of all films, sessions and sprites."""

    async def __aenter__(self) -> Recorder:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def render_video(
        self, config: pb.RenderVideoConfig, audio: bytes
    ) -> AsyncIterator[pb.RenderVideoResponse]:
        self.film = config
        if self.failure is not None:
            raise self.failure
        yield pb.RenderVideoResponse(summary=pb.RenderVideoSummary(frame_count=1))

    async def speak(
        self, requests: AsyncIterator[pb.SpeakRequest]
    ) -> AsyncIterator[pb.SpeakResponse]:
        self.session = [request async for request in requests]
        if self.failure is not None:
            raise self.failure
        frames = frame_pb2.FrameBatch(frames=[frame_pb2.Frame(frame_id=1, data=b"png")])
        yield pb.SpeakResponse(frames=frames)

    async def create_character(
        self,
        request: pb.CreateCharacterRequest,
        on_progress: Callable[[pb.CreateCharacterProgress], None],
    ) -> pb.CreateCharacterResult:
        return pb.CreateCharacterResult(character=pb.Character(name="characters/nana"))

    async def bake_sprites(
        self, request: pb.BakeSpritesRequest
    ) -> AsyncGenerator[pb.BakeSpritesResponse]:
        if self.failure is not None:
            raise self.failure
        summary = compositor_pb.PackSpritesSummary(sheet_count=1, sprite_count=9)
        yield pb.BakeSpritesResponse(summary=summary)


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


def _damaged() -> KuchipakuError:
    return InvalidArgumentError("Damaged.", reason="AUDIO_NOT_DECODABLE")


@pytest.mark.parametrize(
    "command",
    [
        ["speak", "--audio", HELLO, "-o", "film.mp4"],
        ["speak", "--audio", HELLO, "-o", "frames/"],
        ["sprites", "-o", "sprites"],
    ],
)
def test_who_was_made_before_it_failed_is_told(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder.failure = _damaged()
    made = CliRunner().invoke(main, [*command, "--prompt", "girl"])
    assert made.exit_code == 1
    assert "AUDIO_NOT_DECODABLE" in made.stderr
    assert "--character nana" in made.stderr
    recorder.failure = _damaged()
    known = CliRunner().invoke(main, [*command, "--character", "momo"])
    assert known.exit_code == 1
    assert "--character" not in known.stderr


def test_the_result_for_people_is_where_it_is(recorder: Recorder, tmp_path: Path) -> None:
    film = str(tmp_path / "film.mp4")
    assert _speak("-o", film).stdout == f"{film}\n"


def test_the_result_for_programs_has_the_character(recorder: Recorder, tmp_path: Path) -> None:
    film = str(tmp_path / "film.mp4")
    told = json.loads(_speak("-o", film, "--json").stdout)
    assert (told["output"], told["character"], told["frame_count"]) == (film, "momo", 1)
    words = ["sprites", "--prompt", "girl", "-o", str(tmp_path), "--json"]
    told = json.loads(CliRunner().invoke(main, words).stdout)
    assert (told["character"], told["sprite_count"]) == ("nana", 9)


def test_an_expression_that_there_is_not_makes_no_sprites(
    recorder: Recorder, tmp_path: Path
) -> None:
    words = ["sprites", "--prompt", "girl", "-o", str(tmp_path), "--expressions", "happy,hapy"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "hapy is no expression" in result.stderr
