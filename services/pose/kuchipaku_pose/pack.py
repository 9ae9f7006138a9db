"""Model packs on disk: a folder with ``manifest.json`` and the ONNX files that it names.

`load_pack` trusts nothing in the folder: unknown manifest keys, paths that leave it, other bytes
than the manifest's SHA-256 and graphs that do not match it are all refused, before a runtime sees
a graph. The schema of the manifest is in `kuchipaku_pose.manifest`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.manifest import CANVAS, Manifest, PoseInput, Stage
from kuchipaku_pose.onnxfile import (
    FLOAT32,
    GraphSignature,
    OnnxFormatError,
    TensorSpec,
    read_signature,
)

MANIFEST_NAME = "manifest.json"
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_STAGE_BYTES = (1 << 31) - 1  # protobuf's own limit for one message


class ModelPackError(FailedPreconditionError):
    """A model pack cannot be used; the message names the pack and what is wrong with it."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(
            f"Model pack {folder.name!r}: {problem}",
            reason="MODEL_PACK_INVALID",
            pack=folder.name,
        )

    def __reduce__(self) -> tuple[type[FailedPreconditionError], tuple[str]]:
        return FailedPreconditionError, (self.message,)


@dataclass(frozen=True)
class ModelPack:
    """A checked pack, its graphs in memory."""

    folder: Path
    manifest: Manifest
    graphs: dict[str, bytes]
    """ONNX bytes by stage name: the very bytes that were checked."""

    @property
    def name(self) -> str:
        """The name by which requests ask for this model."""
        return self.manifest.name

    @property
    def nbytes(self) -> int:
        """Size of all graphs in bytes."""
        return sum(map(len, self.graphs.values()))


