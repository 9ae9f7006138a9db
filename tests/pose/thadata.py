"""Reference results of the original talking-head-anime code, from the folder of test data."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_pose.tha.catalogue import Family, Variant

Array = NDArray[np.float32]

CASES: Mapping[str, tuple[Family, Variant | None]] = {
    "v1": (Family.THA1, None),
    "v2": (Family.THA2, None),
    "v3/separable_float": (Family.THA3, Variant.SEPARABLE_FLOAT),
    "v3/standard_float": (Family.THA3, Variant.STANDARD_FLOAT),
    "v4/teacher": (Family.THA4, None),
    "v4/student": (Family.THA4_STUDENT, None),
}
ALONE, CHAIN = (1e-4, 5e-6), (5e-4, 1e-5)
"""Largest and mean error that the authors of the vectors recommend."""


def data_folder() -> Path:
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not root or not (Path(root) / "vectors" / "dev").is_dir():
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder with vectors/dev")
    return Path(root)


def student_folder(name: str) -> Path:
    folder = data_folder() / "data" / "tha" / "v4_student" / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


def assert_close(got: Array, expected: Array, limits: tuple[float, float], what: str) -> None:
    errors = np.abs(got - expected)
    assert errors.max() <= limits[0], f"{what}: largest error {errors.max():.2e}"
    assert errors.mean() <= limits[1], f"{what}: mean error {errors.mean():.2e}"


@dataclass(frozen=True)
class Reference:
    """One file of reference results."""

    case: str
    file: str

    @cached_property
    def arrays(self) -> Mapping[str, Array]:
        with np.load(data_folder() / "vectors" / "dev" / f"{self.file}.npz") as data:
            return dict(data)

    @cached_property
    def meta(self) -> dict[str, Any]:
        return dict(json.loads(str(self.arrays["meta"])))

    @property
    def family(self) -> Family:
        return CASES[self.case][0]

    @property
    def variant(self) -> Variant | None:
        return CASES[self.case][1]

    @cached_property
    def inputs(self) -> Mapping[str, Array]:
        return dict(formula().make_inputs(self.case, self.meta["seed"]))

    def arguments(self, network: str) -> list[Array]:
        spec = formula().NETWORKS[self.case][network]
        return [self.inputs[f"{network}/{item.split(':')[0]}"] for item in spec.split()]

    def keys_and_shapes(self, network: str) -> dict[str, tuple[int, ...]]:
        tensors = self.meta["state_dict"][network]["tensors"]
        return {key: tuple(shape) for key, shape in tensors}

    def weights(self, network: str) -> dict[str, Array]:
        seed = f"{self.meta['seed']}/{self.case}/{network}"
        return dict(formula().make_state_dict(self.keys_and_shapes(network), seed))

    def outputs(self, network: str | None = None) -> Iterator[tuple[str, int, str, str]]:
        """Network, index of the output, its key in the arrays, key of the sampled positions."""
        for out in self.meta["outputs"]:
            if network in (None, out["network"]):
                key = f"{out['network']}/{out['index']:02d}_{out['name']}"
                yield out["network"], out["index"], key, out["positions"]

    def final(self) -> tuple[str, str]:
        """Keys of the poser's result: in the arrays, and of the sampled positions."""
        out = next(out for out in self.meta["outputs"] if out["poser_index"] == 0)
        return f"{out['network']}/{out['index']:02d}_{out['name']}", out["positions"]

    def assert_final(self, frame: Array, pose: int, limits: tuple[float, float] = CHAIN) -> None:
        key, positions = self.final()
        sample = frame.reshape(-1)[self.arrays[positions]]
        assert_close(sample, self.arrays[f"chain/{key}"][pose], limits, f"pose {pose}")


def reference(case: str) -> Reference:
    data_folder()
    return Reference(case, case.replace("/", "_"))


def real_student(name: str) -> Reference:
    data_folder()
    return Reference("v4/student", f"v4_student_{name}")


_FORMULA: dict[Path, ModuleType] = {}


def formula() -> ModuleType:
    """The module that makes weights and inputs."""
    path = data_folder() / "vectors" / "weights.py"
    if path not in _FORMULA:
        spec = importlib.util.spec_from_file_location("tha_formula_weights", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _FORMULA[path] = module
    return _FORMULA[path]


def save_weights(ref: Reference, folder: Path) -> Path:
    """Write the formula weights as the author's files."""
    torch = pytest.importorskip("torch")
    folder.mkdir(parents=True, exist_ok=True)
    for network in ref.meta["state_dict"]:
        state = {key: torch.from_numpy(value) for key, value in ref.weights(network).items()}
        torch.save(state, folder / f"{network}.pt")
    return folder
