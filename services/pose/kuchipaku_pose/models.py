"""The models that a service holds, and how animation fits each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kuchipaku_animation import (
    ONE_OPENING_MOUTH_MAP,
    PARAMETER_INDEX,
    THA_MOUTH_MAP,
    VOWEL_NAMES,
    MouthMap,
)
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions
from kuchipaku_pose.pack import ModelPackError, discover_packs, load_pack


@dataclass(frozen=True)
class PoseModel:
    """An engine and what animation needs to know about its model."""

    engine: Engine
    mouth_map: MouthMap
    sources: NDArray[np.intp]
    """For each of the model's parameters the column of an animated pose, -1 where there is none."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.engine.pack.name

    def fit(self, poses: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return animated ``poses`` (n, 45) as poses of this model (n, parameters).

        Parameters that animation does not know stay neutral; values are clipped to the ranges.
        """
        space = self.engine.space
        fitted = np.where(self.sources >= 0, poses[:, self.sources], space.neutral)
        return np.clip(fitted, space.minimum, space.maximum).astype(np.float32, copy=False)


@dataclass(frozen=True)
class ModelRegistry:
    """Models by name."""

    models: Mapping[str, PoseModel]
    default_name: str

    def get(self, name: str, *, field: str) -> PoseModel:
        """Return the model ``name``; empty means the default.

        Raises:
            NotFoundError: MODEL_UNKNOWN.
        """
        model = self.models.get(name or self.default_name)
        if model is None:
            raise NotFoundError(
                f"There is no pose model {name!r}; there are {', '.join(self.models)}.",
                reason="MODEL_UNKNOWN",
                field=field,
                model=name,
            )
        return model


def load_models(
    folders: Sequence[Path],
    *,
    options: EngineOptions,
    memory: EngineMemory,
    default_name: str | None = None,
) -> ModelRegistry:
    """Load every pack found in ``folders``, check it and open its engine.

    The default is ``default_name``, else the first pack found.

    Raises:
        FailedPreconditionError: MODELS_MISSING, no pack in the folders; MODEL_UNKNOWN, no pack
            has the default's name; or what `load_pack` and `Engine` raise.
    """
    found = discover_packs(folders)
    if not found:
        raise FailedPreconditionError(
            "No model pack in " + ", ".join(f"{folder}" for folder in folders) + ".",
            reason="MODELS_MISSING",
        )
    if default_name is not None and default_name not in found:
        raise FailedPreconditionError(
            f"The default model {default_name!r} is not among {', '.join(found)}.",
            reason="MODEL_UNKNOWN",
        )
    models = {name: open_model(folder, options, memory) for name, folder in found.items()}
    return ModelRegistry(models, default_name or next(iter(models)))


def open_model(folder: Path, options: EngineOptions, memory: EngineMemory) -> PoseModel:
    """Load the pack in ``folder`` and open its engine; raises as `load_models` does."""
    pack = load_pack(folder)
    names = [p.moved_by or p.name for p in pack.manifest.parameters]
    try:
        mouth_map = _mouth_map(pack.manifest.mouth_map, names)
    except InvalidArgumentError as error:
        raise ModelPackError(folder, f"its mouth map is wrong: {error.message}") from error
    sources = np.array([PARAMETER_INDEX.get(name, -1) for name in names], np.intp)
    return PoseModel(Engine(pack, options, memory), mouth_map, sources)


def _mouth_map(declared: dict[str, object] | None, names: Sequence[str]) -> MouthMap:
    if declared is not None:
        return MouthMap.from_dict(declared)
    # A model that opens its mouth by one parameter alone cannot show five vowels.
    vowels = [name for name in VOWEL_NAMES if name in names]
    return ONE_OPENING_MOUTH_MAP if vowels == ["mouth_aaa"] else THA_MOUTH_MAP
