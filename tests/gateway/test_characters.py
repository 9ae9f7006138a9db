"""Characters through the gateway, on a unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku_contract import LIMITS
from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
)
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_runtime import ServiceSettings, serving

from .company import Company
from .painters import Painter


@pytest.fixture
def painter() -> Painter:
    return Painter()


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
async def client(tmp_path: Path, painter: Painter, company: Company) -> AsyncIterator[Client]:
    imagegen = ServiceSettings(address=f"unix:{tmp_path}/imagegen.sock")
    pose = ServiceSettings(address=f"unix:{tmp_path}/pose.sock")
    async with (
        serving(imagegen, painter.build) as imagegen_address,
        serving(pose, company.build) as pose_address,
    ):
        settings = GatewaySettings(
            address=f"unix:{tmp_path}/gateway.sock",
            imagegen_address=imagegen_address,
            pose_address=pose_address,
            store_url=(tmp_path / "store").as_uri(),
            creations=1,
            queue_limit=0,
        )
        async with serving(settings, build) as address, Client(address) as client:
            yield client


def _order(prompt: str = "girl", **fields: object) -> pb.CreateCharacterRequest:
    source = pb.PromptSource(prompt=prompt, seed=7)
    return pb.CreateCharacterRequest(prompt=source, **fields)  # type: ignore[arg-type]


async def test_a_repeated_request_gets_the_same_answer(client: Client, painter: Painter) -> None:
    order = _order("girl, zorblax", request_id="once", owner="studio", labels={"a": "1", "b": "2"})
    first = await client.create_character(order)
    assert list(first.ignored_phrases) == ["zorblax"]
    assert first.checks[0].value == 0.1
    assert await client.create_character(order) == first
    assert painter.orders == ["girl, zorblax"]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "boy"},
        {"display_name": "other"},
        {"character_id": "another"},
        {"labels": {"key": "value"}},
    ],
)
async def test_a_request_id_is_good_for_one_content(
    client: Client, fields: dict[str, object]
) -> None:
    await client.create_character(_order(request_id="once"))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(_order(**{"request_id": "once", **fields}))  # type: ignore[arg-type]
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert caught.value.field == "request_id"


async def test_another_owner_may_use_the_same_request_id(client: Client) -> None:
    mine = await client.create_character(_order(request_id="once", owner="me"))
    theirs = await client.create_character(_order("boy", request_id="once", owner="them"))
    assert mine.character.name != theirs.character.name
    assert theirs.character.owner == "them"


async def test_a_picture_beyond_the_limit_is_refused_before_any_work(client: Client) -> None:
    image = pb.ImageSource(image=bytes(LIMITS.max_image_bytes + 1))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(pb.CreateCharacterRequest(image=image))
    assert caught.value.reason == "IMAGE_TOO_LARGE"
    assert caught.value.field == "image.image"


async def test_updates_change_what_the_mask_says(client: Client) -> None:
    made = await client.create_character(_order(display_name="Momo", owner="me"))
    change = pb.Character(name=made.character.name, display_name="Nana", owner="nobody")
    change.labels["mood"] = "fine"
    updated = await client.update_character(change, ["display_name", "labels"])
    assert updated.display_name == "Nana"
    assert updated.owner == "me"
    assert dict(updated.labels) == {"mood": "fine"}
    assert updated.etag != made.character.etag
    assert await client.get_character(made.character.name) == updated


async def test_mouth_shapes_are_stored_and_changed(client: Client) -> None:
    order = _order()
    order.defaults.mouth_overrides["D"].weights["mouth_delta"] = 0.75
    made = (await client.create_character(order)).character
    assert made.defaults.mouth_overrides["D"].weights == {"mouth_delta": 0.75}
    change = pb.Character(name=made.name, defaults=pb.CharacterDefaults(expression="happy"))
    kept = await client.update_character(change, ["defaults.expression"])
    assert kept.defaults.mouth_overrides == made.defaults.mouth_overrides
    change.defaults.mouth_overrides["F"].dominance = 2.0
    changed = await client.update_character(change, ["defaults.mouth_overrides"])
    assert set(changed.defaults.mouth_overrides) == {"F"}
    assert await client.get_character(made.name) == changed


async def test_mouth_shapes_that_cannot_be_are_refused(client: Client) -> None:
    order = _order()
    order.defaults.mouth_overrides["D"].weights["mouth_delta"] = 2.0
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(order)
    assert caught.value.field == "defaults.mouth_overrides.D.weights.mouth_delta"
    name = (await client.create_character(_order())).character.name
    change = pb.Character(name=name, defaults=order.defaults)
    with pytest.raises(InvalidArgumentError) as caught:
        await client.update_character(change, ["defaults"])
    assert caught.value.field == "character.defaults.mouth_overrides.D.weights.mouth_delta"


async def test_an_expression_that_there_is_not_is_refused(client: Client) -> None:
    order = _order(defaults=pb.CharacterDefaults(expression="bamboozled"))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(order)
    assert caught.value.reason == "EXPRESSION_UNKNOWN"
    assert caught.value.field == "defaults.expression"
    name = (await client.create_character(_order())).character.name
    change = pb.Character(name=name, defaults=order.defaults)
    with pytest.raises(InvalidArgumentError) as caught:
        await client.update_character(change, ["defaults.expression"])
    assert caught.value.field == "character.defaults.expression"


async def test_a_pose_model_that_there_is_not_is_refused(client: Client, painter: Painter) -> None:
    order = _order(defaults=pb.CharacterDefaults(pose_model="foo"))
    with pytest.raises(NotFoundError) as caught:
        await client.create_character(order)
    assert (caught.value.reason, caught.value.field) == ("MODEL_UNKNOWN", "defaults.pose_model")
    assert painter.orders == []
    order.defaults.pose_model = "hers"
    made = (await client.create_character(order)).character
    change = pb.Character(name=made.name, defaults=pb.CharacterDefaults(pose_model="foo"))
    for path in ("defaults.pose_model", "defaults"):
        with pytest.raises(NotFoundError) as caught:
            await client.update_character(change, [path])
        assert caught.value.field == "character.defaults.pose_model"
    await client.update_character(change, ["display_name"])
    assert (await client.get_character(made.name)).defaults.pose_model == "hers"
    for model in ("other", ""):
        change.defaults.pose_model = model
        updated = await client.update_character(change, ["defaults.pose_model"])
        assert updated.defaults.pose_model == model


async def test_a_model_that_was_removed_since_is_no_hindrance(
    client: Client, company: Company
) -> None:
    order = _order(request_id="once", defaults=pb.CharacterDefaults(pose_model="hers"))
    made = (await client.create_character(order)).character
    company.pose.models.clear()
    assert (await client.create_character(order)).character == made
    made.display_name, made.etag = "Momo", ""
    assert (await client.update_character(made)).display_name == "Momo"


async def test_an_id_that_is_taken_costs_no_picture(client: Client, painter: Painter) -> None:
    await client.create_character(_order(character_id="momo"))
    with pytest.raises(AlreadyExistsError):
        await client.create_character(_order("boy", character_id="momo"))
    assert painter.orders == ["girl"]


async def test_whether_a_prompt_is_needed_is_the_models_business(client: Client) -> None:
    made = await client.create_character(_order(""))
    assert made.character.origin.prompt == ""


async def test_what_is_wrong_with_a_prompt_is_told_by_its_own_name(
    client: Client, painter: Painter
) -> None:
    painter.refused = InvalidArgumentError("Empty.", reason="PROMPT_EMPTY", field="prompt")
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(_order(""))
    assert (caught.value.reason, caught.value.field) == ("PROMPT_EMPTY", "prompt.prompt")


async def test_an_update_without_a_mask_changes_everything(client: Client) -> None:
    made = await client.create_character(_order(display_name="Momo", owner="me"))
    updated = await client.update_character(pb.Character(name=made.character.name, owner="you"))
    assert updated.owner == "you"
    assert updated.display_name == ""


async def test_parallel_updates_of_different_fields_all_count(client: Client) -> None:
    name = (await client.create_character(_order())).character.name
    changes = {
        "owner": pb.Character(name=name, owner="me"),
        "display_name": pb.Character(name=name, display_name="Momo"),
        "defaults.expression": pb.Character(
            name=name, defaults=pb.CharacterDefaults(expression="happy")
        ),
    }
    await asyncio.gather(
        *(client.update_character(change, [path]) for path, change in changes.items())
    )
    character = await client.get_character(name)
    assert (character.owner, character.display_name) == ("me", "Momo")
    assert character.defaults.expression == "happy"


async def test_an_etag_sent_along_is_a_condition(client: Client) -> None:
    made = (await client.create_character(_order())).character
    made.display_name = "Momo"
    updated = await client.update_character(made, ["display_name"])
    with pytest.raises(FailedPreconditionError) as caught:
        await client.update_character(made, ["display_name"])
    assert caught.value.reason == "ETAG_MISMATCH"
    await client.update_character(updated, ["display_name"])


async def test_updates_that_cannot_be(client: Client) -> None:
    name = (await client.create_character(_order())).character.name
    with pytest.raises(InvalidArgumentError) as caught:
        await client.update_character(pb.Character(name=name), ["canvas"])
    assert caught.value.reason == "FIELD_NOT_UPDATABLE"
    with pytest.raises(InvalidArgumentError) as caught:
        await client.update_character(pb.Character(name=name, display_name="x" * 200))
    assert caught.value.field == "character.display_name"
    with pytest.raises(InvalidArgumentError) as caught:
        await client.update_character(pb.Character(name="momo"))
    assert caught.value.field == "character.name"
    with pytest.raises(NotFoundError):
        await client.update_character(pb.Character(name="characters/nobody"))


async def test_a_full_gateway_says_when_to_come_back(client: Client, painter: Painter) -> None:
    painter.may_paint.clear()
    first = asyncio.create_task(client.create_character(_order()))
    await painter.at_work.wait()
    with pytest.raises(ResourceExhaustedError) as caught:
        await client.create_character(_order("boy"))
    assert caught.value.reason == "QUEUE_FULL"
    assert caught.value.retry_after_s
    painter.may_paint.set()
    await first
    await client.create_character(_order("boy"))


async def test_who_goes_away_frees_slot_and_painter(client: Client, painter: Painter) -> None:
    painter.may_paint.clear()
    first = asyncio.create_task(client.create_character(_order()))
    await painter.at_work.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(10):
        await painter.gone.wait()
    painter.may_paint.set()
    await client.create_character(_order("boy"))
