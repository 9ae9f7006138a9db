"""Weight files that are missing, damaged, hostile or of another network."""

from __future__ import annotations

import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kuchipaku_contract.errors import InvalidArgumentError

torch = pytest.importorskip("torch")

from kuchipaku_pose.tha.catalogue import Family, Variant  # noqa: E402
from kuchipaku_pose.tha.networks import build_networks  # noqa: E402
from kuchipaku_pose.tha.weights import WeightsError, load_networks, read_tensors  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, network in build_networks(Family.THA4_STUDENT).items():
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    return tmp_path


def refusal(folder: Path, family: Family = Family.THA4_STUDENT) -> InvalidArgumentError:
    with pytest.raises(InvalidArgumentError) as caught:
        load_networks(family, None, folder)
    assert caught.value.field == "weights"
    return caught.value


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    state = torch.load(folder / "face_morpher.pt", weights_only=True)
    edit(state)
    torch.save(state, folder / "face_morpher.pt")


def test_good_files_load_with_their_values(folder: Path) -> None:
    networks = load_networks(Family.THA4_STUDENT, None, folder)
    saved = torch.load(folder / "body_morpher.pt", weights_only=True)
    assert list(networks) == ["face_morpher", "body_morpher"]
    for key, value in networks["body_morpher"].state_dict().items():
        assert torch.equal(value, saved[key])


def test_half_precision_becomes_float(folder: Path) -> None:
    change(folder, lambda state: state.update({k: v.half() for k, v in state.items()}))
    networks = load_networks(Family.THA4_STUDENT, None, folder)
    assert {p.dtype for p in networks["face_morpher"].parameters()} == {torch.float32}


def test_every_missing_file_is_named(folder: Path) -> None:
    (folder / "face_morpher.pt").unlink()
    error = refusal(folder)
    assert error.reason == "WEIGHTS_MISSING"
    assert error.message.endswith("missing: face_morpher.pt.")
    assert "eyebrow_decomposer.pt" in refusal(folder, Family.THA2).message


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_does_not_run(folder: Path, legacy: bool) -> None:
    target = folder / "owned"
    state = {"siren.last_linear.bias": Payload(target)}
    torch.save(state, folder / "face_morpher.pt", _use_new_zipfile_serialization=not legacy)
    error = refusal(folder)
    assert error.reason == "WEIGHTS_UNSAFE"
    assert "face_morpher.pt" in error.message
    assert not target.exists()


def test_a_plain_pickle_does_not_run(folder: Path) -> None:
    target = folder / "owned"
    (folder / "face_morpher.pt").write_bytes(pickle.dumps(Payload(target)))
    assert refusal(folder).reason in {"WEIGHTS_UNSAFE", "WEIGHTS_INVALID"}
    assert not target.exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -1000, -30])
def test_a_truncated_file_is_refused(folder: Path, keep: int) -> None:
    path = folder / "face_morpher.pt"
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(folder).reason in {"WEIGHTS_INVALID", "WEIGHTS_UNSAFE"}


@pytest.mark.parametrize("legacy", [False, True])
def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "x.pt"
    state = {f"layer.{i}": torch.randn(7, 5) for i in range(6)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    good, refused = path.read_bytes(), 0
    rng = random.Random(1)
    for step in range(300):
        damaged = bytearray(good)
        if step % 3:
            for _ in range(rng.randrange(1, 6)):
                damaged[rng.randrange(min(len(damaged), 900))] = rng.randrange(256)
        else:
            del damaged[rng.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            assert read_tensors(path).keys()
        except WeightsError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "change_of",
    [
        pytest.param(lambda w: w.to_sparse(), id="sparse"),
        pytest.param(lambda w: w.to("meta"), id="meta"),
        pytest.param(lambda w: torch.full_like(w, 1e300, dtype=torch.float64), id="too large"),
    ],
)
def test_tensors_without_numbers_for_a_network_are_refused(
    folder: Path, change_of: Callable[[Any], Any]
) -> None:
    key = "siren.last_linear.bias"
    change(folder, lambda state: state.update({key: change_of(state[key])}))
    error = refusal(folder)
    assert error.reason == "WEIGHTS_INVALID"
    assert key in error.message


@pytest.mark.parametrize("content", [b"", b"not a file of torch", b"PK\x03\x04rubbish" * 50])
def test_other_files_are_refused(folder: Path, content: bytes) -> None:
    (folder / "face_morpher.pt").write_bytes(content)
    assert refusal(folder).reason in {"WEIGHTS_INVALID", "WEIGHTS_UNSAFE"}


def test_a_zip_without_tensors_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "face_morpher.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(folder).reason == "WEIGHTS_INVALID"


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {1: "x"}, "text", None])
def test_something_other_than_named_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InvalidArgumentError, match="not a state dict"):
        read_tensors(tmp_path / "x.pt")


def test_missing_and_unexpected_keys_are_named(folder: Path) -> None:
    def edit(state: dict[str, Any]) -> None:
        state["extra.weight"] = state.pop("siren.last_linear.bias")

    change(folder, edit)
    error = refusal(folder)
    assert error.reason == "WEIGHTS_KEYS"
    assert "lacks siren.last_linear.bias" in error.message
    assert "unexpected extra.weight" in error.message


def test_the_other_variant_is_named_by_its_keys(tmp_path: Path) -> None:
    for name, network in build_networks(Family.THA3, Variant.SEPARABLE_FLOAT).items():
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    with pytest.raises(InvalidArgumentError) as caught:
        load_networks(Family.THA3, Variant.STANDARD_FLOAT, tmp_path)
    assert caught.value.reason == "WEIGHTS_KEYS"
    assert "eyebrow_decomposer.pt" in caught.value.message
    assert " more" in caught.value.message


def test_a_wrong_shape_is_named_with_both_shapes(folder: Path) -> None:
    change(folder, lambda s: s.update({"siren.last_linear.bias": torch.zeros(5)}))
    error = refusal(folder)
    assert error.reason == "WEIGHTS_SHAPE"
    assert "siren.last_linear.bias has the shape (5,), expected (4,)" in error.message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    change(folder, lambda s: s["siren.last_linear.bias"].__setitem__(1, value))
    assert "not finite" in refusal(folder).message


def test_integers_are_no_weights(folder: Path) -> None:
    change(
        folder, lambda s: s.update({"siren.last_linear.bias": torch.zeros(4, dtype=torch.int64)})
    )
    assert refusal(folder).reason == "WEIGHTS_INVALID"
