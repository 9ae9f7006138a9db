"""A character's own mouth shapes against those of a request."""

from __future__ import annotations

import pytest

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_gateway.characters import Character
from kuchipaku_gateway.mouth import animation_of, mouth_messages, mouth_of


def _options(**fields: object) -> animation_pb2.AnimationOptions:
    return animation_pb2.AnimationOptions(**fields)  # type: ignore[arg-type]


def _character() -> Character:
    own = _options(expression="happy")
    own.mouth_overrides["D"].weights["mouth_delta"] = 0.75
    own.mouth_overrides["F"].dominance = 3.0
    return Character(
        "momo", "0" * 64, expression="happy", mouth=mouth_of(own.mouth_overrides, at="x")
    )


def test_stored_shapes_come_back_as_they_were() -> None:
    own = _options()
    own.mouth_overrides["D"].weights.update({"mouth_aaa": 0.5, "mouth_delta": 0.25})
    own.mouth_overrides["D"].loudness_sensitivity = 0.0
    own.mouth_overrides["B"].dominance = 2.0
    stored = Character("momo", "0" * 64, mouth=mouth_of(own.mouth_overrides, at="x"))
    again = Character.from_json(stored.to_json())
    assert mouth_messages(again.mouth) == dict(own.mouth_overrides)


def test_a_character_of_an_earlier_release_has_no_shapes_of_its_own() -> None:
    document = Character("momo", "0" * 64).to_json()
    assert "mouth" not in document
    assert not Character.from_json(document).mouth


def test_the_character_fills_in_what_a_request_leaves_open() -> None:
    options = animation_of(_character(), _options(frames_per_second=30))
    assert options.frames_per_second == 30
    assert options.expression == "happy"
    assert options.mouth_overrides["D"].weights == {"mouth_delta": 0.75}
    assert options.mouth_overrides["F"].dominance == 3.0


def test_a_shape_that_the_request_names_is_the_requests() -> None:
    asked = _options(expression="sad")
    asked.mouth_overrides["D"].weights["mouth_ooo"] = 0.5
    asked.mouth_overrides["F"].SetInParent()
    options = animation_of(_character(), asked)
    assert options.expression == "sad"
    assert options.mouth_overrides["D"].weights == {"mouth_ooo": 0.5}
    assert options.mouth_overrides["F"] == animation_pb2.MouthOverride()
    assert asked.mouth_overrides.keys() == {"D", "F"}


@pytest.mark.parametrize(
    ("letter", "weights", "field"),
    [
        ("Q", {}, "defaults.mouth_overrides.Q"),
        ("D", {"head_x": 0.5}, "defaults.mouth_overrides.D.weights.head_x"),
        ("D", {"mouth_aaa": float("nan")}, "defaults.mouth_overrides.D.weights.mouth_aaa"),
        ("A", {"mouth_aaa": 0.5}, "defaults.mouth_overrides.A.weights"),
    ],
)
def test_shapes_that_cannot_be(letter: str, weights: dict[str, float], field: str) -> None:
    own = _options()
    own.mouth_overrides[letter].weights.update(weights)
    with pytest.raises(InvalidArgumentError) as caught:
        mouth_of(own.mouth_overrides, at="defaults.mouth_overrides")
    assert (caught.value.reason, caught.value.field) == ("MOUTH_MAP_INVALID", field)
