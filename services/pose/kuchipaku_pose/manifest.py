"""The manifest of a model pack: what a pose model is, as data.

A pose model is a list of stages. Each stage is one ONNX graph and says what it reads: the outputs
of earlier stages, the canvas, slices of the pose vector. The engine needs nothing else to know
what to keep per character, what to keep per pose and what to compute again.

``manifest.json``::

    {"format": 1, "name": "starter", "version": "1", "family": "starter",
     "licence": "Apache-2.0", "attribution": "...",
     "canvas": {"size": 512, "convention": "premultiplied_srgb"},
     "parameters": [{"name": "eyebrow_troubled_left",
                     "minimum": 0.0, "maximum": 1.0, "neutral": 0.0}, ...],
     "mouth_map": null,
     "output": {"tensor": "frame", "convention": "premultiplied_srgb"},
     "stages": [{"name": "face", "file": "face.onnx", "sha256": "<64 hex digits>",
                 "inputs": {"image": {"tensor": "canvas"}, "pose": {"pose": [0, 39]}},
                 "outputs": {"face": "face_rgba"}}, ...]}

Every tensor is float32 with the batch as its first, dynamic axis. The tensor ``canvas`` is
(N, 4, size, size), RGBA in the declared convention; a pose input is (N, stop - start); the output
tensor is (N, 4, size, size). A model that sees a part of the canvas alone says so by
``"window": {"left", "top", "size"}``, and its tensors have the size of the window.
"""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

CANVAS = "canvas"
"""Name of the tensor that holds the character's picture."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
_DECIDING = {"canvas", "parameters", "mouth_map", "output", "stages", "sources"}
"""Parts of a manifest that frames depend on, a stage's file by its SHA-256."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
TensorName = Annotated[str, Field(min_length=1, max_length=200)]


class Convention(StrEnum):
    """How pixel values stand in a tensor (see `kuchipaku_pose.conventions`)."""

    PREMULTIPLIED_SRGB = "premultiplied_srgb"
    """RGBA in [0, 1], sRGB-encoded colour multiplied by alpha. The starter's."""
    STRAIGHT_LINEAR = "straight_linear"
    """RGBA in [-1, 1], linear light, straight alpha; all four are -1 where alpha is 0.
    Talking-head-anime 2 and 3."""
    STRAIGHT_LINEAR_UNMASKED = "straight_linear_unmasked"
    """The same, with the colours under alpha 0 kept. Talking-head-anime 1."""
    PREMULTIPLIED_LINEAR = "premultiplied_linear"
    """RGBA in [-1, 1], linear light multiplied by alpha. Talking-head-anime 4."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CanvasWindow(_Part):
    """The square part of the canvas that a model sees; frames keep the canvas around it."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    size: int = Field(ge=16)

    @property
    def rows(self) -> slice:
        """Rows of the canvas."""
        return slice(self.top, self.top + self.size)

    @property
    def columns(self) -> slice:
        """Columns of the canvas."""
        return slice(self.left, self.left + self.size)


class CanvasSpec(_Part):
    """The picture that the stages take."""

    size: int = Field(ge=16, le=1024)
    """Side of the square canvas in pixels."""
    convention: Convention
    window: CanvasWindow | None = None
    """The part that the tensor ``canvas`` and the output hold; None: all of it."""

    @model_validator(mode="after")
    def _check_window(self) -> CanvasSpec:
        window = self.window
        if window and max(window.left, window.top) + window.size > self.size:
            raise ValueError("the window must lie within the canvas")
        return self

    @property
    def tensor_size(self) -> int:
        """Side of the tensor ``canvas`` and of the output in pixels."""
        return self.window.size if self.window else self.size


class Patch(_Part):
    """A tensor (N, 4, h, w) that takes the place of a part of the frame."""

    tensor: TensorName
    left: int = Field(ge=0)
    top: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)

    @property
    def rows(self) -> slice:
        """Rows of the frame."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Columns of the frame."""
        return slice(self.left, self.left + self.width)


class OutputSpec(_Part):
    """The tensor that is the rendered frame."""

    tensor: TensorName
    convention: Convention
    patch: Patch | None = None
    """What lies over ``tensor``; None: it is the whole frame. With a patch, ``tensor`` may serve
    more frames than one, and is then made a picture once."""

    @property
    def last(self) -> TensorName:
        """The tensor with which a frame is complete."""
        return self.patch.tensor if self.patch else self.tensor