def load_pack(folder: Path | str) -> ModelPack:
    """Read and check the pack in ``folder``.

    Raises:
        ModelPackError: the manifest is missing or wrong, a file is missing, lies outside the
            folder or has another checksum, keeps weights in external files, or its graph does not
            have the inputs and outputs that the manifest says.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    graphs = {stage.name: _read_graph(root, stage) for stage in manifest.stages}
    for stage in manifest.stages:
        _check_signature(root, manifest, stage, graphs[stage.name])
    return ModelPack(root, manifest, graphs)


def discover_packs(folders: Iterable[Path | str]) -> dict[str, Path]:
    """Return the pack folders found in ``folders`` by model name, in order of discovery.

    A folder counts if it is a pack itself; otherwise the packs right below it count, sorted by
    folder name. Only manifests are read.

    Raises:
        ModelPackError: a manifest is wrong, or two packs have the same name.
    """
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        for candidate in _candidates(folder):
            name = read_manifest(candidate).name
            if name in found and not found[name].samefile(candidate):
                raise ModelPackError(
                    candidate, f"another pack found earlier has the name {name!r} too"
                )
            found.setdefault(name, candidate)
    return found


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as the manifest writes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_in_place(made: Path, place: Path) -> None:
    """Move the folder ``made`` to ``place``; what is there is moved to ``former`` beside ``made``.

    Both lie in one file system. There is a whole pack in one of these places at any time, and
    where the move fails the former one is back in its own.

    Raises:
        OSError: it cannot be moved.
    """
    former = made.with_name("former")
    try:
        if os.path.lexists(place):
            place.rename(former)
        made.rename(place)
    except BaseException:
        if os.path.lexists(former) and not os.path.lexists(place):
            former.rename(place)
        raise


def _candidates(folder: Path) -> list[Path]:
    if (folder / MANIFEST_NAME).is_file():
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if (path / MANIFEST_NAME).is_file())


def read_manifest(root: Path) -> Manifest:
    """Read the manifest of the pack in ``root``; its files are not looked at.

    Raises:
        ModelPackError: it is missing or wrong.
    """
    path = root / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelPackError(root, f"{MANIFEST_NAME} cannot be read ({error.strerror}).") from error
    if len(text) > _MAX_MANIFEST_BYTES:
        raise ModelPackError(root, f"{MANIFEST_NAME} is larger than {_MAX_MANIFEST_BYTES} bytes.")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ModelPackError(root, f"{MANIFEST_NAME} is wrong: {_describe(error)}.") from error


def _describe(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False)[:5]:
        where = ".".join(str(part) for part in problem["loc"])
        message = re.sub("^Value error, ", "", problem["msg"])
        problems.append(f"{where}: {message}" if where else message)
    return "; ".join(problems)


def _read_graph(root: Path, stage: Stage) -> bytes:
    path = root / stage.file
    try:
        # A symbolic link could lead out of the folder although the name does not.
        inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or no name of a file
        raise ModelPackError(root, f"stage {stage.name}: {stage.file!r} names no file.") from error
    if not inside:
        raise ModelPackError(root, f"stage {stage.name}: {stage.file!r} lies outside the pack.")
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MAX_STAGE_BYTES else b""
    except OSError as error:
        raise ModelPackError(
            root, f"stage {stage.name}: {stage.file!r} cannot be read ({error.strerror})."
        ) from error
    if size > _MAX_STAGE_BYTES:
        raise ModelPackError(root, f"stage {stage.name}: {stage.file!r} is 2 GiB or larger.")
    if hashlib.sha256(data).hexdigest() != stage.sha256:
        raise ModelPackError(
            root, f"stage {stage.name}: {stage.file!r} does not have the manifest's SHA-256."
        )
    return data


def _check_signature(root: Path, manifest: Manifest, stage: Stage, data: bytes) -> None:
    try:
        signature = read_signature(data)
    except OnnxFormatError as error:
        raise ModelPackError(root, f"stage {stage.name}: {stage.file!r} is {error}.") from error
    problem = (
        _external_problem(signature)
        or _names_problem("inputs", set(stage.inputs), set(signature.inputs))
        or _names_problem("outputs", set(stage.outputs), set(signature.outputs))
        or _shape_problem(manifest, stage, signature)
    )
    if problem:
        raise ModelPackError(root, f"stage {stage.name}: {problem}.")


def _external_problem(signature: GraphSignature) -> str | None:
    if signature.external_locations:
        return (
            "keeps weights in another file "
            f"({signature.external_locations[0]!r}); save them inside the ONNX file"
        )
    return None


def _names_problem(what: str, declared: set[str], actual: set[str]) -> str | None:
    missing, unknown = sorted(actual - declared), sorted(declared - actual)
    if missing:
        return f"the graph's {what} {missing} are not in the manifest"
    if unknown:
        return f"the manifest's {what} {unknown} are not in the graph, which has {sorted(actual)}"
    return None


def _shape_problem(manifest: Manifest, stage: Stage, signature: GraphSignature) -> str | None:
    side = manifest.canvas.tensor_size
    picture = (4, side, side)
    for name, source in stage.inputs.items():
        expected: tuple[int, ...] | None = None
        if isinstance(source, PoseInput):
            expected = (source.pose[1] - source.pose[0],)
        elif source.tensor == CANVAS:
            expected = picture
        problem = _tensor_problem(f"input {name!r}", signature.inputs[name], expected)
        if problem:
            return problem
    for name, tensor in stage.outputs.items():
        expected = _output_shape(manifest, tensor)
        problem = _tensor_problem(f"output {name!r}", signature.outputs[name], expected)
        if problem:
            return problem
    return None


def _output_shape(manifest: Manifest, tensor: str) -> tuple[int, ...] | None:
    output, side = manifest.output, manifest.canvas.tensor_size
    if output.patch is not None and tensor == output.patch.tensor:
        return 4, output.patch.height, output.patch.width
    return (4, side, side) if tensor == output.tensor else None


def _tensor_problem(what: str, spec: TensorSpec, expected: tuple[int, ...] | None) -> str | None:
    if spec.element_type != FLOAT32:
        return f"{what} is not a float32 tensor"
    if not spec.shape or spec.shape[0] is not None:
        return f"{what} has no dynamic batch axis in front"
    if expected is None:
        return None
    fits = len(spec.shape) == len(expected) + 1 and all(
        size in (None, wanted) for size, wanted in zip(spec.shape[1:], expected, strict=True)
    )
    return None if fits else f"{what} has the shape {spec.shape}, expected (N, {expected})"
