"""Generated characters are tried until one can be animated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2 as imagegen_pb
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_gateway.creation import IMAGE_TRIES
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_runtime import ServiceSettings, serving

from .painters import Painter

_FAIL, _WARN, _OK = (
    imagegen_pb.CHECK_VERDICT_FAIL,
    imagegen_pb.CHECK_VERDICT_WARN,
    imagegen_pb.CHECK_VERDICT_OK,
)


class _Sketcher(Painter):
    """Paints its seed; what the checks say of the first, second, ... picture is told to it."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[list[int] | None] = []
        """Verdicts of each picture; None: there is no character in it."""
        self.canvas_ready = False
        self.seeds: list[int] = []
        self.check_only: list[bool] = []

    async def GenerateImage(  # noqa: N802 - the protocol's name
        self, request: imagegen_pb.GenerateImageRequest, context: Any
    ) -> AsyncIterator[imagegen_pb.GenerateImageResponse]:
        self.seeds.append(request.seed)
        self.at_work.set()
        await self.may_paint.wait()
        image = imagegen_pb.GeneratedImage(
            png=str(request.seed).encode(), seed=request.seed, canvas_ready=self.canvas_ready
        )
        yield imagegen_pb.GenerateImageResponse(image=image)

    async def FitCanvas(  # noqa: N802
        self, request: imagegen_pb.FitCanvasRequest, context: Any
    ) -> imagegen_pb.FitCanvasResponse:
        self.check_only.append(request.check_only)
        verdicts = self.findings[len(self.check_only) - 1]
        if verdicts is None:
            raise InvalidArgumentError("Nobody.", reason="NO_CHARACTER_FOUND", field="image")
        checks = [
            imagegen_pb.CanvasCheck(name=f"check{index}", verdict=verdict)  # type: ignore[arg-type]
            for index, verdict in enumerate(verdicts)
        ]
        canvas = frame_pb2.Canvas(sha256=request.image.hex().ljust(64, "0"), png=request.image)
        return imagegen_pb.FitCanvasResponse(canvas=canvas, checks=checks)


@pytest.fixture
def sketcher() -> _Sketcher:
    return _Sketcher()


@pytest.fixture
async def client(tmp_path: Path, sketcher: _Sketcher) -> AsyncIterator[Client]:
    imagegen = ServiceSettings(address=f"unix:{tmp_path}/imagegen.sock")
    async with serving(imagegen, sketcher.build) as imagegen_address:
        settings = GatewaySettings(
            address=f"unix:{tmp_path}/gateway.sock",
            imagegen_address=imagegen_address,
            store_url=(tmp_path / "store").as_uri(),
        )
        async with serving(settings, build) as address, Client(address) as client:
            yield client


def _order(seed: int | None = None) -> pb.CreateCharacterRequest:
    return pb.CreateCharacterRequest(prompt=pb.PromptSource(prompt="girl", seed=seed))


async def test_seeds_are_tried_until_the_checks_pass(client: Client, sketcher: _Sketcher) -> None:
    sketcher.findings = [[_FAIL, _OK], None, [_WARN, _OK], [_OK, _OK]]
    result = await client.create_character(_order())
    assert len(sketcher.seeds) == 3
    first = sketcher.seeds[0]
    assert sketcher.seeds == [first, first + 1, first + 2]
    assert result.character.origin.seed == first + 2
    assert [check.verdict for check in result.checks] == [_WARN, _OK]
    assert sketcher.check_only == [False, False, False]


async def test_the_least_faulty_picture_is_taken_in_the_end(
    client: Client, sketcher: _Sketcher
) -> None:
    sketcher.findings = [[_FAIL, _FAIL], [_FAIL, _OK], [_FAIL, _WARN], None]
    result = await client.create_character(_order())
    assert len(sketcher.seeds) == IMAGE_TRIES
    assert result.character.origin.seed == sketcher.seeds[1]


async def test_pictures_without_a_character_make_none(client: Client, sketcher: _Sketcher) -> None:
    sketcher.findings = [None] * IMAGE_TRIES
    with pytest.raises(InvalidArgumentError) as caught:
        await client.create_character(_order())
    assert caught.value.reason == "NO_CHARACTER_FOUND"
    assert len(sketcher.seeds) == IMAGE_TRIES


async def test_a_given_seed_is_the_only_one(client: Client, sketcher: _Sketcher) -> None:
    sketcher.findings = [[_FAIL]]
    result = await client.create_character(_order(seed=12))
    assert sketcher.seeds == [12]
    assert result.character.origin.seed == 12


async def test_a_request_repeated_while_it_is_served_does_the_work_once(
    client: Client, sketcher: _Sketcher
) -> None:
    sketcher.findings = [[_OK], [_OK]]
    order = _order(seed=12)
    order.request_id = "once"
    sketcher.may_paint.clear()
    first = asyncio.create_task(client.create_character(order))
    await sketcher.at_work.wait()
    second = asyncio.create_task(client.create_character(order))
    # Its turn comes, or does not, before that of a third.
    third = asyncio.create_task(client.create_character(_order(seed=13)))
    async with asyncio.timeout(20):
        while 13 not in sketcher.seeds:
            sketcher.at_work.clear()
            await sketcher.at_work.wait()
    sketcher.may_paint.set()
    assert await first == await second
    await third
    assert sketcher.seeds == [12, 13]


async def test_a_drawing_that_is_a_canvas_is_only_checked(
    client: Client, sketcher: _Sketcher
) -> None:
    sketcher.canvas_ready = True
    sketcher.findings = [[_FAIL]]
    await client.create_character(_order())
    assert sketcher.check_only == [True]
    assert len(sketcher.seeds) == 1