class Parameter(_Part):
    """One number of the pose vector."""

    name: Name
    minimum: float
    maximum: float
    neutral: float
    moved_by: Name | None = None
    """The animated parameter that moves this one; None: the one of the same name, if any."""

    @model_validator(mode="after")
    def _check_range(self) -> Parameter:
        values = (self.minimum, self.neutral, self.maximum)
        if not all(map(math.isfinite, values)) or self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum, and both finite")
        if not self.minimum <= self.neutral <= self.maximum:
            raise ValueError("neutral must lie between minimum and maximum")
        return self


class TensorInput(_Part):
    """A stage input that reads the canvas or an output of an earlier stage."""

    tensor: TensorName


class PoseInput(_Part):
    """A stage input that reads the pose parameters ``start`` to ``stop - 1``."""

    pose: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]

    @field_validator("pose")
    @classmethod
    def _check_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] >= value[1]:
            raise ValueError("a pose slice is [start, stop] with start below stop")
        return value


class Stage(_Part):
    """One ONNX graph of the model."""

    name: Name
    file: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    """Path of the ONNX file relative to the pack's folder, inside it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    inputs: dict[TensorName, TensorInput | PoseInput] = Field(min_length=1)
    """What each input of the graph reads."""
    outputs: dict[TensorName, TensorName] = Field(min_length=1)
    """The model-wide name of each output of the graph."""


class Verification(_Part):
    """How far the stages are from the networks that they were made of; the range is -1 to 1."""

    against: Text
    """What the pack was compared with."""
    poses: int = Field(ge=1)
    max_error: float = Field(ge=0)
    mean_error: float = Field(ge=0)
    face_psnr_db: float | None = None
    """Of stages that are not the author's chain: how near their frames are, over the face."""
    frame_psnr_db: float | None = None
    """The same over the whole frame."""


class Manifest(_Part):
    """A whole manifest; construction checks that the stages fit together.

    ``Manifest.model_validate_json(text)`` reads one, ``manifest.model_dump_json(indent=2)``
    writes one.
    """

    format: Literal[1]
    name: Name
    version: Text
    family: Name
    variant: Name | None = None
    licence: Text
    attribution: Text
    canvas: CanvasSpec
    parameters: tuple[Parameter, ...] = Field(min_length=1, max_length=256)
    mouth_map: dict[str, Any] | None
    """A `kuchipaku_animation.mouthmap.MouthMap` as a dict; None for the default one."""
    output: OutputSpec
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=64)
    """In an order in which each stage reads only what stands before it."""
    sources: dict[Name, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] | None = None
    """SHA-256 of the weight files that the pack was made of, by network."""
    verification: Verification | None = None
    """What the importer measured."""

    @property
    def content_digest(self) -> str:
        """SHA-256 of all that frames depend on: a pack that renders otherwise has another one."""
        text = self.model_dump_json(include=_DECIDING)
        return hashlib.sha256(text.encode()).hexdigest()

    @model_validator(mode="after")
    def _check_graph(self) -> Manifest:
        _require_unique("parameter names", [p.name for p in self.parameters])
        _require_unique("stage names", [stage.name for stage in self.stages])
        known = {CANVAS}
        for stage in self.stages:
            self._check_inputs(stage, known)
            for tensor in stage.outputs.values():
                if tensor in known:
                    raise ValueError(f"stage {stage.name}: tensor {tensor!r} is written twice")
                known.add(tensor)
        if self.output.tensor not in known - {CANVAS}:
            raise ValueError(f"no stage writes the output tensor {self.output.tensor!r}")
        if self.output.patch is not None:
            self._check_patch(self.output.patch)
        return self

    def _check_patch(self, patch: Patch) -> None:
        side = self.canvas.tensor_size
        if patch.left + patch.width > side or patch.top + patch.height > side:
            raise ValueError("the patch must lie within the output")
        reads = [
            {source.tensor for source in stage.inputs.values() if isinstance(source, TensorInput)}
            for stage in self.stages
            if patch.tensor in stage.outputs.values()
        ]
        if not reads or self.output.tensor not in reads[0]:
            raise ValueError(
                f"the stage that writes the patch {patch.tensor!r} must read what lies under it, "
                f"{self.output.tensor!r}"
            )

    def _check_inputs(self, stage: Stage, known: set[str]) -> None:
        for name, source in stage.inputs.items():
            if isinstance(source, PoseInput):
                if source.pose[1] > len(self.parameters):
                    raise ValueError(
                        f"stage {stage.name}: input {name!r} reads pose parameters up to "
                        f"{source.pose[1] - 1}, and there are {len(self.parameters)}"
                    )
            elif source.tensor not in known:
                raise ValueError(
                    f"stage {stage.name}: input {name!r} reads {source.tensor!r}, "
                    "which no earlier stage writes"
                )


def _require_unique(what: str, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{what} must be unique; twice there: {', '.join(doubled)}")
