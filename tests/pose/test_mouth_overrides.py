"""Characters whose mouths differ from the pose model's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_animation import PARAMETER_INDEX, THA_MOUTH_MAP, MouthCue, MouthMap, MouthShape
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.utterance import Opening, Utterance, complete_animation


@dataclass
class Model:
    mouth_map: MouthMap = THA_MOUTH_MAP


def middle_pose(options: animation_pb2.AnimationOptions) -> Any:
    """The pose in the middle of a long D."""
    options.motion = animation_pb2.MOTION_NONE
    model: Any = Model()
    complete = complete_animation(options, 0.0, "animation")
    line = Utterance(Opening("u", complete, 1), model)
    line.push_cues([MouthCue(0.0, 1.0, MouthShape.D)])
    line.end(None)
    return line.pull(25).track.poses[12]


def test_a_shape_takes_the_characters_weights() -> None:
    options = animation_pb2.AnimationOptions()
    options.mouth_overrides["D"].weights["mouth_delta"] = 0.7
    options.mouth_overrides["D"].weights["mouth_eee"] = 0.3
    pose = middle_pose(options)
    assert pose[PARAMETER_INDEX["mouth_delta"]] == pytest.approx(0.7, abs=1e-6)
    assert pose[PARAMETER_INDEX["mouth_eee"]] == pytest.approx(0.3, abs=1e-6)
    assert pose[PARAMETER_INDEX["mouth_aaa"]] == 0.0


def test_what_is_left_out_stays() -> None:
    options = animation_pb2.AnimationOptions()
    options.mouth_overrides["D"].dominance = 3.0
    plain = middle_pose(animation_pb2.AnimationOptions())
    np.testing.assert_allclose(middle_pose(options), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("letter", "weights", "dominance", "field"),
    [
        ("Q", {}, 1.0, "animation.mouth_overrides.Q"),
        ("D", {"head_x": 0.5}, 1.0, "animation.mouth_overrides.D.weights.head_x"),
        ("D", {"mouth_aaa": float("nan")}, 1.0, "animation.mouth_overrides.D.weights.mouth_aaa"),
        ("D", {}, 0.0, "animation.mouth_overrides.D.dominance"),
        ("A", {"mouth_aaa": 0.5}, 1.0, "animation.mouth_overrides.A.weights"),
    ],
)
def test_bad_overrides_are_refused_by_name(
    letter: str, weights: dict[str, float], dominance: float, field: str
) -> None:
    options = animation_pb2.AnimationOptions()
    options.mouth_overrides[letter].dominance = dominance
    options.mouth_overrides[letter].weights.update(weights)
    with pytest.raises(InvalidArgumentError) as refusal:
        complete_animation(options, 0.0, "animation")
    assert (refusal.value.reason, refusal.value.field) == ("MOUTH_MAP_INVALID", field)
