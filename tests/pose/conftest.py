from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_pose.engine import Engine, EngineOptions
from kuchipaku_pose.pack import load_pack
from tests.pose.poseclient import Client, Rgba, service
from tests.pose.tinypack import SIDE, write_pack

PackMaker = Callable[..., Path]


@pytest.fixture
def make_pack(tmp_path: Path) -> PackMaker:
    def make(name: str = "pack", **changes: Any) -> Path:
        return write_pack(tmp_path / name, **changes)

    return make


@pytest.fixture
def make_engine(make_pack: PackMaker) -> Callable[..., Engine]:
    def make(**options: Any) -> Engine:
        return Engine(load_pack(make_pack()), EngineOptions(**options))

    return make


@pytest.fixture
def opaque_picture() -> NDArray[np.uint8]:
    picture = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    picture[..., 3] = 255
    return picture


@pytest.fixture
async def client(tmp_path: Path, opaque_picture: Rgba) -> AsyncIterator[Client]:
    async with service(tmp_path, opaque_picture) as ready:
        yield ready
