"""Rendering in this process, without a service: for the command line and for scripts.

Usage::

    renderer = OfflineRenderer(find_pack("starter"), provider="cpu")
    character = renderer.load_image(Path("character.png"))
    poses = read_poses(Path("poses.json"), renderer.space)
    for picture in renderer.pictures(character, poses.poses, renderer.view(character)):
        ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, TypeVar

import numpy as np
from pydantic import ValidationError

from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from kuchipaku_media.picture import canvas_hash, decode_picture
from kuchipaku_pose.conventions import Picture, Tensor
from kuchipaku_pose.engine import Character, Engine, FrameRequest
from kuchipaku_pose.pack import MANIFEST_NAME, discover_packs, load_pack
from kuchipaku_pose.posefile import load_array, read_poses
from kuchipaku_pose.posespace import Poses, PoseSpace
from kuchipaku_pose.providers import ProviderName, settled
from kuchipaku_pose.settings import PoseSettings, cpu_count
from kuchipaku_pose.view import View, make_view

__all__ = [
    "OfflineRenderer",
    "ParameterInfo",
    "Subject",
    "describe_parameters",
    "find_pack",
    "pose_settings",
    "read_poses",
]

T = TypeVar("T")

_FIELD = "image"
_OPAQUE = 255


class ParameterInfo(TypedDict):
    """One parameter of a model."""

    name: str
    minimum: float
    maximum: float
    neutral: float


@dataclass(frozen=True)
class Subject:
    """Who is rendered."""

    character: Character
    is_tensor: bool
    """Given as a tensor, so that frames are the network's output and nothing around it."""


def find_pack(model: str) -> Path:
    """Return the folder of a pack: a path, or a name among the packs that the service finds.

    An empty name is the service's default.

    Raises:
        NotFoundError: MODEL_UNKNOWN.
        ModelPackError: a manifest on the way is wrong.
        FailedPreconditionError: SETTINGS_INVALID.
    """
    if model and (Path(model) / MANIFEST_NAME).is_file():
        return Path(model)
    settings = pose_settings()
    found = discover_packs(settings.models)
    name = model or settings.default_model or next(iter(found), "")
    if name not in found:
        known = ", ".join(found) or "none"
        raise NotFoundError(
            f"{model!r} is neither a folder with {MANIFEST_NAME} nor the name of a model; "
            f"in the folders of KUCHIPAKU_POSE_MODELS there are: {known}.",
            reason="MODEL_UNKNOWN",
            field="model",
            model=model,
        )
    return found[name]


def describe_parameters(folder: Path) -> list[ParameterInfo]:
    """Return the parameters of the pack in ``folder``, in order."""
    return [
        ParameterInfo(name=p.name, minimum=p.minimum, maximum=p.maximum, neutral=p.neutral)
        for p in load_pack(folder).manifest.parameters
    ]


def pose_settings() -> PoseSettings:
    """The service's settings, as the environment has them.

    Raises:
        FailedPreconditionError: SETTINGS_INVALID.
    """
    try:
        return PoseSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Behind the setting's name stand the types that it might have had.
        name = f"KUCHIPAKU_POSE_{str(first['loc'][0]).upper()}: " if first["loc"] else ""
        raise FailedPreconditionError(f"{name}{first['msg']}", reason="SETTINGS_INVALID") from error


