"""How commands about pictures reach an image generation service."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import grpc
from rich.progress import Progress

from kuchipaku.errors import error_from_rpc
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc

from .connection import Access, access_options
from .console import progress_bars
from .services import default_data
from .standalone import standalone_services

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ImageService:
    """A service that runs somewhere, or one that is started for the command."""

    address: str | None
    access: Access

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[Any, Progress]]:
        """The service's stub, and progress bars; what calls fail with is translated."""
        async with AsyncExitStack() as stack:
            progress = stack.enter_context(progress_bars())
            address, access = self.address, self.access
            if address is None:
                services = standalone_services(progress, default_data(), ("imagegen",))
                supervisor = await stack.enter_async_context(services)
                address = supervisor.plan.addresses["imagegen"]
                access = Access(access.api_key)
            channel = await stack.enter_async_context(access.channel(address))
            try:
                yield pb_grpc.ImagegenServiceStub(channel), progress
            except grpc.aio.AioRpcError as error:
                raise error_from_rpc(error) from error


def image_service_options(command: _Command) -> _Command:
    """Add --address, --api-key and --tls-ca; the command gets them as ``service``."""

    @functools.wraps(command)
    def with_service(*, address: str | None, access: Access, **given: Any) -> Any:
        return command(**given, service=ImageService(address, access))

    option = click.option(
        "--address",
        envvar="KUCHIPAKU_IMAGEGEN",
        help="A running image generation service; without it the command runs one of its own.",
    )
    wrapped: Any = option(access_options(with_service))
    return wrapped  # type: ignore[no-any-return]
