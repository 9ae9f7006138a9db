"""Folders of drawn data: NumPy arrays, mapped into memory, and the spec that they were made by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from kuchipaku_contract.errors import FailedPreconditionError


class Spec(Protocol):
    """A dataclass of JSON types; two data sets of equal specs hold the same drawings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def arrays(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Return name -> (shape, dtype) of the arrays."""
        ...


SpecT = TypeVar("SpecT", bound=Spec)


def create(folder: Path, spec: Spec) -> None:
    """Make the arrays of `spec` in `folder`, or check that they are there already.

    Raises FailedPreconditionError if the folder holds a set of another spec or version.
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
        _check_arrays(folder, spec)
        return
    for name, (shape, dtype) in spec.arrays().items():
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.dtype(dtype), shape)
    description.write_text(json.dumps(wanted, indent=2), "utf-8")


def open_spec(folder: Path, kind: type[SpecT]) -> SpecT:
    """Return the spec of the set in `folder`, whose arrays are there.

    Raises FailedPreconditionError if there is no set, or if another version has made it.
    """
    description = folder / "spec.json"
    if not description.exists():
        raise FailedPreconditionError(
            f"no data set in {folder}; render one first", reason="DATA_MISSING", field="data"
        )
    try:
        spec = kind(**json.loads(description.read_text("utf-8")))
    except TypeError as error:
        raise _of_another_version(folder, description.name) from error
    _check_arrays(folder, spec)
    return spec


def _check_arrays(folder: Path, spec: Spec) -> None:
    for name, (shape, dtype) in spec.arrays().items():
        path = folder / f"{name}.npy"
        found = np.load(path, mmap_mode="r") if path.exists() else None
        if found is None or (found.shape, found.dtype) != (shape, np.dtype(dtype)):
            raise _of_another_version(folder, path.name)


def _of_another_version(folder: Path, file: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{folder} was drawn by another version ({file} is missing or of another form); give "
        "another folder or remove it",
        reason="DATA_SPEC_DIFFERS",
        field="data",
    )


def missing_count(folder: Path) -> int:
    """Return how many items of the set in `folder` are still to be drawn, by its `done.npy`."""
    return int(np.count_nonzero(~np.load(folder / "done.npy")))


def render(
    folder: Path,
    spec: SpecT,
    draw: Callable[[Path, SpecT, list[int]], list[int]],
    *,
    workers: int,
    at_once: int,
) -> Iterator[int]:
    """Draw what is missing of a data set, yielding how many items were just finished.

    ``draw`` is a module's top-level function, which runs in processes of its own: it draws some
    items into the arrays of the folder and returns them. Raises like `create`.
    """
    create(folder, spec)
    done = np.load(folder / "done.npy", mmap_mode="r+")
    missing = [int(index) for index in np.flatnonzero(~done)]
    # All kinds of items mixed, so that a training can start on a part of the set.
    np.random.default_rng(0).shuffle(missing)
    chunks = [missing[i : i + at_once] for i in range(0, len(missing), at_once)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(draw, folder, spec, chunk) for chunk in chunks]
        for job in as_completed(jobs):
            items = job.result()
            done[items] = True
            done.flush()
            yield len(items)
