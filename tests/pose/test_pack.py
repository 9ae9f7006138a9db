from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from kuchipaku_contract.errors import StatusCode
from kuchipaku_pose.onnxfile import OnnxFormatError, read_signature
from kuchipaku_pose.pack import (
    ModelPackError,
    discover_packs,
    load_pack,
    put_in_place,
    read_manifest,
)
from tests.pose.tinypack import (
    CANVAS_SHAPE,
    PARAMETERS,
    constant,
    graph_bytes,
    scale_graph,
    tiny_stages,
    value,
    write_pack,
)

PackMaker = Callable[..., Path]


def problem(folder: Path) -> str:
    with pytest.raises(ModelPackError) as caught:
        load_pack(folder)
    assert caught.value.code is StatusCode.FAILED_PRECONDITION
    assert caught.value.reason == "MODEL_PACK_INVALID"
    assert str(folder.parent) not in caught.value.message
    return caught.value.message


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return folder


def test_a_good_pack_loads_with_its_graphs(make_pack: PackMaker) -> None:
    pack = load_pack(make_pack())

    assert pack.name == "tiny"
    assert [stage.name for stage in pack.manifest.stages] == ["encode", "face", "head", "compose"]
    assert pack.nbytes == sum(len(stage[0]) for stage in tiny_stages().values())
    assert [p.name for p in pack.manifest.parameters] == PARAMETERS


def test_a_manifest_survives_writing_and_reading(make_pack: PackMaker) -> None:
    pack = load_pack(make_pack())
    text = pack.manifest.model_dump_json(indent=2)
    assert type(pack.manifest).model_validate_json(text) == pack.manifest


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m["stages"][0].update(note="x"), "stages.0.note"),
        (lambda m: m.update(format=2), "format"),
        (lambda m: m.pop("licence"), "licence"),
        (lambda m: m.update(name="Not A Name"), "name"),
        (lambda m: m["parameters"][1].update(minimum=2.0), "minimum must be below maximum"),
        (lambda m: m["parameters"][1].update(neutral=2.0), "neutral must lie between"),
        (lambda m: m["parameters"][1].update(name="p0"), "twice there: p0"),
        (lambda m: m["stages"][1].update(name="encode"), "twice there: encode"),
        (lambda m: m["stages"][1]["inputs"].update(pose={"pose": [0, 6]}), "up to 5"),
        (lambda m: m["stages"][1]["inputs"].update(pose={"pose": [2, 2]}), "start below stop"),
        (lambda m: m["stages"][1]["inputs"].update(x={"tensor": "frame"}), "no earlier stage"),
        (lambda m: m["stages"][1]["inputs"].update(x={"tensor": "a", "pose": [0, 1]}), "stages.1"),
        (lambda m: m["stages"][3]["outputs"].update(frame="half"), "written twice"),
        (lambda m: m["output"].update(tensor="nowhere"), "no stage writes"),
        (lambda m: m["output"].update(tensor="canvas"), "no stage writes"),
        (lambda m: m["canvas"].update(convention="hsv"), "canvas.convention"),
        (lambda m: m["canvas"].update(size=100000), "canvas.size"),
        (lambda m: m["stages"].clear(), "stages"),
        (lambda m: m["stages"][0].update(file="a\x00b"), "stages.0.file"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place(
    make_pack: PackMaker, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    assert expected in problem(edit(make_pack(), change))


def test_a_manifest_that_is_no_json_or_not_there_is_refused(make_pack: PackMaker) -> None:
    folder = make_pack()
    (folder / "manifest.json").write_bytes(b"\xff{")
    assert "wrong" in problem(folder)
    (folder / "manifest.json").write_bytes(b" " * (1 << 20) + b"{}")
    assert "larger than" in problem(folder)
    (folder / "manifest.json").unlink()
    assert "cannot be read" in problem(folder)


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/hostname", "a/../../outside.onnx"])
def test_a_path_out_of_the_pack_is_refused(make_pack: PackMaker, path: str) -> None:
    folder = make_pack()
    (folder.parent / "outside.onnx").write_bytes(scale_graph())
    edit(folder, lambda m: m["stages"][0].update(file=path))
    assert "outside the pack" in problem(folder)


def test_a_link_out_of_the_pack_is_refused(make_pack: PackMaker) -> None:
    folder = make_pack()
    outside = folder.parent / "outside.onnx"
    (folder / "encode.onnx").rename(outside)
    (folder / "encode.onnx").symlink_to(outside)
    assert "outside the pack" in problem(folder)


def test_a_loop_of_links_is_refused(make_pack: PackMaker) -> None:
    folder = make_pack()
    (folder / "encode.onnx").unlink()
    (folder / "encode.onnx").symlink_to("encode.onnx")
    assert "'encode.onnx'" in problem(folder)


def test_other_bytes_than_the_manifest_says_are_refused(make_pack: PackMaker) -> None:
    folder = make_pack()
    (folder / "face.onnx").write_bytes((folder / "face.onnx").read_bytes() + b"\0")
    assert "SHA-256" in problem(folder)
    (folder / "face.onnx").unlink()
    assert "cannot be read" in problem(folder)


def with_first_stage(folder: Path, data: bytes) -> Path:
    return write_pack(
        folder,
        tiny_stages() | {"encode": (data, {"image": {"tensor": "canvas"}}, {"half": "half"})},
    )


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(scale_graph())
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location="../../etc/passwd")
    tensor.ClearField("raw_data")
    message = problem(with_first_stage(tmp_path / "p", model.SerializeToString()))
    assert "another file" in message
    assert "../../etc/passwd" in message


def test_weights_in_other_files_are_found_inside_branches(tmp_path: Path) -> None:
    tensor = constant("w", np.ones(4, np.float32))
    onnx.external_data_helper.set_external_data(tensor, location="hidden.bin")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=tensor)], "b", [], [value("c", [4])]
    )
    node = helper.make_node("If", ["flag"], ["half"], then_branch=branch, else_branch=branch)
    data = graph_bytes([node], [value("image", CANVAS_SHAPE)], [value("half", CANVAS_SHAPE)], [])
    assert "hidden.bin" in problem(with_first_stage(tmp_path / "p", data))


