"""Image models that the command line names by their source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kuchipaku.cli.connection import Access
from kuchipaku.cli.imagine_service import ImageService
from kuchipaku.cli.main import main


def test_a_source_is_given_to_a_service_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    own, name = ImageService(None, Access()).with_model("diffusers:model")
    models = json.loads(own.settings["KUCHIPAKU_IMAGEGEN_MODELS"])
    assert models == {name: {"source": f"diffusers:{tmp_path.resolve()}/model"}}
    # What is no folder is the id of a hub.
    own, name = ImageService(None, Access()).with_model("diffusers:someone/model")
    assert json.loads(own.settings["KUCHIPAKU_IMAGEGEN_MODELS"])[name] == {
        "source": "diffusers:someone/model"
    }


@pytest.mark.parametrize(
    ("address", "model"),
    [(None, "illustrator"), (None, ""), (None, "diffusers:"), ("unix:/x", "diffusers:model")],
)
def test_other_names_are_left_to_the_service(address: str | None, model: str) -> None:
    service = ImageService(address, Access())
    assert service.with_model(model) == (service, model)


def test_the_service_opens_the_given_file(tmp_path: Path) -> None:
    model, out = tmp_path / "none.onnx", str(tmp_path / "out")
    arguments = ["imagine", "girl", "-n", "1", "-o", out, "--model", f"gan:{model}"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert "none.onnx" in result.output
