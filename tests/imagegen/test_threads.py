"""Work in threads: stopped, waited for, and its slot kept until then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku_imagegen.backends import Backends, Capabilities, Drawing, Order, Progress
from kuchipaku_imagegen.cutout import MattingModels
from kuchipaku_imagegen.fitting import Fitter
from kuchipaku_imagegen.servicer import ImagegenServicer
from kuchipaku_imagegen.threads import Emit, emitted, in_thread
from kuchipaku_runtime import Admission

_LIMIT_S = 10


class _Brush:
    """A backend that draws a step whenever the test lets it."""

    capabilities = Capabilities(name="brush", description="", license="", step_count=3)

    def __init__(self) -> None:
        self.at_work = threading.Event()
        self.go_on = threading.Event()
        self.steps = 0

    def draw(self, order: Order, on_progress: Progress) -> Iterator[Drawing]:
        for index in range(order.image_count):
            for step in range(3):
                on_progress(index, step, 3)
                self.steps += 1
                self.at_work.set()
                assert self.go_on.wait(_LIMIT_S)
            yield Drawing(np.zeros((8, 8, 4), np.uint8), order.seed + index)


class _Studio:
    def __init__(self) -> None:
        self.brush = _Brush()
        self.admission = Admission("images", 1)
        matting = MattingModels({})
        fitter = Fitter(None, matting)
        self.servicer = ImagegenServicer(
            Backends((self.brush,)), self.admission, Admission("devices", 1), fitter, matting
        )
        self.answers: asyncio.Queue[str | None] = asyncio.Queue()

    async def generate(self, image_count: int = 2) -> None:
        request = pb.GenerateImageRequest(prompt="girl", seed=1, image_count=image_count)
        context: Any = None
        answers: Any = self.servicer.GenerateImage(request, context)
        async with aclosing(answers):
            async for answer in answers:
                self.answers.put_nowait(answer.WhichOneof("payload"))


async def test_a_cancelled_order_keeps_its_slot_until_its_thread_has_ended() -> None:
    studio = _Studio()
    order = asyncio.create_task(studio.generate())
    assert await asyncio.to_thread(studio.brush.at_work.wait, _LIMIT_S)
    order.cancel()
    done, _ = await asyncio.wait({order}, timeout=0.1)
    assert not done
    order.cancel()  # nor does insisting help
    done, _ = await asyncio.wait({order}, timeout=0.1)
    assert not done
    assert studio.admission.used == 1
    studio.brush.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await order
    assert studio.admission.used == 0
    # It ended at the next step, not with the picture.
    assert studio.brush.steps == 1


async def test_progress_is_told_while_the_picture_is_drawn() -> None:
    studio = _Studio()
    order = asyncio.create_task(studio.generate(image_count=1))
    assert await asyncio.to_thread(studio.brush.at_work.wait, _LIMIT_S)
    async with asyncio.timeout(_LIMIT_S):
        told = [await studio.answers.get() for _ in range(2)]
    assert told == ["started", "progress"]
    studio.brush.go_on.set()
    await order
    told = [studio.answers.get_nowait() for _ in range(studio.answers.qsize())]
    assert told == ["progress", "progress", "image"]


async def test_a_failure_is_raised_behind_what_came_before_it() -> None:
    def work(emit: Emit[int]) -> None:
        emit(1)
        emit(2)
        raise ValueError("no paint")

    async with aclosing(emitted(work)) as items:
        assert [await anext(items), await anext(items)] == [1, 2]
        with pytest.raises(ValueError, match="no paint"):
            await anext(items)


async def test_a_cancelled_call_waits_for_its_thread() -> None:
    started, leave = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        assert leave.wait(_LIMIT_S)
        raise ValueError("nobody listens")

    call = asyncio.create_task(in_thread(work))
    assert await asyncio.to_thread(started.wait, _LIMIT_S)
    call.cancel()
    done, _ = await asyncio.wait({call}, timeout=0.1)
    assert not done
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await call
