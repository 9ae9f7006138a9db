from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kuchipaku_animation import (
    ONE_OPENING_MOUTH_MAP,
    THA_MOUTH_MAP,
    AnimationOptions,
    MouthCue,
    MouthMap,
    MouthShape,
    animate,
    pose_from,
)
from kuchipaku_contract.errors import InvalidArgumentError

Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("mouth_map", [THA_MOUTH_MAP, ONE_OPENING_MOUTH_MAP])
def test_a_map_survives_the_way_through_json(mouth_map):
    assert MouthMap.from_dict(json.loads(json.dumps(mouth_map.to_dict()))) == mouth_map


def test_the_classic_mouths_may_be_left_out():
    data = THA_MOUTH_MAP.to_dict()
    del data["classic"]
    assert MouthMap.from_dict(data) == THA_MOUTH_MAP


def without(path: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            data = data[key]
        del data[last]

    return change


def setting(path: str, value: object) -> Change:
    def change(data: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            data = data[key]
        data[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (without("shapes"), "mouth_map.shapes"),
        (without("shapes.H"), "mouth_map.shapes.H"),
        (without("shapes.D.dominance"), "mouth_map.shapes.D.dominance"),
        (setting("name", ""), "mouth_map.name"),
        (setting("shapes", []), "mouth_map.shapes"),
        (setting("shapes.D", 1), "mouth_map.shapes.D"),
        (setting("shapes.Z", {}), "mouth_map.shapes.Z"),
        (setting("shapes.D.colour", 1), "mouth_map.shapes.D.colour"),
        (setting("shapes.D.dominance", "1"), "mouth_map.shapes.D.dominance"),
        (setting("shapes.D.dominance", True), "mouth_map.shapes.D.dominance"),
        (setting("shapes.D.dominance", 0.0), "mouth_map.shapes.D.dominance"),
        (setting("shapes.D.dominance", float("nan")), "mouth_map.shapes.D.dominance"),
        (setting("shapes.D.dominance", 10**400), "mouth_map.shapes.D.dominance"),
        (setting("shapes.D.reach_s", 0.2), "mouth_map.shapes.D.reach_s"),
        (setting("shapes.D.weights.mouth_aaa", 1.5), "mouth_map.shapes.D.weights.mouth_aaa"),
        (setting("shapes.D.weights.head_x", 0.5), "mouth_map.shapes.D.weights.head_x"),
        (setting("shapes.D.weights.mouth_iii", 0.5), "mouth_map.shapes.D.weights"),
        (setting("shapes.A.weights", {"mouth_aaa": 0.2}), "mouth_map.shapes.A.weights"),
        (setting("classic.D.mouth_iii", 0.5), "mouth_map.classic.D"),
        (setting("classic.Q", {}), "mouth_map.classic.Q"),
    ],
)
def test_a_bad_map_is_refused_by_name(change, field):
    data = THA_MOUTH_MAP.to_dict()
    change(data)
    with pytest.raises(InvalidArgumentError) as refusal:
        MouthMap.from_dict(data)
    assert refusal.value.field == field
    assert refusal.value.reason == "MOUTH_MAP_INVALID"


@pytest.mark.parametrize("mode", ["coarticulated", "classic"])
def test_a_one_opening_model_gets_one_parameter_only(mode):
    cues = [MouthCue(i * 0.2, i * 0.2 + 0.2, shape) for i, shape in enumerate(MouthShape)]
    options = AnimationOptions(mouth=mode, motion="none")
    poses = animate(cues, options=options, mouth_map=ONE_OPENING_MOUTH_MAP).poses
    only_mouth = pose_from({"mouth_aaa": 1.0}) > 0
    assert poses[:, only_mouth].max() > 0.5
    assert not poses[:, ~only_mouth].any()


def test_a_character_may_have_a_mouth_of_its_own():
    changed = THA_MOUTH_MAP.overridden(
        {"D": {"weights": {"mouth_delta": 0.9}}, "F": {"dominance": 2.5}}
    )
    assert changed.shapes[MouthShape.D].weights == {"mouth_delta": 0.9}
    assert changed.shapes[MouthShape.D].dominance == THA_MOUTH_MAP.shapes[MouthShape.D].dominance
    assert changed.shapes[MouthShape.F].dominance == 2.5
    assert changed.shapes[MouthShape.F].weights == THA_MOUTH_MAP.shapes[MouthShape.F].weights
    assert changed.shapes[MouthShape.B] == THA_MOUTH_MAP.shapes[MouthShape.B]
    cues = [MouthCue(0.0, 1.0, MouthShape.D)]
    poses = animate(cues, options=AnimationOptions(motion="none"), mouth_map=changed).poses
    assert poses[12] == pytest.approx(pose_from({"mouth_delta": 0.9}), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Q": {}}, "mouth_map.Q"),
        ({"D": 1}, "mouth_map.D"),
        ({"D": {"colour": 1}}, "mouth_map.D.colour"),
        ({"D": {"dominance": float("nan")}}, "mouth_map.D.dominance"),
        ({"D": {"weights": {"head_x": 1.0}}}, "mouth_map.D.weights.head_x"),
        ({"A": {"weights": {"mouth_aaa": 0.5}}}, "mouth_map.A.weights"),
    ],
)
def test_a_bad_change_is_refused_by_name(changes, field):
    with pytest.raises(InvalidArgumentError) as refusal:
        THA_MOUTH_MAP.overridden(changes)
    assert (refusal.value.field, refusal.value.reason) == (field, "MOUTH_MAP_INVALID")