def one_node(shape_in: list[Any], shape_out: list[Any], kind: int = 1) -> bytes:
    return graph_bytes(
        [helper.make_node("Identity", ["image"], ["half"])],
        [helper.make_tensor_value_info("image", kind, shape_in)],
        [helper.make_tensor_value_info("half", kind, shape_out)],
        [],
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not an ONNX model"),
        (b"\x80\x04pickle", "not an ONNX model"),
        (one_node(CANVAS_SHAPE, CANVAS_SHAPE, kind=10), "not a float32 tensor"),
        (one_node([1, *CANVAS_SHAPE[1:]], CANVAS_SHAPE), "no dynamic batch axis"),
        (one_node(["n", 4, 64, 64], CANVAS_SHAPE), "expected"),
        (one_node(["n", 4], CANVAS_SHAPE), "expected"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    assert expected in problem(with_first_stage(tmp_path / "p", data))


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ({}, {"half": "half"}, "stages.0.inputs"),
        ({"picture": {"tensor": "canvas"}}, {"half": "half"}, "['image'] are not in the manifest"),
        (
            {"image": {"tensor": "canvas"}, "pose": {"pose": [0, 1]}},
            {"half": "half"},
            "['pose'] are not in the graph",
        ),
        ({"image": {"tensor": "canvas"}}, {"whole": "half"}, "outputs ['half']"),
    ],
)
def test_names_must_match_the_graph(
    tmp_path: Path, inputs: dict[str, Any], outputs: dict[str, str], expected: str
) -> None:
    stages = tiny_stages() | {"encode": (scale_graph(), inputs, outputs)}
    assert expected in problem(write_pack(tmp_path / "p", stages))


@pytest.mark.parametrize("linked", [False, True])
def test_a_pack_takes_the_place_of_another(tmp_path: Path, linked: bool) -> None:
    made, place = tmp_path / "work" / "pack", tmp_path / "place"
    write_pack(made, name="new")
    write_pack(tmp_path / "old" if linked else place, name="old")
    if linked:
        place.symlink_to(tmp_path / "old")
    put_in_place(made, place)
    assert read_manifest(place).name == "new"
    assert read_manifest(tmp_path / "work" / "former").name == "old"


def test_a_pack_that_cannot_be_replaced_stays_where_it_is(tmp_path: Path) -> None:
    place = write_pack(tmp_path / "place", name="old")
    (tmp_path / "work").mkdir()
    with pytest.raises(OSError, match="pack"):
        put_in_place(tmp_path / "work" / "pack", place)
    assert read_manifest(place).name == "old"
    assert list((tmp_path / "work").iterdir()) == []


def test_the_content_of_a_pack_decides_its_digest(make_pack: PackMaker) -> None:
    weights = {"face": "a" * 64, "body": "b" * 64}
    manifest = read_manifest(edit(make_pack(), lambda m: m.update(sources=weights)))

    def digest(**changes: Any) -> str:
        return manifest.model_copy(update=changes).content_digest

    stage = manifest.stages[0].model_copy(update={"sha256": "c" * 64})
    others = {
        digest(sources={"face": "a" * 64, "body": "c" * 64}),
        digest(sources={"face": "c" * 64, "body": "b" * 64}),
        digest(stages=(stage, *manifest.stages[1:])),
        digest(mouth_map={}),
        digest(),
    }
    assert len(others) == 5
    assert digest(name="other", version="2", attribution="someone") == digest()


def test_packs_are_found_in_folders_and_as_folders(tmp_path: Path) -> None:
    write_pack(tmp_path / "many" / "b", name="second")
    write_pack(tmp_path / "many" / "a", name="first")
    (tmp_path / "many" / "notes").mkdir()
    write_pack(tmp_path / "single", name="third")

    found = discover_packs([tmp_path / "many", tmp_path / "single", tmp_path / "absent"])

    assert list(found) == ["first", "second", "third"]
    assert found["third"] == tmp_path / "single"
    assert list(discover_packs([tmp_path / "many", tmp_path / "many" / "a"])) == ["first", "second"]


def test_two_packs_of_one_name_are_refused(tmp_path: Path) -> None:
    write_pack(tmp_path / "a")
    write_pack(tmp_path / "b")
    with pytest.raises(ModelPackError, match="another pack"):
        discover_packs([tmp_path])


@given(data=st.binary(max_size=300), cut=st.integers(0, 200), at=st.integers(0, 200))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_reading_a_damaged_graph_gives_a_signature_or_the_one_error(
    data: bytes, cut: int, at: int
) -> None:
    good = scale_graph()
    for damaged in (data, good[: max(0, len(good) - cut)], good[:at] + data + good[at:]):
        try:
            read_signature(damaged)
        except OnnxFormatError:
            continue
