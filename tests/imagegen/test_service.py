"""The image generation service on a unix socket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from PIL import Image

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc
from kuchipaku_contract.errors import (
    InvalidArgumentError,
    KuchipakuError,
    NotFoundError,
    UnimplementedError,
)
from kuchipaku_imagegen.service import build
from kuchipaku_imagegen.settings import ImagegenSettings
from kuchipaku_runtime import connect, serving, translate_rpc_error


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[pb_grpc.ImagegenServiceAsyncStub]:
    settings = ImagegenSettings(address=f"unix:{tmp_path}/imagegen.sock", jobs=1, queue_limit=1)
    async with serving(settings, build) as address, connect(address) as peer:
        yield pb_grpc.ImagegenServiceStub(peer.channel)


async def _generate(
    stub: pb_grpc.ImagegenServiceAsyncStub, **fields: object
) -> list[pb.GenerateImageResponse]:
    request = pb.GenerateImageRequest(**fields)  # type: ignore[arg-type]
    return [answer async for answer in stub.GenerateImage(request)]


async def _error(stub: pb_grpc.ImagegenServiceAsyncStub, **fields: object) -> KuchipakuError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _generate(stub, **fields)
    return translate_rpc_error(caught.value)


async def test_pictures_come_with_progress(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    answers = await _generate(stub, prompt="girl, red hair, gribble", seed=5, image_count=2)
    assert answers[0].started.model == "illustrator"
    assert answers[0].started.seed == 5
    kinds = [answer.WhichOneof("payload") for answer in answers]
    assert kinds.count("image") == 2
    assert kinds.index("progress") < kinds.index("image")
    images = [answer.image for answer in answers if answer.HasField("image")]
    assert [image.seed for image in images] == [5, 6]
    assert list(images[0].ignored_phrases) == ["gribble"]
    picture = Image.open(io.BytesIO(images[0].png))
    assert picture.size == (512, 512)
    assert picture.mode == "RGBA"
    assert images[0].png != images[1].png


async def test_the_same_seed_gives_the_same_bytes(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    first = await _generate(stub, prompt="boy, green eyes", seed=8)
    second = await _generate(stub, prompt="boy, green eyes", seed=8)
    assert first[-1].image.png == second[-1].image.png


async def test_without_a_seed_one_is_drawn_and_told(
    stub: pb_grpc.ImagegenServiceAsyncStub,
) -> None:
    answers = await _generate(stub, prompt="boy")
    again = await _generate(stub, prompt="boy", seed=answers[0].started.seed)
    assert again[-1].image.png == answers[-1].image.png


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 1001}, "prompt"),
        ({"prompt": "girl", "negative_prompt": "x" * 1001}, "negative_prompt"),
        ({"prompt": "girl", "image_count": 17}, "image_count"),
        ({"prompt": "girl", "image_count": -1}, "image_count"),
        ({"prompt": "girl", "width_px": 640}, "width_px"),
        ({"prompt": "girl", "init_image": b"picture"}, "init_image"),
        ({"prompt": "girl", "seed": 2**63 - 1, "image_count": 2}, "seed"),
    ],
)
async def test_bad_requests_name_the_field(
    stub: pb_grpc.ImagegenServiceAsyncStub, fields: dict[str, object], field: str
) -> None:
    error = await _error(stub, **fields)
    assert isinstance(error, InvalidArgumentError)
    assert error.field == field


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63 - 1])
async def test_any_seed_that_the_protocol_can_carry(
    stub: pb_grpc.ImagegenServiceAsyncStub, seed: int
) -> None:
    answers = await _generate(stub, prompt="girl", seed=seed)
    assert answers[-1].image.seed == seed


async def test_an_unknown_model(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    error = await _error(stub, prompt="girl", model="sdxl")
    assert isinstance(error, NotFoundError)
    assert error.metadata["model"] == "sdxl"


async def test_models_are_listed(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    answer = await stub.ListImageModels(pb.ListImageModelsRequest())
    assert [model.name for model in answer.models] == ["illustrator"]
    assert answer.models[0].is_default
    assert answer.models[0].draws_canvases


async def test_backgrounds_cannot_be_removed_yet(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RemoveBackground(pb.RemoveBackgroundRequest(image=b"picture"))
    error = translate_rpc_error(caught.value)
    assert isinstance(error, UnimplementedError)
    assert error.reason == "NO_MATTING_MODEL"


async def test_a_drawing_is_a_canvas_already(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    png = (await _generate(stub, prompt="girl", seed=2))[-1].image.png
    answer = await stub.FitCanvas(pb.FitCanvasRequest(image=png, check_only=True))
    assert len(answer.canvas.sha256) == 64
    assert {check.verdict for check in answer.checks} == {pb.CHECK_VERDICT_OK}


async def test_more_work_than_slots_is_refused_with_a_time_to_come_back(
    stub: pb_grpc.ImagegenServiceAsyncStub,
) -> None:
    results = await asyncio.gather(
        *(_generate(stub, prompt="girl", seed=seed, image_count=4) for seed in range(4)),
        return_exceptions=True,
    )
    refused = [translate_rpc_error(r) for r in results if isinstance(r, grpc.aio.AioRpcError)]
    assert len(refused) == 2
    assert {error.reason for error in refused} == {"QUEUE_FULL"}
    assert all(error.retry_after_s for error in refused)
