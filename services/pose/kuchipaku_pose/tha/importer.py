"""Official weights in, a model pack out."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
)
from kuchipaku_media.picture import decode_picture
from kuchipaku_pose.conventions import picture_to_tensor
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions
from kuchipaku_pose.engine.selftest import probe_picture, probe_poses
from kuchipaku_pose.manifest import (
    NAME_PATTERN,
    Manifest,
    OutputSpec,
    PoseInput,
    Stage,
    TensorInput,
    Verification,
)
from kuchipaku_pose.pack import MANIFEST_NAME, file_sha256, load_pack, put_in_place
from kuchipaku_pose.posespace import PoseSpace
from kuchipaku_pose.tha.catalogue import FAMILIES, Family, Variant
from kuchipaku_pose.tha.chains import final_picture, run_chain
from kuchipaku_pose.tha.export import POSE_INPUT, export_stages
from kuchipaku_pose.tha.reach import Reach
from kuchipaku_pose.tha.stages import FRAME, StageDraft, build_stages, run_stages, student_stages
from kuchipaku_pose.tha.stillhead import measure, still_head_stages
from kuchipaku_pose.tha.weights import load_networks

MAX_ERROR = 1e-2
"""Largest difference to torch that an export may have, where the range is -1 to 1."""
MEAN_ERROR = 1e-4
REACH_POSES = 16
"""Random poses that show what a student's character can reach."""
CHARACTER_PICTURE = "character.png"
"""A student's character, beside its weights."""

__all__ = ["Family", "ImportRequest", "Variant", "import_pack"]

Tensor = NDArray[np.float32]
Tell = Callable[[str, float], object]
"""Told what is being done, and how much of all is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import."""

    family: Family
    weights: Path
    output: Path
    variant: Variant | None = None
    name: str | None = None
    """Name of the model; None: of the family and variant, or the output folder of a student."""
    replace: bool = False
    """Whether a pack in the output's place may be replaced."""
    still_head: bool = False
    """Version 3: whether the head's turn is computed apart from the face."""


def import_pack(request: ImportRequest, tell: Tell) -> Manifest:
    """Read official weights, export and verify the stages, and put the pack in its place.

    The pack appears whole or not at all.

    Raises:
        InvalidArgumentError: the weights are missing, damaged, unsafe or of another family, or
            the request is contradictory, or its name cannot be a model's (NAME_INVALID).
        AlreadyExistsError: the output exists, or has come to exist meanwhile.
        FailedPreconditionError: EXPORT_INEXACT, the export differs from torch.
    """
    _check(request)
    tell("reading weights", 0.0)
    networks = load_networks(request.family, request.variant, request.weights)
    character = _character(request)
    request.output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=request.output.parent, prefix=".import-") as temporary,
        torch.no_grad(),
    ):
        folder = Path(temporary) / "pack"
        folder.mkdir()
        manifest = _write(request, networks, character, folder, tell)
        # The work has taken minutes.
        _check_place(request)
        put_in_place(folder, request.output)
    tell("done", 1.0)
    return manifest


def _check(request: ImportRequest) -> None:
    variants = FAMILIES[request.family].variants
    if (request.variant is None) == bool(variants):
        raise InvalidArgumentError(
            f"{request.family} comes in the variants {', '.join(variants)}; name one."
            if variants
            else f"{request.family} comes in no variants.",
            reason="VARIANT_INVALID",
            field="variant",
        )
    if request.still_head and request.family is not Family.THA3:
        raise InvalidArgumentError(
            f"Only {Family.THA3} turns the head apart from the face.",
            reason="STILL_HEAD_UNSUPPORTED",
            field="still_head",
        )
    name = _name(request)
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidArgumentError(
            f"{name!r} is no name for a model: 1 to 64 of a-z, 0-9, '_', '.' and '-', "
            "a letter or digit first. Choose another.",
            reason="NAME_INVALID",
            field="name",
        )
    _check_place(request)


