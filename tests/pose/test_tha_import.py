"""From weight files to packs that the engine runs as the original code does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kuchipaku.cli.main import main
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.tha.catalogue import Family, Variant
from tests.pose.thadata import (
    CASES,
    Reference,
    data_folder,
    real_student,
    reference,
    save_weights,
    student_folder,
)

torch = pytest.importorskip("torch")

from kuchipaku_contract.errors import AlreadyExistsError, KuchipakuError  # noqa: E402
from kuchipaku_pose.tha.importer import ImportRequest, import_pack  # noqa: E402
from kuchipaku_pose.tha.networks import build_networks  # noqa: E402

REAL_LIMITS = (1e-3, 5e-6)
"""Largest and mean error of a real student's frame that the vectors recommend."""


def ignore(_step: str, _done: float) -> None:
    pass


def engine_of(pack: Path) -> Engine:
    memory = EngineMemory.of_mib(characters=64, stages=64, frames=16)
    return Engine(load_pack(pack), EngineOptions(), memory)


def assert_frames(pack: Path, ref: Reference, image: Any, poses: Any, *limits: Any) -> None:
    engine = engine_of(pack)
    character = engine.prepare_tensor(image)
    for i, pose in enumerate(poses):
        ref.assert_final(engine.output(character, pose), i, *limits)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student of the formula weights, imported by the command."""
    folder = tmp_path_factory.mktemp("student")
    weights = save_weights(reference("v4/student"), folder / "weights")
    arguments = ["--family", "tha4-student", "--weights", str(weights)]
    result = CliRunner().invoke(
        main, ["models", "import", *arguments, "--out", str(folder / "My Stüdent")]
    )
    assert result.exit_code == 0, result.output
    return folder / "My Stüdent"


@pytest.mark.timeout(300)
def test_the_imported_student_gives_the_original_frames(student: Path) -> None:
    ref = reference("v4/student")
    assert_frames(student, ref, ref.inputs["image"][0], ref.inputs["poses"])


@pytest.mark.timeout(300)
def test_stages_run_for_several_frames_at_once(student: Path) -> None:
    import onnxruntime  # noqa: PLC0415

    ref = reference("v4/student")
    session = onnxruntime.InferenceSession(student / "body.onnx")
    face = np.random.default_rng(0).random((2, 4, 128, 128), dtype=np.float32)
    canvas = np.concatenate([ref.inputs["image"], -ref.inputs["image"]])
    feeds = {"canvas": canvas, "face": face, "pose": ref.inputs["poses"][1:]}
    both = session.run(None, feeds)[0]
    second = session.run(None, {name: value[1:] for name, value in feeds.items()})[0]
    assert both.shape == (2, 4, 512, 512)
    assert np.abs(both[1:] - second).max() <= 1e-4


@pytest.mark.timeout(300)
def test_the_manifest_says_where_the_pack_comes_from(student: Path) -> None:
    manifest = load_pack(student).manifest
    assert (manifest.name, manifest.family) == ("my-student", "tha4-student")
    assert manifest.licence == "CC-BY-NC-4.0"
    assert manifest.content_digest.startswith(manifest.version)
    assert len(manifest.version) == 12
    assert "Pramook Khungurn" in manifest.attribution
    assert set(manifest.sources or {}) == {"face_morpher", "body_morpher"}
    assert manifest.verification is not None
    assert 0 < manifest.verification.mean_error <= manifest.verification.max_error < 1e-3
    assert [stage.name for stage in manifest.stages] == ["face", "body"]


@pytest.mark.timeout(300)
def test_list_show_and_verify_need_no_torch(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails now
    monkeypatch.setenv("KUCHIPAKU_POSE_MODELS", str(student.parent))
    run = CliRunner().invoke
    listed = run(main, ["models", "list", "--json"])
    assert [entry["name"] for entry in json.loads(listed.stdout)] == ["my-student"]
    assert "my-student" in run(main, ["models", "list"]).stdout
    shown = json.loads(run(main, ["models", "show", "my-student"]).stdout)
    assert shown["folder"] == str(student)
    assert shown["verification"]["poses"] == 2
    assert run(main, ["models", "verify", "my-student"]).exit_code == 0
    unknown = run(main, ["models", "verify", "nobody"])
    assert unknown.exit_code == 1
    assert "my-student" in unknown.stderr


@pytest.mark.timeout(300)
def test_verify_finds_a_changed_file(student: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in student.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    damaged = copy / "face.onnx"
    damaged.write_bytes(damaged.read_bytes() + b"\0")
    result = CliRunner().invoke(main, ["models", "verify", str(copy)])
    assert result.exit_code == 1
    assert "SHA-256" in result.stderr


def test_without_torch_the_import_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.split(".")[0] == "torch":
            monkeypatch.setitem(sys.modules, name, None)
        elif name.startswith("kuchipaku_pose.tha."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = CliRunner().invoke(
        main,
        ["models", "import", "--family", "tha1", "--weights", str(tmp_path), "--out", "unused"],
    )
    assert result.exit_code == 1
    assert "needs torch" in result.stderr
    assert "kuchipaku-pose[export]" in result.stderr


def make_weights(folder: Path) -> Path:
    folder.mkdir()
    for name, network in build_networks(Family.THA4_STUDENT).items():
        torch.save(network.state_dict(), folder / f"{name}.pt")
    return folder


@pytest.mark.parametrize(
    ("family", "variant", "expected"),
    [
        ("tha3", None, "standard_float, separable_float"),
        ("tha4-student", "standard_half", "comes in no variants"),
    ],
)
def test_variants_go_with_version_3(
    tmp_path: Path, family: str, variant: str | None, expected: str
) -> None:
    request = ImportRequest(
        Family(family), tmp_path, tmp_path / "out", Variant(variant) if variant else None
    )
    with pytest.raises(KuchipakuError, match=expected) as caught:
        import_pack(request, ignore)
    assert caught.value.reason == "VARIANT_INVALID"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("My Model", "pack"), ("-a", "pack"), ("a" * 65, "pack"), ("a\n", "pack"), (None, "初音")],
)
def test_a_name_that_no_model_can_have_is_refused_before_the_work(
    tmp_path: Path, name: str | None, folder: str
) -> None:
    # There are no weights, which would be found next.
    request = ImportRequest(Family.THA4_STUDENT, tmp_path, tmp_path / "out" / folder, name=name)
    with pytest.raises(KuchipakuError) as caught:
        import_pack(request, ignore)
    assert (caught.value.reason, caught.value.field) == ("NAME_INVALID", "name")
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced_unasked_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "weights")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "precious.txt").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        import_pack(ImportRequest(Family.THA4_STUDENT, weights, taken), ignore)
    with pytest.raises(KuchipakuError, match="no model pack"):
        import_pack(ImportRequest(Family.THA4_STUDENT, weights, taken, replace=True), ignore)
    assert (taken / "precious.txt").read_text() == "mine"

    def stop(step: str, _done: float) -> None:
        if step.startswith("exporting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_pack(ImportRequest(Family.THA4_STUDENT, weights, tmp_path / "new" / "pack"), stop)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_characters_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    weights = make_weights(tmp_path / "weights")
    Image.fromarray(np.zeros((256, 256, 4), np.uint8)).save(weights / "character.png")
    with pytest.raises(KuchipakuError, match="512x512"):
        import_pack(ImportRequest(Family.THA4_STUDENT, weights, tmp_path / "pack"), ignore)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", [case for case in CASES if case != "v4/student"])
def test_every_family_gives_the_original_frames_through_the_engine(
    case: str, tmp_path: Path
) -> None:
    ref = reference(case)
    weights = save_weights(ref, tmp_path / "weights")
    request = ImportRequest(ref.family, weights, tmp_path / "pack", ref.variant)
    import_pack(request, ignore)
    assert_frames(tmp_path / "pack", ref, ref.inputs["image"][0], ref.inputs["poses"])


def test_only_version_3_turns_the_head_apart(tmp_path: Path) -> None:
    arguments = ["--family", "tha4-student", "--weights", str(make_weights(tmp_path / "w"))]
    result = CliRunner().invoke(
        main, ["models", "import", *arguments, "--still-head", "--out", str(tmp_path / "pack")]
    )
    assert result.exit_code == 1
    assert "STILL_HEAD_UNSUPPORTED" in result.stderr
    assert not (tmp_path / "pack").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_with_the_head_apart_a_new_mouth_costs_no_turn(tmp_path: Path) -> None:
    from kuchipaku_imagegen import illustrator  # noqa: PLC0415
    from kuchipaku_media.picture import encode_png  # noqa: PLC0415
    from kuchipaku_pose.engine import FrameRequest  # noqa: PLC0415
    from kuchipaku_pose.view import make_view  # noqa: PLC0415

    picture = illustrator.render(illustrator.random_attributes(1), size=512)
    weights = save_weights(reference("v3/separable_float"), tmp_path / "weights")
    (weights / "character.png").write_bytes(encode_png(picture))
    arguments = ["--variant", "separable_float", "--weights", str(weights), "--still-head"]
    result = CliRunner().invoke(
        main, ["models", "import", "--family", "tha3", *arguments, "--out", str(tmp_path / "p")]
    )
    assert result.exit_code == 0, result.output
    assert "dB from the author's frames" in result.stderr
    engine = engine_of(tmp_path / "p")
    check = engine.pack.manifest.verification
    assert check is not None
    assert check.face_psnr_db is not None
    assert check.max_error < 1e-3
    assert engine.pack.name == "tha3-separable-float-still-head"
    character, view = engine.prepare("a", picture), make_view(512)
    for mouth in (0.0, 0.5, 1.0):
        pose = engine.space.neutral.copy()
        pose[engine.space.names.index("mouth_aaa")] = mouth
        engine.render([FrameRequest(character, pose, view)])
    stages = engine.statistics().stages
    assert {name: stages[name].runs for name in ("brows", "face", "turn", "show")} == {
        "brows": 1,
        "face": 3,
        "turn": 1,
        "show": 3,
    }


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["lambda_00", "lambda_01"])
def test_the_official_characters_give_the_original_frames_and_pictures(
    name: str, tmp_path: Path
) -> None:
    from kuchipaku_media.picture import decode_picture  # noqa: PLC0415
    from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture  # noqa: PLC0415

    ref, folder = real_student(name), student_folder(name)
    pack = tmp_path / name
    import_pack(ImportRequest(Family.THA4_STUDENT, folder, pack), ignore)
    engine = engine_of(pack)
    convention = engine.pack.manifest.canvas.convention
    image = picture_to_tensor(decode_picture((folder / "character.png").read_bytes()), convention)
    character = engine.prepare_tensor(image)
    for i, pose in enumerate(ref.arrays["poses"]):
        frame = engine.output(character, pose)
        ref.assert_final(frame, i, REAL_LIMITS)
        path = folder.parents[3] / "vectors" / "dev" / f"v4_student_{name}_pose{i}.png"
        expected = decode_picture(path.read_bytes()).astype(int)
        got = tensor_to_picture(frame, convention).astype(int)
        differences = np.abs(got - expected)
        visible = expected[..., 3] >= 1
        compared = np.concatenate(
            [differences[..., 3].ravel(), differences[visible][:, :3].ravel()]
        )
        assert compared.max() <= 1
        assert (compared == 0).mean() >= 0.998


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_official_editor_of_version_3_in_torch_and_onnxruntime(tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415

    from kuchipaku_imagegen import illustrator  # noqa: PLC0415
    from kuchipaku_pose.conventions import picture_to_tensor  # noqa: PLC0415
    from kuchipaku_pose.manifest import Convention  # noqa: PLC0415
    from kuchipaku_pose.tha.blocks import Style  # noqa: PLC0415
    from kuchipaku_pose.tha.bodies3 import Editor  # noqa: PLC0415
    from kuchipaku_pose.tha.export import write_stage  # noqa: PLC0415
    from kuchipaku_pose.tha.operators import resize  # noqa: PLC0415
    from kuchipaku_pose.tha.stages import Edit, StageDraft  # noqa: PLC0415
    from kuchipaku_pose.tha.weights import read_tensors  # noqa: PLC0415

    path = data_folder() / "data" / "tha" / "v3_separable_float" / "editor.pt"
    editor = Editor(Style.SEPARABLE).eval()
    editor.load_state_dict(read_tensors(path), strict=True)
    picture = illustrator.render(illustrator.random_attributes(1), size=512)
    full = torch.from_numpy(picture_to_tensor(picture, Convention.STRAIGHT_LINEAR))[None]
    inputs = {
        "full": full,
        "half": torch.nn.functional.avg_pool2d(full, 2),
        "offsets": torch.zeros(1, 2, 256, 256),
        "pose": torch.tensor([[0.3, -0.5, 0.2, 0.1, -0.4, 0.5]]),
    }
    stage = StageDraft(
        "edit", Edit({"editor": editor}), ("full", "half", "offsets"), ("frame",), slice(0, 6)
    )
    with torch.no_grad():
        arguments = [full, resize(inputs["half"], 512), torch.zeros(1, 2, 512, 512)]
        exact = editor.double()(*(t.double() for t in (*arguments, inputs["pose"])))[0].numpy()
        editor.float()
        write_stage(stage, inputs, tmp_path / "edit.onnx")
    # It has not seen the illustrator's style, and still leaves a picture that was not turned alone.
    assert -10 * np.log10(np.mean((exact - full.numpy()) ** 2) / 4) > 25
    session = onnxruntime.InferenceSession(tmp_path / "edit.onnx")
    frame = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    errors = np.abs(frame - exact)
    assert errors.max() <= 1e-4
    assert errors.mean() <= 5e-6
