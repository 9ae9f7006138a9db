from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku_animation import ONE_OPENING_MOUTH_MAP, PARAMETER_INDEX, THA_MOUTH_MAP
from kuchipaku_contract.errors import FailedPreconditionError, KuchipakuError, NotFoundError
from kuchipaku_pose.engine import EngineMemory, EngineOptions
from kuchipaku_pose.models import ModelRegistry, load_models
from kuchipaku_pose.settings import PoseSettings
from tests.pose.tinypack import write_pack


def load(*folders: Path, default: str | None = None) -> ModelRegistry:
    return load_models(
        folders, options=EngineOptions(), memory=EngineMemory(), default_name=default
    )


def parameters(*names: str, minimum: float = -1.0, neutral: float = 0.0) -> list[dict[str, Any]]:
    return [
        {"name": name, "minimum": minimum, "maximum": 1.0, "neutral": neutral} for name in names
    ]


def test_a_service_holds_several_models_and_one_is_the_default(tmp_path: Path) -> None:
    write_pack(tmp_path / "a", name="first")
    write_pack(tmp_path / "b", name="second")
    registry = load(tmp_path)
    assert list(registry.models) == ["first", "second"]
    assert registry.get("", field="model").name == "first"
    assert load(tmp_path, default="second").get("", field="model").name == "second"
    with pytest.raises(NotFoundError) as caught:
        registry.get("third", field="config.model")
    assert (caught.value.reason, caught.value.field) == ("MODEL_UNKNOWN", "config.model")


def test_no_model_or_another_default_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="No model pack"):
        load(tmp_path)
    write_pack(tmp_path / "a", name="first")
    with pytest.raises(FailedPreconditionError, match="not among first"):
        load(tmp_path, default="second")


def test_animated_poses_are_fitted_by_name(tmp_path: Path) -> None:
    names = ("head_y", "mouth_aaa", "tail", "mouth_iii", "head_x")
    write_pack(tmp_path / "a", parameters=parameters(*names, minimum=0.0, neutral=0.25))
    model = load(tmp_path).get("", field="model")
    poses = np.zeros((2, 45), np.float32)
    poses[0, PARAMETER_INDEX["mouth_aaa"]] = 0.5
    poses[1, PARAMETER_INDEX["head_x"]] = -0.75
    poses[1, PARAMETER_INDEX["head_y"]] = 0.125

    fitted = model.fit(poses)

    assert fitted.dtype == np.float32
    assert fitted.tolist() == [[0, 0.5, 0.25, 0, 0], [0.125, 0, 0.25, 0, 0]]


def test_the_mouth_map_is_the_packs_or_follows_from_its_parameters(tmp_path: Path) -> None:
    own = ONE_OPENING_MOUTH_MAP.to_dict() | {"name": "own"}
    five = ("mouth_aaa", "mouth_iii", "a", "b", "c")
    one = ("mouth_aaa", "head_x", "a", "b", "c")
    write_pack(tmp_path / "1", name="five", parameters=parameters(*five))
    write_pack(tmp_path / "2", name="one", parameters=parameters(*one))
    write_pack(tmp_path / "3", name="own", parameters=parameters(*five), mouth_map=own)
    models = load(tmp_path).models
    assert models["five"].mouth_map is THA_MOUTH_MAP
    assert models["one"].mouth_map is ONE_OPENING_MOUTH_MAP
    assert models["own"].mouth_map.name == "own"


def test_a_wrong_mouth_map_is_the_packs_fault(tmp_path: Path) -> None:
    write_pack(tmp_path / "a", mouth_map={"name": "own", "shapes": {}})
    with pytest.raises(KuchipakuError) as caught:
        load(tmp_path)
    assert caught.value.reason == "MODEL_PACK_INVALID"
    assert "mouth map" in caught.value.message


def test_the_engines_memory_is_that_of_the_settings_by_default() -> None:
    settings = PoseSettings()
    configured = EngineMemory.of_mib(
        characters=settings.character_memory_mib,
        stages=settings.stage_memory_mib,
        frames=settings.frame_memory_mib,
    )
    plain = EngineMemory()
    for kind in ("characters", "stages", "frames"):
        assert getattr(plain, kind).max_bytes == getattr(configured, kind).max_bytes