def _check_place(request: ImportRequest) -> None:
    if not request.output.exists():
        return
    if not request.replace:
        raise AlreadyExistsError(
            f"{request.output} exists already.", reason="PACK_EXISTS", field="out"
        )
    if not (request.output / MANIFEST_NAME).is_file():
        raise InvalidArgumentError(
            f"{request.output} is no model pack and is not replaced.",
            reason="PACK_EXPECTED",
            field="out",
        )


def _character(request: ImportRequest) -> Tensor | None:
    path = request.weights / CHARACTER_PICTURE
    wanted = request.family is Family.THA4_STUDENT or request.still_head
    if not wanted or not path.is_file():
        return None
    canvas = FAMILIES[request.family].canvas
    picture = decode_picture(path.read_bytes(), field="weights")
    if picture.shape != (canvas.size, canvas.size, 4):
        raise InvalidArgumentError(
            f"{CHARACTER_PICTURE} must be {canvas.size}x{canvas.size} pixels RGBA.",
            reason="CHARACTER_WRONG_SIZE",
            field="weights",
        )
    return picture_to_tensor(picture, canvas.convention)


def _write(
    request: ImportRequest,
    networks: Mapping[str, nn.Module],
    character: Tensor | None,
    folder: Path,
    tell: Tell,
) -> Manifest:
    facts = FAMILIES[request.family]
    if request.still_head:
        stages = still_head_stages(networks)
    else:
        stages = build_stages(request.family, networks)
    if character is not None and request.family is Family.THA4_STUDENT:
        reach = find_reach(stages, character, len(facts.parameters), tell)
        stages = student_stages(networks, reach)
    side, count = facts.canvas.tensor_size, len(facts.parameters)
    tell(f"exporting {stages[0].name}", 0.3)
    for i, stage in enumerate(export_stages(stages, folder, side, count)):
        following = stages[i + 1].name if i + 1 < len(stages) else stage.name
        tell(f"exporting {following}", 0.3 + 0.4 * (i + 1) / len(stages))
    manifest = _manifest(request, stages, folder)
    _save(manifest, folder)
    tell("verifying", 0.75)
    own = stages if request.still_head else None
    verification = verify(folder, request.family, networks, character, own)
    manifest = manifest.model_copy(update={"verification": verification})
    _save(manifest, folder)
    return manifest


def _manifest(request: ImportRequest, stages: Sequence[StageDraft], folder: Path) -> Manifest:
    facts = FAMILIES[request.family]
    digests = {name: file_sha256(request.weights / f"{name}.pt") for name in facts.files}
    draft = Manifest(
        format=1,
        name=_name(request),
        version="draft",
        family=request.family.value,
        variant=request.variant.value if request.variant else None,
        licence=facts.licence,
        attribution=facts.attribution,
        canvas=facts.canvas,
        parameters=facts.parameters,
        mouth_map=facts.mouth_map.to_dict() if facts.mouth_map else None,
        output=OutputSpec(tensor=FRAME, convention=facts.canvas.convention),
        stages=tuple(_stage(stage, folder) for stage in stages),
        sources=digests,
    )
    return draft.model_copy(update={"version": draft.content_digest[:12]})


def _name(request: ImportRequest) -> str:
    if request.name:
        return request.name
    if request.family is Family.THA4_STUDENT:
        # A student is one character: the folder's name tells it from others.
        letters = unicodedata.normalize("NFKD", request.output.name.casefold())
        plain = letters.encode("ascii", "ignore").decode()
        return "".join(c if c.isalnum() else "-" for c in plain).strip("-")
    still = "still-head" if request.still_head else ""
    parts = [request.family.value, request.variant.value if request.variant else "", still]
    return "-".join(filter(None, parts)).replace("_", "-")


