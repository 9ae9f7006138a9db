"""Sprite sheets, with the services behind played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kuchipaku.client import Client
from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor_pb
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import cue_pb2, frame_pb2
from kuchipaku_animation import EXPRESSIONS
from kuchipaku_contract.errors import (
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
)
from kuchipaku_gateway.characters import Character

from .company import Company, gateway_before, settings_beside

NAME = "characters/momo"
SHAPE_COUNT = 9


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
async def client(tmp_path: Path, company: Company) -> AsyncIterator[Client]:
    own_mouth = {"D": {"weights": {"mouth_ooo": 0.5}}}
    character = Character("momo", "0" * 64, pose_model="hers", expression="sad", mouth=own_mouth)
    settings = settings_beside(tmp_path, videos=1, queue_limit=0)
    async with gateway_before(company, settings, character) as address, Client(address) as client:
        yield client


async def baked(client: Client, **asked: Any) -> list[pb.BakeSpritesResponse]:
    request = pb.BakeSpritesRequest(character=NAME, **asked)
    async with asyncio.timeout(20):
        return [answer async for answer in client.bake_sprites(request)]


async def refusal(client: Client, **asked: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidArgumentError) as caught:
        await baked(client, **asked)
    return caught.value.reason, caught.value.field


async def test_every_face_becomes_the_sprite_of_its_name(client: Client, company: Company) -> None:
    answers = await baked(client, expressions=["happy", "sad"], include_blink=True)
    sprites = company.compositor.sprites
    assert len(sprites) == 2 * (SHAPE_COUNT + 3)
    for sprite in sprites:
        expression, what = sprite.name.split("/")
        face = pose_pb.Face.FromString(sprite.frame.data)
        assert face.expression == expression
        if what.startswith("blink-"):
            assert sprite.tag == f"{expression}/blink"
            assert 0 < face.eyes_closed <= 1
            assert 0 < sprite.duration.nanos < 100_000_000
        else:
            assert sprite.tag == expression
            assert face.mouth_shape == cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{what}")
            assert face.eyes_closed == 0
    fractions = [a.progress.fraction for a in answers if a.HasField("progress")]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    files: dict[str, bytes] = {}
    for answer in answers:
        if answer.HasField("chunk"):
            name = answer.chunk.file_name
            files[name] = files.get(name, b"") + answer.chunk.data
    assert files == {"sheet-0.png": b"picture", "sprites.json": b"{}"}
    assert answers[-1].summary.sprite_count == len(sprites)


async def test_what_is_not_asked_for_is_the_characters_own(
    client: Client, company: Company
) -> None:
    await baked(client, shapes=[cue_pb2.MOUTH_SHAPE_D])
    assert [sprite.name for sprite in company.compositor.sprites] == ["sad/D"]
    [config] = company.pose.still_configs
    assert config.model == "hers"
    assert config.mouth_overrides["D"].weights["mouth_ooo"] == 0.5
    assert config.quantum == 0
    assert company.pose.canvases == [b"png"]


async def test_both_services_are_told_the_same_frames(client: Client, company: Company) -> None:
    await baked(
        client,
        pose_model="other",
        crop=frame_pb2.Crop(left_px=8, width_px=400, height_px=200),
        width_px=200,
        packing=compositor_pb.PackSpritesConfig(trim=True, padding_px=3),
    )
    [drawn], [packed] = company.pose.still_configs, company.compositor.packings
    assert drawn.model == "other"
    assert drawn.frame_format == packed.frame_format
    assert (packed.frame_format.width_px, packed.frame_format.height_px) == (200, 100)
    assert packed.frame_format.crop.left_px == 8
    assert packed.trim
    assert packed.padding_px == 3


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"expressions": ["happy", "hungry"]}, ("EXPRESSION_UNKNOWN", "expressions[1]")),
        ({"expressions": [""]}, ("EXPRESSION_UNKNOWN", "expressions[0]")),
        ({"expressions": ["sad", "happy", "sad"]}, ("NAMED_TWICE", "expressions[2]")),
        ({"shapes": [1, 0]}, ("MOUTH_SHAPE_UNKNOWN", "shapes[1]")),
        ({"shapes": [99]}, ("MOUTH_SHAPE_UNKNOWN", "shapes[0]")),
        ({"shapes": [3, 3]}, ("NAMED_TWICE", "shapes[1]")),
        (
            {"packing": compositor_pb.PackSpritesConfig(frame_format=frame_pb2.FrameFormat())},
            ("FIELD_NOT_ALLOWED", "packing.frame_format"),
        ),
    ],
)
async def test_what_is_wrong_is_named_before_anything_is_drawn(
    client: Client, company: Company, asked: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert await refusal(client, **asked) == expected
    assert company.pose.still_configs == []
    assert company.compositor.packings == []


@pytest.mark.parametrize(
    ("peer", "theirs", "ours"),
    [
        ("compositor", "config.max_side_px", "packing.max_side_px"),
        ("compositor", "config.frame_format.width_px", "width_px"),
        ("pose", "config.frame_format.crop.left_px", "crop.left_px"),
        ("pose", "config.model", "character"),
        ("pose", "config.mouth_overrides[D].weights", "character"),
        ("pose", "config.canvas_sha256", "character"),
    ],
)
async def test_what_the_services_refuse_is_named_as_the_caller_knows_it(
    client: Client, company: Company, peer: str, theirs: str, ours: str
) -> None:
    error = InvalidArgumentError("No.", reason="WRONG", field=theirs)
    (company.pose if peer == "pose" else company.compositor).refused = error
    assert await refusal(client) == ("WRONG", ours)


async def test_a_model_that_the_request_names_is_its_own(client: Client, company: Company) -> None:
    company.pose.refused = InvalidArgumentError("No.", reason="WRONG", field="config.model")
    assert await refusal(client, pose_model="other") == ("WRONG", "pose_model")


async def test_drawing_that_stops_early_is_no_success(client: Client, company: Company) -> None:
    company.pose.most_faces = 4
    with pytest.raises(InternalError) as caught:
        await baked(client)
    assert caught.value.reason == "PEER_PROTOCOL"
    async with asyncio.timeout(20):
        await company.compositor.given_up.wait()


async def test_a_canvas_that_the_model_refuses_is_the_characters(
    client: Client, company: Company
) -> None:
    company.pose.refused_canvas = InvalidArgumentError(
        "Too small.", reason="CANVAS_WRONG_SIZE", field="canvas.png"
    )
    assert await refusal(client) == ("CANVAS_WRONG_SIZE", "character")


async def test_a_sprite_that_is_not_understood_is_not_the_callers_fault(
    client: Client, company: Company
) -> None:
    company.compositor.refused_sprites = InvalidArgumentError(
        "No base frame.", reason="FRAME_UNREADABLE", field="sprites.frame"
    )
    with pytest.raises(InternalError) as caught:
        await baked(client)
    assert caught.value.reason == "PEER_PROTOCOL"


async def test_sprites_that_are_too_many_follow_from_the_expressions(
    client: Client, company: Company
) -> None:
    company.compositor.refused_sprites = InvalidArgumentError(
        "Too many.", reason="SPRITES_TOO_LARGE", field="sprites"
    )
    assert await refusal(client) == ("SPRITES_TOO_LARGE", "expressions")


async def test_sprites_that_are_sure_to_be_too_large_are_not_drawn(
    client: Client, company: Company
) -> None:
    asked: dict[str, Any] = {"expressions": list(EXPRESSIONS), "width_px": 1024}
    expected = ("SPRITES_TOO_LARGE", "expressions")
    assert await refusal(client, include_blink=True, **asked) == expected
    assert company.compositor.packings == []
    # What is out of range is for the services to refuse, under its own name.
    await baked(client, include_blink=True, **asked | {"width_px": -5000, "height_px": -5000})
    company.compositor.packings.clear()
    # Of borders that are cut off nobody knows yet, and pictures that are alike count once.
    trimmed = compositor_pb.PackSpritesConfig(trim=True)
    await baked(client, include_blink=True, packing=trimmed, **asked)
    await baked(client, **asked)


async def test_a_caller_that_goes_leaves_its_place_to_others(
    client: Client, company: Company
) -> None:
    company.pose.may_draw.clear()
    gone = asyncio.create_task(baked(client))
    async with asyncio.timeout(20):
        await company.pose.drawing.wait()
        with pytest.raises(ResourceExhaustedError):
            await baked(client)
        # What is wrong is said all the same.
        assert await refusal(client, shapes=[99]) == ("MOUTH_SHAPE_UNKNOWN", "shapes[0]")
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await company.compositor.given_up.wait()
    company.pose.may_draw.set()
    async with asyncio.timeout(20):
        while True:
            try:
                answers = await baked(client)
                break
            except ResourceExhaustedError:
                # The server hears of the cancellation in its own time.
                await asyncio.sleep(0.01)
    assert answers[-1].HasField("summary")


async def test_an_unknown_character_is_not_found(client: Client) -> None:
    request = pb.BakeSpritesRequest(character="characters/nobody")
    with pytest.raises(NotFoundError):
        _ = [answer async for answer in client.bake_sprites(request)]
