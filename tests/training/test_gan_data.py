"""Faces for GANs: drawing, cropping, the code of patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.illustrator import Character, random_attributes
from kuchipaku_media.picture import decode_picture
from kuchipaku_training.gan.codec import Codec, fit_codec
from kuchipaku_training.gan.draw import draw_faces
from kuchipaku_training.gan.pictures import Cropper, Cropping, open_faces, prepare, tiled
from tests.training.gan_weights import face, write_faces

_HEADS = Path("models/starter/headbox")
_FIRST_SEED = 500_000


def test_pictures_become_faces_and_the_others_are_named(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", 60)
    (faces / "broken.png").write_bytes(b"no picture")
    (faces / "notes.txt").write_text("not looked at")
    told = {one.file: one.problem for one in prepare(faces, tmp_path / "data", Cropping())}
    assert len(told) == 61
    assert [file for file, problem in told.items() if problem] == ["broken.png"]
    found = open_faces(tmp_path / "data")
    assert found.train.shape == (54, 128, 128, 3)
    assert found.held.shape == (6, 128, 128, 3)
    np.testing.assert_array_equal(found.train[0], face(0))
    np.testing.assert_array_equal(found.held[0], face(18))


def test_too_few_faces_are_refused(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", 3)
    with pytest.raises(FailedPreconditionError) as caught:
        list(prepare(faces, tmp_path / "data", Cropping()))
    assert (caught.value.reason, caught.value.field) == ("TOO_FEW_FACES", "faces")
    with pytest.raises(FailedPreconditionError) as missing:
        open_faces(tmp_path / "data")
    assert missing.value.reason == "DATA_MISSING"


def test_transparent_pictures_are_cropped_to_what_is_opaque() -> None:
    picture = np.zeros((300, 400, 4), np.uint8)
    picture[50:150, 200:300] = (200, 20, 20, 255)
    cut = Cropper(Cropping(crop="auto", backdrop=(0, 0, 255))).face(picture)
    assert cut is not None
    assert cut.shape == (128, 128, 3)
    assert np.abs(cut[8:-8, 8:-8].astype(int) - (200, 20, 20)).max() <= 2
    assert Cropper(Cropping(crop="alpha")).face(np.zeros((80, 80, 4), np.uint8)) is None


def test_a_half_transparent_picture_shows_its_backdrop() -> None:
    picture = np.zeros((128, 128, 4), np.uint8)
    picture[...] = (0, 0, 0, 51)
    cut = Cropper(Cropping(backdrop=(255, 100, 0))).face(picture)
    assert cut is not None
    assert np.abs(cut.astype(int) - (204, 80, 0)).max() <= 1


def test_the_detector_frames_the_head() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: the detector needs it")
    character = Character(random_attributes(_FIRST_SEED))
    whole = np.full((512, 512, 4), 255, np.uint8)
    drawn = character.render()
    alpha = drawn[..., 3:] / 255.0
    whole[..., :3] = np.rint(drawn[..., :3] * alpha + 255 * (1 - alpha))
    cut = Cropper(Cropping(crop="heads", view=1.45, detector=str(_HEADS))).face(whole)
    assert cut is not None
    # The head box of the canvas is 64..192 high around x = 256: the window is 185 pixels wide.
    expected = Image.fromarray(whole[35:220, 164:349, :3]).resize((128, 128))
    difference = np.abs(cut.astype(int) - np.asarray(expected).astype(int)).mean()
    elsewhere = np.abs(np.roll(cut, 24, 0).astype(int) - np.asarray(expected).astype(int)).mean()
    assert difference < 0.6 * elsewhere


def test_a_detector_that_is_not_there(tmp_path: Path) -> None:
    cropper = Cropper(Cropping(crop="heads", detector=str(tmp_path)))
    with pytest.raises(FailedPreconditionError) as caught:
        cropper.face(np.full((200, 200, 4), 255, np.uint8))
    assert (caught.value.reason, caught.value.field) == ("DETECTOR_MISSING", "detector")


@pytest.mark.parametrize(
    ("values", "field"), [({"crop": "round"}, "crop"), ({"view": 0.1}, "view")]
)
def test_croppings_that_do_not_exist(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Cropping(**values)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_drawn_faces_are_the_same_in_every_run(tmp_path: Path) -> None:
    assert list(draw_faces(tmp_path, 2, 1, _FIRST_SEED)) == [0, 2]
    files = sorted(tmp_path.iterdir())
    before = [file.read_bytes() for file in files]
    assert [decode_picture(one).shape for one in before] == [(128, 128, 4)] * 2
    files[0].unlink()
    assert list(draw_faces(tmp_path, 2, 1, _FIRST_SEED)) == [0, 2]
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == before
    assert list(draw_faces(tmp_path, 2, 1, _FIRST_SEED)) == [2]
    with pytest.raises(InvalidArgumentError):
        list(draw_faces(tmp_path, 0, 1, _FIRST_SEED))


def test_the_code_keeps_what_faces_look_like(tmp_path: Path) -> None:
    faces = np.stack([face(seed) for seed in range(40)])
    codec = fit_codec(faces)
    codec.save(tmp_path / "codec.npz")
    codec = Codec.load(tmp_path / "codec.npz")
    pictures = faces[:4].astype(np.float32) / 127.5 - 1.0
    codes = codec.encode(pictures)
    assert codes.shape == (4, 16, 16, 24)
    error = codec.decode(codes) - pictures
    assert float((error**2).mean()) < 0.05 * float(pictures.var())
    # The largest component counts most, and fine ones for more than in a plain picture.
    spread = codec.encode(faces.astype(np.float32) / 127.5 - 1.0).std((0, 1, 2))
    plain = spread * np.linalg.norm(codec.decoding, axis=1)
    assert spread[0] == spread.max()
    assert plain[-1] / plain[0] < spread[-1] / spread[0] < 1.0


def test_sheets_are_filled_row_by_row() -> None:
    pictures = np.stack([np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = tiled(pictures, 2)
    assert sheet.shape == (4, 6, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((0, 0), (0, 3), (2, 0), (2, 3))] == [10, 20, 30, 255]