def _stage(stage: StageDraft, folder: Path) -> Stage:
    inputs: dict[str, TensorInput | PoseInput] = {
        name: TensorInput(tensor=name) for name in stage.reads
    }
    if stage.pose is not None:
        inputs[POSE_INPUT] = PoseInput(pose=(stage.pose.start, stage.pose.stop))
    file = f"{stage.name}.onnx"
    return Stage(
        name=stage.name,
        file=file,
        sha256=file_sha256(folder / file),
        inputs=inputs,
        outputs={name: name for name in stage.writes},
    )


def _save(manifest: Manifest, folder: Path) -> None:
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")


def find_reach(
    stages: Sequence[StageDraft], character: Tensor, pose_size: int, tell: Tell
) -> Reach:
    """Find what a student's character reaches of the canvas, by random poses and extreme ones."""
    space = PoseSpace(FAMILIES[Family.THA4_STUDENT].parameters)
    rng = np.random.default_rng(0)
    canvas = torch.from_numpy(character)[None]
    pictures = []
    for i in range(REACH_POSES):
        tell("finding the character's reach", 0.05 + 0.25 * i / REACH_POSES)
        weights = rng.random(pose_size, dtype=np.float32)
        if i % 2:
            weights = (weights > 0.5).astype(np.float32)
        pose = space.minimum + weights * (space.maximum - space.minimum)
        pose = space.neutral if i == 0 else pose
        frame = run_stages(stages, canvas, torch.from_numpy(pose)[None])[FRAME]
        pictures.append(frame[0].numpy())
    return Reach.seen(pictures)


def verify(
    folder: Path,
    family: Family,
    networks: Mapping[str, nn.Module],
    character: Tensor | None,
    stages: Sequence[StageDraft] | None = None,
) -> Verification:
    """Compare the pack in ``folder``, run by the engine, with torch.

    Args:
        folder: the pack.
        family: of the networks.
        networks: the author's, by name.
        character: a picture to do it with (4, S, S); None: a made-up one.
        stages: what the pack was made of, where that is not the author's chain; then the
            difference between the two is measured as well, on the ``character`` if there is one.

    Raises:
        FailedPreconditionError: EXPORT_INEXACT.
    """
    facts = FAMILIES[family]
    engine = Engine(
        load_pack(folder), EngineOptions(), EngineMemory.of_mib(characters=0, stages=0, frames=0)
    )
    canvas = character
    if canvas is None:
        canvas = picture_to_tensor(probe_picture(facts.canvas.tensor_size), facts.canvas.convention)
    prepared = engine.prepare_tensor(canvas)
    picture = torch.from_numpy(canvas)[None]

    def chain(pose: Tensor) -> Tensor:
        results = run_chain(family, networks, picture, torch.from_numpy(pose)[None])
        return np.asarray(final_picture(family, results)[0].numpy())

    def own(pose: Tensor) -> Tensor:
        frame = run_stages(stages or (), picture, torch.from_numpy(pose)[None])[FRAME]
        return np.asarray(frame[0].numpy())

    expect = chain if stages is None else own
    poses = probe_poses(engine.space)
    errors = [np.abs(engine.output(prepared, pose) - expect(pose)) for pose in poses]
    worst, mean = float(np.max(errors)), float(np.mean(errors))
    if not (worst <= MAX_ERROR and mean <= MEAN_ERROR):
        raise FailedPreconditionError(
            f"The export differs from torch by {worst:.3g} at most and {mean:.3g} on average.",
            reason="EXPORT_INEXACT",
        )
    near: tuple[float | None, float | None] = (None, None)
    if stages is not None and character is not None:
        render = partial(engine.output, prepared)
        near = measure(engine.space, chain, render, facts.canvas.convention)
    return Verification(
        against=f"torch {torch.__version__} float32",
        poses=len(poses),
        max_error=worst,
        mean_error=mean,
        face_psnr_db=near[0],
        frame_psnr_db=near[1],
    )
