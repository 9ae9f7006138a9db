"""All five services as processes, on unix sockets, once for all tests of this folder."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.supervisor import Plan, running_services

ROOT = Path(__file__).resolve().parents[2]

SESSIONS = 2
# Few slots, so that one that is not given back is missed at once.
SLOTS = {
    "KUCHIPAKU_GATEWAY_SESSIONS": str(SESSIONS),
    "KUCHIPAKU_GATEWAY_VIDEOS": str(SESSIONS),
    "KUCHIPAKU_GATEWAY_CREATIONS": "1",
    "KUCHIPAKU_POSE_MAX_STREAMS": str(SESSIONS),
    "KUCHIPAKU_LIPSYNC_MAX_STREAMS": str(SESSIONS),
    "KUCHIPAKU_COMPOSITOR_MAX_CONCURRENT_JOBS": "1",
    "KUCHIPAKU_IMAGEGEN_JOBS": "1",
}


@dataclass
class Product:
    """The running services."""

    plan: Plan
    log: list[tuple[str, str]] = field(default_factory=list)
    failure: BaseException | None = None

    @property
    def gateway(self) -> str:
        return self.plan.addresses["gateway"]


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if "KUCHIPAKU_POSE_MODELS" not in os.environ:
        shipped = ROOT / "models/starter/pose/manifest.json"
        assert shipped.is_file(), "models/starter/pose is not there: run make train-starter"
    # Unix socket paths are limited to about 100 characters, which pytest's own folders may exceed.
    folder = tmp_path_factory.mktemp("s")
    product = Product(Plan.on_sockets(folder, folder / "data", environment=SLOTS))
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running_services(
            product.plan, on_line=lambda service, line: product.log.append((service, line))
        ):
            ready.set()
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            product.failure = error
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(120)
    if product.failure is not None:
        raise product.failure
    yield product
    stop.set()
    thread.join(60)
    if product.failure is not None:
        raise product.failure


@pytest.fixture
async def client(product: Product) -> AsyncIterator[Client]:
    async with Client(product.gateway) as client:
        yield client


@pytest.fixture
async def character(client: Client) -> gateway.Character:
    request = gateway.CreateCharacterRequest(
        prompt=gateway.PromptSource(prompt="girl, blue hime cut, red eyes", seed=4),
        request_id="the tests' character",
    )
    return (await client.create_character(request)).character


@pytest.fixture(scope="session")
def hello_wav() -> bytes:
    return (ROOT / "examples/hello.wav").read_bytes()


@pytest.fixture(scope="session")
def hello_text() -> str:
    return (ROOT / "examples/hello.txt").read_text(encoding="utf-8")
