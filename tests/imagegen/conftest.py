"""What tests of the image generation service share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuchipaku_imagegen.cutout import MattingModels, open_matting_models
from kuchipaku_imagegen.fitting import Fitter
from kuchipaku_imagegen.framing import Heads, open_heads
from kuchipaku_imagegen.settings import ImagegenSettings


@pytest.fixture(scope="session")
def starter_models() -> Path:
    """The folder of the starter networks that the repository carries."""
    folder = ImagegenSettings().starter_models
    for file in ("matting/matting.onnx", "headbox/finder.onnx", "headbox/examiner.onnx"):
        assert (folder / file).is_file(), f"{file} is missing from {folder}"
    return folder


@pytest.fixture(scope="session")
def matting(starter_models: Path) -> MattingModels:
    return open_matting_models(starter_models / "matting", rembg_folder=None)


@pytest.fixture(scope="session")
def heads(starter_models: Path) -> Heads:
    found = open_heads(starter_models / "headbox")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def fitter(heads: Heads, matting: MattingModels) -> Fitter:
    return Fitter(heads, matting)
