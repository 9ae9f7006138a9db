"""Folders of drawn data: NumPy arrays, mapped into memory, and the spec that they were made by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from kuchipaku_contract.errors import FailedPreconditionError


class Spec(Protocol):
    """A dataclass of JSON types; two data sets of equal specs hold the same drawings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def arrays(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Return name -> (shape, dtype) of the arrays."""
        ...


def create(folder: Path, spec: Spec) -> None:
    """Make the arrays of `spec` in `folder`, or check that they are there already.

    Raises FailedPreconditionError if the folder holds a set of another spec.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "spec.json"
    wanted = asdict(spec)
    if description.exists():
        found = json.loads(description.read_text("utf-8"))
        if found != wanted:
            raise FailedPreconditionError(
                f"{folder} holds another data set ({found}); give another folder or remove it",
                reason="DATA_SPEC_DIFFERS",
                field="data",
            )
        return
    for name, (shape, dtype) in spec.arrays().items():
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.dtype(dtype), shape)
    description.write_text(json.dumps(wanted, indent=2), "utf-8")