class OfflineRenderer:
    """An engine of one pack and threads that use it."""

    def __init__(self, folder: Path, *, provider: str, workers: int = 0) -> None:
        """Open the pack.

        Args:
            folder: the pack.
            provider: cpu, openvino, cuda or tensorrt.
            workers: frames rendered at a time; 0: as many as there are CPUs, one on a GPU.

        Raises:
            ModelPackError: the pack is wrong.
            FailedPreconditionError: PROVIDER_UNAVAILABLE, a stage cannot run there, or
                SETTINGS_INVALID.
            InternalError: SELF_TEST_FAILED.
        """
        name = ProviderName(provider)
        options = replace(pose_settings().engine_options(), provider=name)
        name = settled(options.provider_options()).name
        self._workers = workers or (1 if name.is_gpu else cpu_count())
        options = replace(options, provider=name, workers=self._workers)
        self._engine = Engine(load_pack(folder), options)

    @property
    def space(self) -> PoseSpace:
        """The model's parameters."""
        return self._engine.space

    @property
    def tensor_side(self) -> int:
        """S of the tensors (4, S, S) that the networks take and give."""
        return self._engine.pack.manifest.canvas.tensor_size

    def load_image(self, path: Path) -> Subject:
        """Read who is to be rendered.

        Args:
            path: a picture (PNG, WebP) that is a canvas of the model, with transparency; or a
                ``.npy`` file with the float32 (4, S, S) tensor that the networks take.

        Raises:
            InvalidArgumentError: CANVAS_WRONG_SIZE, IMAGE_WITHOUT_ALPHA, TENSOR_INVALID,
                ARRAY_NOT_READABLE, or what is wrong with the picture file.
        """
        if path.suffix.lower() == ".npy":
            return Subject(self._engine.prepare_tensor(self._load_tensor(path)), is_tensor=True)
        picture = decode_picture(path.read_bytes(), field=_FIELD)
        if (picture[..., 3] == _OPAQUE).all():
            raise InvalidArgumentError(
                f"{path.name} has no transparent pixel; the background must be removed.",
                reason="IMAGE_WITHOUT_ALPHA",
                field=_FIELD,
            )
        return Subject(self._engine.prepare(canvas_hash(picture), picture), is_tensor=False)

    def view(
        self, subject: Subject, *, crop: tuple[int, int, int, int] | None = None, width: int = 0
    ) -> View:
        """Return what part of ``subject``'s frames is shown, and how large.

        Args:
            subject: a picture's frames are whole canvases, a tensor's have the tensor's size.
            crop: left, top, width and height in pixels; None: all.
            width: of the pictures in pixels, 128-1024; 0: the crop's.

        Raises:
            InvalidArgumentError: CROP_OUT_OF_CANVAS, FRAME_SIZE_OUT_OF_RANGE or
                FRAME_ASPECT_CHANGED.
        """
        side = self.tensor_side if subject.is_tensor else self._engine.canvas_side
        return make_view(side, crop=crop, width=width, field="view")

    def pictures(self, subject: Subject, poses: Poses, view: View) -> Iterator[Picture]:
        """Yield a picture, uint8 (height, width, 4), for each of the checked ``poses``."""
        engine = self._engine

        def render(pose: Poses) -> Picture:
            if subject.is_tensor:
                output = engine.output(subject.character, pose)
                return view.show(output, engine.pack.manifest.output.convention)
            return engine.render([FrameRequest(subject.character, pose, view)])[0].pixels

        return self._in_order(render, poses)

    def tensors(self, subject: Subject, poses: Poses) -> Iterator[Tensor]:
        """Yield the network's final output, float32 (4, S, S), for each of ``poses``."""
        return self._in_order(lambda pose: self._engine.output(subject.character, pose), poses)

    def _in_order(self, render: Callable[[Poses], T], poses: Poses) -> Iterator[T]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="render") as pool:
            running: deque[Future[T]] = deque()
            try:
                for pose in poses:
                    running.append(pool.submit(render, pose))
                    # A few ahead keep all threads busy and few results in memory.
                    if len(running) > 2 * self._workers:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:
                    future.cancel()

    def _load_tensor(self, path: Path) -> Tensor:
        values = load_array(path, _FIELD)
        expected = (4, self.tensor_side, self.tensor_side)
        problem = None
        if values.dtype != np.float32:
            problem = f"holds {values.dtype}, not float32"
        elif values.shape != expected:
            problem = f"has the shape {values.shape}, expected {expected}"
        elif not np.isfinite(values).all():
            problem = "holds NaN or infinity"
        if problem:
            raise InvalidArgumentError(
                f"{path.name} {problem}.", reason="TENSOR_INVALID", field=_FIELD
            )
        return np.ascontiguousarray(values, np.float32)
