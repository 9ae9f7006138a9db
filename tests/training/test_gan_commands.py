"""The command line of the trainings, as far as it goes without torch and TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kuchipaku_training import cli
from kuchipaku_training.gan import __main__ as gan
from kuchipaku_training.gan.architectures import SMALL
from tests.training.gan_weights import write_faces


def test_importing_the_command_needs_no_framework() -> None:
    code = (
        "import sys; sys.path.insert(0, 'training');"
        "import kuchipaku_training.cli, kuchipaku_training.gan.__main__;"
        "print([name for name in ('torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_models_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["voice"]) == 2
    assert "no model 'voice'" in capsys.readouterr().err
    assert cli.main([]) == 2
    assert "headbox" in capsys.readouterr().err
    assert cli.main(["--help"]) == 0
    assert "gan" in capsys.readouterr().out


@pytest.mark.parametrize(("missing", "told"), [("torch", "kuchipaku-training"), ("diffusers", "")])
def test_a_framework_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str, told: str
) -> None:
    def failing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(cli, "import_module", failing)
    assert cli.main(["pose", "train"]) == 1
    error = capsys.readouterr().err
    assert missing in error
    assert told in error


def test_options_may_stand_without_a_command() -> None:
    options = gan.parse(["--faces", "mine", "--work", "here", "--epochs", "3"])
    assert (options.command, options.faces, options.epochs) == ("all", Path("mine"), 3)
    assert options.architecture == SMALL
    assert gan.parse(["train", "--architecture", "classic"]).command == "train"


def test_faces_are_prepared_by_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = write_faces(tmp_path / "mine", 40)
    (faces / "broken.jpg").write_bytes(b"\xff\xd8")
    assert cli.main(["gan", "prepare", "--faces", str(faces), "--work", str(tmp_path / "w")]) == 0
    told = capsys.readouterr().out
    assert "36 faces to learn from, 4 held out, 1 left out" in told
    assert "broken.jpg" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prepare", "--faces", "nowhere"], "nowhere is no folder"),
        (["prepare", "--faces", ".", "--backdrop", "blue"], "ffe0f0"),
        (["train", "--work", "nowhere"], ""),
        (["evaluate", "--work", "nowhere"], ""),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gan", *arguments]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
