"""The image generation service on a unix socket."""

from __future__ import annotations

import asyncio
import io
import math
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc
import numpy as np
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
from kuchipaku_contract.limits import LIMITS
from kuchipaku_imagegen.service import build
from kuchipaku_imagegen.settings import ImagegenSettings
from kuchipaku_runtime import connect, serving, translate_rpc_error

from .user_pictures import character, encoded, gradient, overlap, placed


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
        ({"prompt": "x" * 100_000}, "prompt"),
        ({"prompt": "girl", "image_count": 1000}, "image_count"),
        ({"prompt": "girl", "height_px": 4096}, "height_px"),
        ({"prompt": "girl", "step_count": 100_000}, "step_count"),
        ({"prompt": "girl", "guidance_scale": math.nan}, "guidance_scale"),
        ({"prompt": "girl", "guidance_scale": math.inf}, "guidance_scale"),
        ({"prompt": "girl", "init_strength": math.nan}, "init_strength"),
        ({"prompt": "girl", "end_seed": 3}, "end_seed"),
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


async def _refusal(call: Awaitable[object]) -> KuchipakuError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return translate_rpc_error(caught.value)


async def test_backgrounds_are_removed(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    truth = character(900_002)
    picture = placed(truth, gradient(512, 512))
    answer = await stub.RemoveBackground(pb.RemoveBackgroundRequest(image=encoded(picture)))
    assert answer.model == "starter"
    cut = np.array(Image.open(io.BytesIO(answer.png)))
    assert cut.shape == (512, 512, 4)
    assert overlap(cut, truth) > 0.9


async def test_without_a_matting_model_backgrounds_stay(tmp_path: Path) -> None:
    settings = ImagegenSettings(address=f"unix:{tmp_path}/bare.sock", starter_models=tmp_path)
    async with serving(settings, build) as address, connect(address) as peer:
        bare = pb_grpc.ImagegenServiceStub(peer.channel)
        picture = encoded(gradient(512, 512))
        error = await _refusal(bare.RemoveBackground(pb.RemoveBackgroundRequest(image=picture)))
        assert isinstance(error, UnimplementedError)
        assert error.reason == "NO_MATTING_MODEL"
        canvas = encoded(character(1))
        answer = await bare.FitCanvas(pb.FitCanvasRequest(image=canvas))
        assert answer.canvas.png


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (b"", "IMAGE_EMPTY"),
        (b"GIF89a" + bytes(200), "IMAGE_FORMAT_UNSUPPORTED"),
        (bytes(LIMITS.max_image_bytes + 1), "IMAGE_TOO_LARGE"),
        (encoded(gradient(512, 512))[:2000], "IMAGE_NOT_DECODABLE"),
        (encoded(gradient(32, 32)), "IMAGE_TOO_SMALL"),
    ],
    ids=["empty", "animated GIF", "huge file", "cut off", "tiny"],
)
async def test_bad_pictures_are_refused_and_the_service_goes_on(
    stub: pb_grpc.ImagegenServiceAsyncStub, picture: bytes, reason: str
) -> None:
    for call in (
        stub.RemoveBackground(pb.RemoveBackgroundRequest(image=picture)),
        stub.FitCanvas(pb.FitCanvasRequest(image=picture)),
    ):
        error = await _refusal(call)
        assert isinstance(error, InvalidArgumentError)
        assert error.reason == reason
        assert error.field == "image"
    assert (await _generate(stub, prompt="girl", seed=1))[-1].image.png


def _turned_by_exif(picture: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by 90 degrees
    return encoded(np.rot90(picture), "JPEG", "RGB", exif=exif, quality=95)


@pytest.mark.parametrize("kind", ["16 bit", "CMYK", "palette", "EXIF rotation", "WebP"])
async def test_unusual_files_are_understood(
    stub: pb_grpc.ImagegenServiceAsyncStub, kind: str
) -> None:
    picture = placed(character(900_002), gradient(512, 512))
    if kind == "16 bit":
        data = _png16(picture)
    elif kind == "CMYK":
        data = encoded(picture, "JPEG", "CMYK", quality=95)
    elif kind == "palette":
        data = encoded(picture, "PNG", "P")
    elif kind == "WebP":
        data = encoded(picture, "WEBP", "RGB")
    else:
        data = _turned_by_exif(picture)
    answer = await stub.FitCanvas(pb.FitCanvasRequest(image=data))
    assert answer.matting_model == "starter"
    checks = {check.name: check.verdict for check in answer.checks}
    assert checks["face"] == pb.CHECK_VERDICT_OK
    assert abs(answer.head.angle_degrees) < 5


def _png16(picture: np.ndarray) -> bytes:
    """An RGB PNG of 16 bits a channel, which Pillow itself does not write."""
    rows = picture[..., :3].astype(">u2") * 257
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", picture.shape[1], picture.shape[0], 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


async def test_a_picture_without_a_character_is_refused(
    stub: pb_grpc.ImagegenServiceAsyncStub,
) -> None:
    picture = encoded(gradient(600, 400))
    error = await _refusal(stub.FitCanvas(pb.FitCanvasRequest(image=picture)))
    assert isinstance(error, InvalidArgumentError)
    assert error.reason == "NO_CHARACTER_FOUND"


async def test_an_unknown_matting_model(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    picture = encoded(gradient(512, 512))
    for call in (
        stub.RemoveBackground(pb.RemoveBackgroundRequest(image=picture, model="u3net")),
        stub.FitCanvas(pb.FitCanvasRequest(image=picture, matting_model="u3net")),
    ):
        error = await _refusal(call)
        assert isinstance(error, NotFoundError)
        assert error.reason == "MATTING_MODEL_NOT_FOUND"


async def test_blocked_words_are_not_drawn(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("# not here\nbad word\n", "utf-8")
    settings = ImagegenSettings(address=f"unix:{tmp_path}/strict.sock", blocklist_file=words)
    async with serving(settings, build) as address, connect(address) as peer:
        strict = pb_grpc.ImagegenServiceStub(peer.channel)
        error = await _error(strict, prompt="girl, BAD  Word")
        assert error.reason == "PROMPT_BLOCKED"
        assert (await _generate(strict, prompt="girl, bad words", seed=1))[-1].image.png


async def test_a_drawing_is_a_canvas_already(stub: pb_grpc.ImagegenServiceAsyncStub) -> None:
    png = (await _generate(stub, prompt="girl", seed=2))[-1].image.png
    answer = await stub.FitCanvas(pb.FitCanvasRequest(image=png, check_only=True))
    assert len(answer.canvas.sha256) == 64
    assert pb.CHECK_VERDICT_FAIL not in {check.verdict for check in answer.checks}
    assert answer.head.confidence > 0.8


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
