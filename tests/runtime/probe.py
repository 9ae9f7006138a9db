"""A tiny real service for the runtime's tests, made of generic handlers over StringValue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from kuchipaku.calls import keep_status
from kuchipaku_contract import InvalidArgumentError, KuchipakuError, ResourceExhaustedError
from kuchipaku_runtime import (
    ChannelSettings,
    Service,
    ServiceContext,
    ServiceSettings,
    connect,
    service_config,
    serving,
    translate_rpc_error,
)
from kuchipaku_runtime.request import current_caller, current_request_id

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
NAME = "kuchipaku.probe.v1.ProbeService"


class ProbeSettings(ServiceSettings):
    """Settings of the probe: any free port."""

    model_config = service_config("probe")

    address: str = "127.0.0.1:0"
    metrics_address: str | None = None


class Probe:
    """Does what the request's text says."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.closed = asyncio.Event()

    async def unary(self, request: StringValue, context: Context) -> StringValue:
        return StringValue(value=await self._obey(request.value, context))

    async def collect(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        texts = [await self._obey(request.value, context) async for request in requests]
        return StringValue(value=",".join(texts))

    async def repeat(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        try:
            self.entered.set()
            for index in range(3):
                yield StringValue(value=f"{index}:{request.value}")
                if index == 0:
                    await self._obey(request.value, context)
            while request.value == "flood":
                yield StringValue(value="x" * 100_000)
        finally:
            self.closed.set()

    async def chat(
        self, requests: AsyncIterator[StringValue], context: Context
    ) -> AsyncIterator[StringValue]:
        try:
            self.entered.set()
            async for request in requests:
                yield StringValue(value=await self._obey(request.value, context))
        finally:
            self.closed.set()

    async def writer(self, request: StringValue, context: Context) -> None:
        try:
            await context.write(StringValue(value="first"))
            await self._obey(request.value, context)
            await context.write(StringValue(value="last"))
        finally:
            self.closed.set()

    async def _obey(self, text: str, context: Context) -> str:
        match text:
            case "wait":
                self.entered.set()
                try:
                    await self.release.wait()
                finally:
                    self.closed.set()
            case "invalid":
                raise InvalidArgumentError(
                    "No such rate.", reason="FPS_RANGE", field="config.fps", fps=99
                )
            case "full":
                raise ResourceExhaustedError("Full.", reason="QUEUE_FULL", retry_after_s=2.5)
            case "bug":
                raise RuntimeError("secret /path/of/the/server")
            case "inner-cancel":
                task = asyncio.create_task(asyncio.Event().wait())
                task.cancel()
                await task
            case "abort":
                await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
            case "id":
                return current_request_id()
            case "caller":
                return current_caller()
        return text


def add_probe(probe: Any, server: grpc.aio.Server) -> None:
    codec: Any = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(probe.unary, **codec),
        "Collect": grpc.stream_unary_rpc_method_handler(probe.collect, **codec),
        "Repeat": grpc.unary_stream_rpc_method_handler(probe.repeat, **codec),
        "Writer": grpc.unary_stream_rpc_method_handler(probe.writer, **codec),
        "Chat": grpc.stream_stream_rpc_method_handler(probe.chat, **codec),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


def build_with(probe: Probe):
    async def build(context: ServiceContext[ProbeSettings]) -> list[Service]:
        return [Service(NAME, probe, add_probe)]

    return build


async def build(context: ServiceContext[ProbeSettings]) -> list[Service]:
    """Build a probe of one's own, for tests that run a process."""
    return [Service(NAME, Probe(), add_probe)]


class ProbeStub:
    """Calls of the probe; those that stream requests keep the status that they are ended with."""

    def __init__(self, channel: Any) -> None:
        codec: Any = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self.unary = channel.unary_unary(f"/{NAME}/Unary", **codec)
        self.collect = _keeping_status(channel.stream_unary(f"/{NAME}/Collect", **codec))
        self.repeat = channel.unary_stream(f"/{NAME}/Repeat", **codec)
        self.writer = channel.unary_stream(f"/{NAME}/Writer", **codec)
        self.chat = _keeping_status(channel.stream_stream(f"/{NAME}/Chat", **codec))
        self.missing = channel.unary_unary(f"/{NAME}/Missing", **codec)
        self.raw = channel.unary_unary(f"/{NAME}/Unary")
        self.raw_chat = _keeping_status(channel.stream_stream(f"/{NAME}/Chat"))


def _keeping_status(method: Any) -> Callable[..., Any]:
    return lambda *requests, **options: keep_status(method(*requests, **options))


def text(value: str) -> StringValue:
    return StringValue(value=value)


@asynccontextmanager
async def probing(
    probe: Probe, settings: ProbeSettings | None = None, channel: ChannelSettings | None = None
) -> AsyncIterator[ProbeStub]:
    """Serve the probe and yield a stub for it."""
    async with (
        serving(settings or ProbeSettings(), build_with(probe)) as address,
        connect(address, channel) as peer,
    ):
        yield ProbeStub(peer.channel)


async def first_error(call: Any) -> KuchipakuError:
    """Run a call of any shape to its end; return the error that it must end with."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return translate_rpc_error(error)
    raise AssertionError("the call succeeded")
