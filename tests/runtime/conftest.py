from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.runtime.probe import Probe, ProbeStub, probing


@pytest.fixture(autouse=True)
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="kuchipaku_runtime")


@pytest_asyncio.fixture
async def endings() -> AsyncIterator[asyncio.Queue[str]]:
    """Yield a queue of the status codes with which calls end."""
    queue: asyncio.Queue[str] = asyncio.Queue()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "call ended":
                queue.put_nowait(vars(record)["code"])

    handler = Handler()
    logger = logging.getLogger("kuchipaku_runtime")
    logger.addHandler(handler)
    yield queue
    logger.removeHandler(handler)


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest_asyncio.fixture
async def stub(probe: Probe) -> AsyncIterator[ProbeStub]:
    async with probing(probe) as stub:
        yield stub
