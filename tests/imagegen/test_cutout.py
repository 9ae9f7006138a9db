"""Backgrounds are removed, and edges are drawn anew."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import (
    FailedPreconditionError,
    NotFoundError,
    UnimplementedError,
)
from kuchipaku_imagegen.cutout import (
    MattingModels,
    Region,
    open_matting_models,
    remove_background,
)
from kuchipaku_imagegen.cutout.islands import labelled, without_islands
from kuchipaku_imagegen.cutout.refine import box_mean, refined, resized
from kuchipaku_imagegen.cutout.rembgmodel import NAMES, closed_form_alpha

from .user_pictures import character, gradient, overlap, placed


def _disc(size: int = 400) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(x - size / 2, y - size / 2)
    return np.asarray(np.clip(size / 4 - distance + 0.5, 0, 1), np.float32)


def _over(alpha: np.ndarray, front: tuple[int, ...], back: tuple[int, ...]) -> np.ndarray:
    share = alpha[..., None]
    colour = np.array(front) * share + np.array(back) * (1 - share)
    return np.dstack([np.rint(colour), np.full(alpha.shape, 255)]).astype(np.uint8)


def test_a_coarse_mask_gets_the_edge_that_is_drawn() -> None:
    alpha = _disc()
    picture = _over(alpha, (220, 60, 50), (30, 50, 90))
    coarse = resized(alpha, (64, 64))
    cut = refined(picture, coarse)
    error = np.abs(cut[..., 3] / 255 - alpha)
    plain = np.abs(resized(coarse, (400, 400)) - alpha)
    assert error.mean() < 0.5 * plain.mean()
    assert overlap(cut, np.dstack([picture[..., :3], (alpha * 255).astype(np.uint8)])) > 0.985
    # The background's blue does not shine through at the edge.
    rim = (cut[..., 3] > 90) & (cut[..., 3] < 250)
    assert np.median(cut[rim][:, 0]) > 190
    assert not cut[cut[..., 3] == 0].any()


def test_what_is_transparent_stays_so() -> None:
    picture = _over(_disc(), (220, 60, 50), (30, 50, 90))
    picture[:, :200, 3] = 0
    cut = refined(picture, np.ones((64, 64), np.float32))
    assert not cut[:, :200].any()
    assert (cut[50:350, 210:, 3] == 255).all()


@pytest.mark.parametrize("radius", [1, 5])
def test_box_mean_is_the_mean_over_windows(radius: int) -> None:
    plane = np.random.default_rng(0).random((23, 31)).astype(np.float32)
    result = box_mean(plane, radius)
    for row, column in ((0, 0), (11, 15), (22, 30), (3, 29)):
        window = plane[
            max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1
        ]
        assert result[row, column] == pytest.approx(window.mean(), abs=1e-5)


def test_the_starter_network_cuts_characters_out(matting: MattingModels) -> None:
    truth = character(900_001)
    picture = placed(truth, gradient(512, 512))
    cut = remove_background(picture, matting.get(""))
    assert overlap(cut.picture, truth) > 0.93
    assert cut.coverage == pytest.approx(float(np.mean(truth[..., 3] >= 128)), rel=0.1)


def test_the_default_needs_no_rembg(starter_models: Path) -> None:
    folder = str(starter_models / "matting")
    code = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from kuchipaku_imagegen.cutout import open_matting_models, remove_background;"
        f"models = open_matting_models(Path({folder!r}), rembg_folder=None);"
        "remove_background(np.full((80, 80, 4), 200, np.uint8), models.get(''));"
        "assert not {'rembg', 'numba', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)


def test_without_models_nothing_is_removed(tmp_path: Path) -> None:
    models = open_matting_models(tmp_path, rembg_folder=None)
    assert list(models) == []
    with pytest.raises(UnimplementedError) as caught:
        models.get("")
    assert caught.value.reason == "NO_MATTING_MODEL"


def test_rembg_models_are_those_whose_files_are_there(tmp_path: Path, starter_models: Path) -> None:
    (tmp_path / "isnet-anime.onnx").write_bytes(b"")
    (tmp_path / "other.onnx").write_bytes(b"")
    folder = starter_models / "matting"
    assert list(open_matting_models(folder, rembg_folder=tmp_path)) == ["starter", "isnet-anime"]
    models = open_matting_models(folder, rembg_folder=tmp_path, default="isnet-anime")
    assert list(models) == ["isnet-anime", "starter"]
    everything = open_matting_models(folder, rembg_folder=tmp_path, allow_downloads=True)
    assert list(everything) == ["starter", *NAMES]


def test_an_unknown_model_is_named(matting: MattingModels) -> None:
    with pytest.raises(NotFoundError) as caught:
        matting.resolve("u3net")
    assert caught.value.metadata["model"] == "u3net"
    assert "starter" in caught.value.message


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "matting.onnx").write_bytes(b"no network")
    models = open_matting_models(tmp_path, rembg_folder=None)
    with pytest.raises(FailedPreconditionError) as caught:
        models.get("")
    assert caught.value.reason == "MODEL_FILE_DAMAGED"


def test_rembg_loads_the_starter_network(
    tmp_path: Path, starter_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "rembg is not installed: kuchipaku-imagegen[rembg]"
    rembg = pytest.importorskip("rembg", reason=reason)
    from PIL import Image  # noqa: PLC0415

    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    path = tmp_path / "matting.onnx"
    path.write_bytes((starter_models / "matting/matting.onnx").read_bytes())
    truth = character(900_001)
    picture = Image.fromarray(placed(truth, gradient(512, 512))).convert("RGB")
    session = rembg.new_session("u2net_custom", model_path=str(path))
    cut = np.array(rembg.remove(picture, session=session))
    assert overlap(cut, truth) > 0.9


def test_pieces_of_a_mask_are_numbered() -> None:
    rows = ["##..#", "#..##", "..#.#", "###..", "#.#.#"]
    mask = np.array([[cell == "#" for cell in row] for row in rows])
    labels = labelled(mask)
    assert (labels > 0).tolist() == mask.tolist()
    assert labels.max() == 4
    assert labels[0, 1] == labels[1, 0]
    assert labels[2, 2] == labels[4, 0] == labels[4, 2]
    assert labels[2, 4] == labels[0, 4] != labels[4, 4]
    assert labelled(np.zeros((3, 4), bool)).max() == 0


def test_islands_are_cleared() -> None:
    mask = np.zeros((320, 320), np.float32)
    mask[40:300, 60:200] = 1.0
    mask[20:50, 260:290] = 1.0
    mask[150:310, 230:310] = 0.9
    assert without_islands(mask)[35, 275] == 0.0
    assert without_islands(mask)[200, 270] > 0.8
    near = without_islands(mask, Region(0.2, 0.2, 0.5, 0.4))
    assert near[200, 270] == 0.0
    np.testing.assert_array_equal(near[45:295, 65:195], mask[45:295, 65:195])
    empty = np.zeros((320, 320), np.float32)
    np.testing.assert_array_equal(without_islands(empty, Region(0, 0, 1, 1)), empty)


def test_closed_form_matting_needs_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library refuses masks without a sure figure or without a sure background."""
    seen: list[np.ndarray] = []

    class Library(types.ModuleType):
        @staticmethod
        def estimate_alpha_cf(picture: np.ndarray, trimap: np.ndarray) -> np.ndarray:
            seen.append(trimap)
            return np.full(trimap.shape, 0.25)

    monkeypatch.setitem(sys.modules, "pymatting", Library("pymatting"))
    picture = np.zeros((8, 8, 3), np.uint8)
    for level in (0.0, 0.5, 1.0):
        mask = np.full((8, 8), level, np.float32)
        np.testing.assert_allclose(closed_form_alpha(picture, mask), mask)
    assert not seen
    mask = np.tile(np.linspace(0, 1, 8, dtype=np.float32), (8, 1))
    assert (closed_form_alpha(picture, mask) == 0.25).all()
    assert seen[0][0].tolist() == [0.0, *[0.5] * 6, 1.0]
